/** Runs kernels of CUDA on arrays, each in memory of its own, without a program around them. */
import { intrinsics } from '../../compiler/codegen/cuda/intrinsics.ts';
import { prelude } from '../../compiler/codegen/cuda/prelude.ts';
import { rendererOf } from '../../compiler/codegen/cuda/renderers.ts';
import { cudaTarget, renderCuda } from '../../compiler/codegen/cuda/target.ts';
import type { Dispatch } from '../../compiler/kernel/dispatch.ts';
import { nameKernels, type BoundKernel } from '../../compiler/kernel/kernel-name.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { bindOperands } from '../../compiler/program/operand-bindings.ts';
import { evaluateSize } from '../../ir/size.ts';
import type { Address, CudaDriver } from '../../runtime/backends/cuda/driver.ts';
import { LaunchBuffer } from '../../runtime/backends/cuda/launch-buffer.ts';
import { readPtx } from '../../runtime/backends/cuda/ptx.ts';
import type { BufferElementType } from '../../runtime/format/program.ts';
import { simulateModules } from '../cuda-device.ts';
import { ptxFor, testDriver } from './cuda-backend.ts';
import type { KernelArray } from './products.ts';

export interface KernelRun {
  readonly kernel: Kernel;
  readonly reads: readonly KernelArray[];
  /** What the result holds before; the kernel writes into a copy. */
  readonly result: Float32Array<ArrayBuffer>;
  /** A second result, after the first, which the kernel's values are put into. */
  readonly statistics?: Float32Array<ArrayBuffer>;
  readonly integers: readonly number[];
}

function elementTypeOf(array: KernelArray): BufferElementType {
  if (array instanceof Float32Array) return 'f32';
  if (array instanceof Int32Array) return 'i32';
  return array instanceof Uint16Array ? 'f16' : 'u8';
}
// How operands are bound does not depend on the precision.
const { memory } = cudaTarget('f32');

/** A kernel with each operand in a buffer of its own. */
export function bindRun({ kernel, reads, result, statistics, integers }: KernelRun): BoundKernel {
  if (memory.kind !== 'buffers') throw new TypeError('CUDA binds buffers.');
  const range = (array: KernelArray): Dispatch['reads'][number] => ({
    buffer: { name: '', class: 'workspace', elementType: elementTypeOf(array), elements: array.length, weight: null },
    offset: 0,
  });
  const writes = [range(result), ...(statistics ? [range(statistics)] : [])];
  const dispatch = { kernel, label: 'test', reads: reads.map(range), writes, integers } as unknown as Dispatch;
  const devices = new Map(
    [...dispatch.reads, ...dispatch.writes].map(({ buffer }, index) => [buffer, `buffer ${index}`] as const),
  );
  return { kernel, pattern: bindOperands(dispatch, memory, ({ buffer }) => ({ device: devices.get(buffer) ?? '', offset: 0 })) };
}
/** A file of CUDA C++ with these kernels. */
export const textOfKernels = (kernels: readonly BoundKernel[]): string =>
  cudaText(...nameKernels(kernels).named.map((kernel) => renderCuda(kernel)));
export const cudaText = (...kernels: readonly string[]): string => [intrinsics, prelude, ...kernels].join('\n');

/** Compiles the different kernels of the runs together, and runs them one after the other. */
export async function runCudaKernels(runs: readonly KernelRun[]): Promise<readonly Float32Array[]> {
  const bound = runs.map(bindRun);
  const { nameOf } = nameKernels(bound);
  return withCudaModule(textOfKernels(bound), (launch) =>
    runs.map(({ kernel, reads, result, statistics, integers }, index) => {
      const items = evaluateSize(rendererOf(kernel).items(kernel, integers), {});
      const operands = [...reads, result, ...(statistics ? [statistics] : [])];
      const sizes = Int32Array.from([items, ...operands.map(() => 0), ...integers]);
      return launch(nameOf(bound[index] as BoundKernel), items, [sizes, ...reads], result, statistics);
    }),
  );
}

/**
 * Launches a kernel of so many blocks over arrays, in the order of its parameters, of which the result is the last; gives that. What the
 * kernel makes of a second result is put into it.
 */
export type Launch = (
  name: string,
  blocks: number,
  reads: readonly KernelArray[],
  result: Float32Array,
  second?: Float32Array<ArrayBuffer>,
) => Float32Array;
/** Compiles a file of CUDA C++ and loads it, on the device that tests have. */
export async function withCudaModule<T>(text: string, use: (launch: Launch) => T): Promise<T> {
  const [driver, ptx] = [await testDriver(), await ptxFor(text)];
  await simulateModules(text, [ptx]);
  const device = driver.deviceAt(0);
  driver.useContext(driver.retainContext(device));
  try {
    const bytes = new TextEncoder().encode(ptx);
    const { threads } = readPtx(bytes);
    const module = driver.loadModule(bytes);
    const value = use((name, blocks, reads, result, second) => {
      const kernel = driver.functionOf(module, name);
      if (kernel === undefined) throw new RangeError(`The module has no kernel ${name}.`);
      return launchKernel(driver, { kernel, blocks, threads: threads.get(name) ?? 0 }, reads, result, second);
    });
    driver.unloadModule(module);
    return value;
  } finally {
    driver.releaseContext(device);
  }
}

function launchKernel(
  driver: CudaDriver,
  { kernel, blocks, threads }: { readonly kernel: Address; readonly blocks: number; readonly threads: number },
  reads: readonly KernelArray[],
  result: Float32Array,
  second?: Float32Array<ArrayBuffer>,
): Float32Array {
  const stream = driver.createStream();
  // In memory that the engine does not move, as it may small arrays.
  const found = new Float32Array(new ArrayBuffer(result.byteLength));
  found.set(result);
  const arrays = [...reads, found, ...(second ? [second] : [])];
  const addresses = arrays.map((array) => {
    // Halves are read as words of two.
    const address = driver.allocate(Math.max(4, Math.ceil(array.byteLength / 4) * 4));
    const from = driver.addressOf(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    if (array.byteLength > 0) driver.copyToDevice(address, from, array.byteLength, stream);
    return address;
  });
  const [sizes, ...bindings] = addresses as [Address, ...Address[]];
  const parameters = new LaunchBuffer(driver);
  parameters.fill(sizes, BigUint64Array.from(bindings));
  driver.launch(kernel, blocks, threads, stream, parameters.extra);
  driver.copyToHost(driver.addressOf(found), addresses[reads.length] as Address, found.byteLength, stream);
  const behind = addresses[reads.length + 1];
  // In memory that the engine does not move, as it may small arrays.
  const copied = new Float32Array(new ArrayBuffer(second?.byteLength ?? 0));
  if (behind !== undefined) driver.copyToHost(driver.addressOf(copied), behind, copied.byteLength, stream);
  driver.synchronise();
  second?.set(copied);
  for (const address of addresses) driver.free(address);
  driver.destroyStream(stream);
  return found;
}
