import { AtpcError } from '../../errors.ts';
import { dispatchSteps, type Program } from '../../format/program.ts';
import { bindingsOf, type BindingSlot } from '../bindings.ts';
import type { PendingWork } from '../worker/pending-work.ts';

/** Shader stage and usages of WebGPU as numbers, since Node has no global objects for them (WebGPU, sections 5.1 and 8.1). */
const computeStage = 4;

export interface KernelPipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/**
 * Compiles every kernel of a program, all at once. Rejects with ATPC-403 for a kernel that is missing and ATPC-505 for one that
 * the device refuses, with what it says.
 */
export async function createPipelines(
  device: GPUDevice,
  program: Program,
  texts: ReadonlyMap<string, string>,
  pending: PendingWork,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<ReadonlyMap<string, KernelPipeline>> {
  const layouts = new Map<string, GPUBindGroupLayout>();
  const layoutOf = (bindings: readonly BindingSlot[]): GPUBindGroupLayout => {
    const key = layoutKey(bindings);
    let layout = layouts.get(key);
    if (layout === undefined) layouts.set(key, (layout = device.createBindGroupLayout({ entries: layoutEntries(bindings) })));
    return layout;
  };
  const kernels = new Map<string, readonly BindingSlot[]>();
  for (const entry of Object.values(program.entryPoints))
    for (const step of dispatchSteps(entry.steps))
      if (!kernels.has(step.kernel)) kernels.set(step.kernel, bindingsOf(program, step));

  let done = 0;
  onProgress(0, kernels.size);
  const compiled = [...kernels].map(async ([name, bindings]): Promise<readonly [string, KernelPipeline]> => {
    const code = texts.get(name);
    if (code === undefined) throw new AtpcError('ATPC-403', `The kernel '${name}' of program.json is not in the kernel file.`);
    const layout = layoutOf(bindings);
    const pipeline = await pending.track(() => compile(device, name, code, layout));
    onProgress(++done, kernels.size);
    return [name, { pipeline, layout }];
  });
  // None may be pending when this is over, whichever failed.
  await Promise.allSettled(compiled);
  return new Map(await Promise.all(compiled));
}

async function compile(device: GPUDevice, name: string, code: string, layout: GPUBindGroupLayout): Promise<GPUComputePipeline> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: name, code });
  const problem = device.popErrorScope().catch(() => null);
  try {
    const pipeline = await device.createComputePipelineAsync({
      label: name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
    });
    await problem;
    return pipeline;
  } catch (cause) {
    const { messages } = await module.getCompilationInfo();
    const lines = messages
      .filter(({ type }) => type === 'error')
      .map(({ lineNum, linePos, message }) => `line ${lineNum}:${linePos}: ${message}`);
    const error = await problem;
    const said = lines.length > 0 ? lines.join('; ') : (error?.message ?? String(cause));
    throw new AtpcError('ATPC-505', `The device refuses the kernel '${name}': ${said}`, {
      hint: "Load with backend: 'wasm', and tell the authors of atpc about it.",
      cause,
    });
  }
}

/** Equal for dispatches whose bind groups have the same layout. */
function layoutKey(bindings: readonly BindingSlot[]): string {
  return bindings.map(({ written }) => (written ? 'w' : 'r')).join('');
}
function layoutEntries(bindings: readonly BindingSlot[]): GPUBindGroupLayoutEntry[] {
  const uniform = { binding: 0, visibility: computeStage, buffer: { type: 'uniform', hasDynamicOffset: true } } as const;
  return [
    uniform,
    ...bindings.map(({ written }, index): GPUBindGroupLayoutEntry => ({
      binding: index + 1,
      visibility: computeStage,
      buffer: { type: written ? 'storage' : 'read-only-storage' },
    })),
  ];
}
