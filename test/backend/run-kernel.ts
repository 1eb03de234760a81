/** Runs one kernel of WebGPU on arrays, each in a buffer of its own, without a program around it. */
import { renderWgsl, webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import type { KernelFeatures } from '../../compiler/codegen/clike/kernel-builder.ts';
import type { Dispatch } from '../../compiler/kernel/dispatch.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { bindOperands } from '../../compiler/program/operand-bindings.ts';
import type { BufferElementType } from '../../runtime/format/program.ts';
import { testDevice } from '../webgpu-adapter.ts';
import type { KernelArray } from './products.ts';

export interface KernelRun {
  readonly kernel: Kernel;
  readonly reads: readonly KernelArray[];
  /** What the result holds before; the kernel writes into a copy. */
  readonly result: Float32Array<ArrayBuffer>;
  readonly integers: readonly number[];
  readonly features?: KernelFeatures;
}

function elementTypeOf(array: KernelArray): BufferElementType {
  if (array instanceof Float32Array) return 'f32';
  if (array instanceof Int32Array) return 'i32';
  return array instanceof Uint16Array ? 'f16' : 'u8';
}
const { memory } = webgpuTarget;
const plainBuild: KernelFeatures = { subgroups: 'none', half: false };
const pipelines = new Map<string, Promise<GPUComputePipeline>>();

/** The kernel as text, with each operand in a buffer of its own. */
export function kernelText({ kernel, reads, result, integers, features = plainBuild }: KernelRun): string {
  if (memory.kind !== 'buffers') throw new TypeError('WebGPU binds buffers.');
  const range = (array: KernelArray): Dispatch['reads'][number] => ({
    buffer: { name: '', class: 'workspace', elementType: elementTypeOf(array), elements: array.length, weight: null },
    offset: 0,
  });
  const dispatch = { kernel, label: 'test', reads: reads.map(range), writes: [range(result)], integers } as unknown as Dispatch;
  const devices = new Map(
    [...dispatch.reads, ...dispatch.writes].map(({ buffer }, index) => [buffer, `buffer ${index}`] as const),
  );
  const pattern = bindOperands(dispatch, memory, ({ buffer }) => ({ device: devices.get(buffer) ?? '', offset: 0 }));
  return renderWgsl({ name: kernel.kind, kernel, pattern }, features);
}

export async function runKernel(run: KernelRun): Promise<Float32Array> {
  const { kernel, reads, result, integers } = run;
  const device = await testDevice();
  const code = kernelText(run);
  let pipeline = pipelines.get(code);
  if (pipeline === undefined) {
    const module = device.createShaderModule({ code });
    pipeline = device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
    pipelines.set(code, pipeline);
  }
  const made: GPUBuffer[] = [];
  const buffer = (bytes: Uint8Array<ArrayBuffer>, usage: number): GPUBuffer => {
    const padded = new Uint8Array(Math.ceil(Math.max(1, bytes.length) / 16) * 16);
    padded.set(bytes);
    const gpu = device.createBuffer({ size: padded.length, usage });
    made.push(gpu);
    device.queue.writeBuffer(gpu, 0, padded);
    return gpu;
  };
  const { COPY_DST, COPY_SRC, MAP_READ, STORAGE, UNIFORM } = bufferUsage;
  const bytesOf = ({ buffer: memory_, byteOffset, byteLength }: KernelArray): Uint8Array<ArrayBuffer> =>
    new Uint8Array(memory_, byteOffset, byteLength);
  const items = Number(webgpuTarget.itemsOf({ kernel, integers, items: 0 }));
  const words = Int32Array.from([items, ...[...reads, result].map(() => 0), ...integers]);
  const buffers = [
    buffer(bytesOf(words), UNIFORM | COPY_DST),
    ...reads.map((array) => buffer(bytesOf(array), STORAGE | COPY_DST)),
    buffer(bytesOf(result), STORAGE | COPY_DST | COPY_SRC),
  ];
  const compiled = await pipeline;
  const group = device.createBindGroup({
    layout: compiled.getBindGroupLayout(0),
    entries: buffers.map((resource, binding) => ({ binding, resource: { buffer: resource } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(compiled);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(items);
  pass.end();
  const staging = buffer(new Uint8Array(result.byteLength), MAP_READ | COPY_DST);
  const written = buffers.at(-1) as GPUBuffer;
  encoder.copyBufferToBuffer(written, 0, staging, 0, written.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const found = new Float32Array(staging.getMappedRange().slice(0, result.byteLength));
  for (const gpu of made) gpu.destroy();
  return found;
}
/** WebGPU, section 5.1.4, as numbers: Node has no global object for it. */
const bufferUsage = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, UNIFORM: 0x40, STORAGE: 0x80 } as const;
