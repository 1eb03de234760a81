/** One kernel on the device that all tests share, without a program around it. */
import { rendererOf } from '../../compiler/codegen/wgsl/renderers.ts';
import { renderWgsl } from '../../compiler/codegen/wgsl/target.ts';
import type { Subgroups } from '../../compiler/codegen/clike/dialect.ts';
import type { BindingPattern } from '../../compiler/kernel/binding.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { evaluateSize } from '../../ir/size.ts';
import { testDevice } from '../webgpu-adapter.ts';

export type KernelTensor = Float32Array | Int32Array;
export interface DeviceRun {
  /** Loads four elements at a time where the kernel would and the strides allow it. */
  readonly vectors?: boolean;
  /** Those of the device where they are not said. */
  readonly subgroups?: Subgroups;
}
/** The limit that every device has (WebGPU, section 3.6.2). */
const storageBuffers = 8;

/**
 * Runs a kernel over operands in the order of kernel.ts and gives the last `written` of them as they are then; `written` are read and
 * written, and lie in one buffer, as they do in a program.
 */
export async function runOnDevice(
  kernel: Kernel,
  operands: readonly KernelTensor[],
  written: number,
  integers: readonly number[],
  { vectors = false, subgroups }: DeviceRun = {},
): Promise<readonly KernelTensor[]> {
  const device = await testDevice();
  const { features } = device;
  const renderer = rendererOf(kernel);
  const reads = operands.slice(0, operands.length - written);
  const states = operands.slice(reads.length);
  const isFloat = (values: KernelTensor | undefined): boolean => values instanceof Float32Array;
  // More operands than a kernel may bind lie in one buffer each type.
  const groups =
    reads.length < storageBuffers - 1
      ? reads.map((_, index) => [index])
      : [true, false]
          .map((floats) => reads.flatMap((values, index) => (isFloat(values) === floats ? [index] : [])))
          .filter((group) => group.length > 0);
  groups.push(states.map((_, index) => reads.length + index));
  const offsets: number[] = [];
  const contents = groups.map((group) => concatenate(operands, group, offsets));
  const strides = renderer.vectorStrides?.(kernel, integers) ?? [];
  const pattern: BindingPattern = {
    operands: operands.map((values, index) => ({
      binding: groups.findIndex((group) => group.includes(index)),
      elementType: isFloat(values) ? 'f32' : 'i32',
      vectors: vectors && (strides[index]?.every((stride) => Number(stride) % 4 === 0) ?? false),
    })),
    written: groups.map((_, index) => index === groups.length - 1),
  };
  const code = renderWgsl(
    { name: kernel.kind, kernel, pattern },
    { subgroups: subgroups ?? (features.has('subgroups') ? 'device' : 'none'), half: false },
  );
  // Said aloud, as the runtime does: a kernel may have operands that it does not read.
  const scratch = renderer.scratch?.isUsed(kernel) === true;
  const types = ['uniform', ...groups.slice(1).map(() => 'read-only-storage'), 'storage', ...(scratch ? ['storage'] : [])];
  const layout = device.createBindGroupLayout({
    entries: types.map((type, binding) => ({ binding, visibility: 0x4, buffer: { type: type as GPUBufferBindingType } })),
  });
  const pipeline = await pipelineOf(device, layout, code);
  const bufferOf = (bytes: number, usage: number): GPUBuffer =>
    device.createBuffer({ size: Math.max(16, Math.ceil(bytes / 16) * 16), usage });
  const [copySource, copyDestination, uniform, storage, mapRead] = [0x4, 0x8, 0x40, 0x80, 0x1];
  const items = evaluateSize(renderer.items(kernel, integers), {});
  const before = contents.at(-1) as Uint8Array;
  const sizes = Int32Array.of(items, ...offsets, ...integers);
  const uploaded = [sizes, ...contents].map((values, index) => {
    const buffer = bufferOf(values.byteLength, (index === 0 ? uniform : storage) | copySource | copyDestination);
    device.queue.writeBuffer(buffer, 0, values);
    return buffer;
  });
  const after = uploaded[uploaded.length - 1] as GPUBuffer;
  if (scratch) uploaded.push(bufferOf(evaluateSize(renderer.scratch?.bytes(kernel, integers) ?? 0, {}), storage));
  const staging = bufferOf(before.byteLength, copyDestination | mapRead);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout,
      entries: uploaded.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  );
  pass.dispatchWorkgroups(items);
  pass.end();
  encoder.copyBufferToBuffer(after, 0, staging, 0, before.byteLength);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const bytes = staging.getMappedRange().slice(0);
  for (const buffer of [...uploaded, staging]) buffer.destroy();
  return states.map((values, index) => {
    const place = [bytes, (offsets[reads.length + index] ?? 0) * 4, values.length] as const;
    const end = new Int32Array(bytes, ((offsets[reads.length + index] ?? 0) + values.length) * 4, 4);
    if (end.some((element) => element !== 0x7f7f7f7f)) throw new Error(`${kernel.kind} wrote beyond operand ${index}.`);
    return values instanceof Float32Array ? new Float32Array(...place) : new Int32Array(...place);
  });
}

/** A driver in software takes seconds to compile a large kernel; what differs in its integers only has the same text. */
const pipelines = new Map<string, Promise<GPUComputePipeline>>();
function pipelineOf(device: GPUDevice, bindings: GPUBindGroupLayout, code: string): Promise<GPUComputePipeline> {
  let pipeline = pipelines.get(code);
  if (pipeline === undefined) {
    const layout = device.createPipelineLayout({ bindGroupLayouts: [bindings] });
    const compute = { module: device.createShaderModule({ code }), entryPoint: 'main' };
    pipelines.set(code, (pipeline = device.createComputePipelineAsync({ layout, compute })));
  }
  return pipeline;
}

/** Some of the operands as one buffer; notes where each begins, in elements. Bytes between them show what is written beyond an end. */
function concatenate(operands: readonly KernelTensor[], group: readonly number[], offsets: number[]): Uint8Array {
  let elements = 0;
  for (const index of group) {
    offsets[index] = elements;
    // Operands begin at multiples of four elements, and have at least four between them.
    elements += Math.ceil((operands[index]?.length ?? 0) / 4) * 4 + 4;
  }
  const bytes = new Uint8Array(elements * 4).fill(0x7f);
  for (const index of group) {
    const { buffer, byteOffset, byteLength } = operands[index] as KernelTensor;
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), (offsets[index] as number) * 4);
  }
  return bytes;
}
