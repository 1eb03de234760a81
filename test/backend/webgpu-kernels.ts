/** One kernel on the device that all tests share, without a program around it. */
import { rendererOf } from '../../compiler/codegen/wgsl/renderers.ts';
import { renderWgsl } from '../../compiler/codegen/wgsl/target.ts';
import type { BindingPattern } from '../../compiler/kernel/binding.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { evaluateSize } from '../../ir/size.ts';
import { testDevice } from '../webgpu-adapter.ts';

export type KernelTensor = Float32Array | Int32Array;

/**
 * Runs a kernel over operands in the order of kernel.ts and gives the last `written` of them as they are then; `written` are read and
 * written, and lie in one buffer, as they do in a program.
 */
export async function runOnDevice(
  kernel: Kernel,
  operands: readonly KernelTensor[],
  written: number,
  integers: readonly number[],
): Promise<readonly KernelTensor[]> {
  const device = await testDevice();
  const { features } = device;
  const renderer = rendererOf(kernel);
  const reads = operands.slice(0, operands.length - written);
  const states = operands.slice(reads.length);
  const pattern: BindingPattern = {
    operands: operands.map((values, index) => ({
      binding: Math.min(index, reads.length),
      elementType: values instanceof Float32Array ? 'f32' : 'i32',
      vectors: false,
    })),
    written: [...reads.map(() => false), true],
  };
  const subgroups = features.has('subgroups') ? 'device' : 'none';
  const code = renderWgsl({ name: kernel.kind, kernel, pattern }, { subgroups, half: false });
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
  });
  const bufferOf = (bytes: number, usage: number): GPUBuffer => device.createBuffer({ size: Math.max(16, bytes), usage });
  const [copySource, copyDestination, uniform, storage, mapRead] = [0x4, 0x8, 0x40, 0x80, 0x1];
  // Four elements between the operands show what is written beyond an end.
  const offsets: number[] = [];
  let elements = 0;
  for (const { length } of states) {
    offsets.push(elements);
    elements += length + 4;
  }
  const before = new Uint8Array(elements * 4).fill(0x7f);
  states.forEach((values, index) =>
    before.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), (offsets[index] ?? 0) * 4),
  );
  const items = evaluateSize(renderer.items(kernel, integers), {});
  const sizes = Int32Array.of(items, ...reads.map(() => 0), ...offsets, ...integers);
  const uploaded = [sizes, ...reads, before].map((values, index) => {
    const buffer = bufferOf(values.byteLength, (index === 0 ? uniform : storage) | copySource | copyDestination);
    device.queue.writeBuffer(buffer, 0, values);
    return buffer;
  });
  const after = uploaded[uploaded.length - 1] as GPUBuffer;
  if (renderer.scratch?.isUsed(kernel) === true) {
    uploaded.push(bufferOf(evaluateSize(renderer.scratch.bytes(kernel, integers), {}), storage));
  }
  const staging = bufferOf(before.byteLength, copyDestination | mapRead);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
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
    const place = [bytes, (offsets[index] ?? 0) * 4, values.length] as const;
    const end = new Int32Array(bytes, ((offsets[index] ?? 0) + values.length) * 4, 4);
    if (end.some((element) => element !== 0x7f7f7f7f)) throw new Error(`${kernel.kind} wrote beyond operand ${index}.`);
    return values instanceof Float32Array ? new Float32Array(...place) : new Int32Array(...place);
  });
}
