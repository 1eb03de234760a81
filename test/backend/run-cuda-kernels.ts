/** Runs kernels of CUDA on arrays, each in memory of its own, without a program around them. */
import { compilePtx } from '../../compiler/codegen/cuda/compile-ptx.ts';
import { intrinsics } from '../../compiler/codegen/cuda/intrinsics.ts';
import { prelude } from '../../compiler/codegen/cuda/prelude.ts';
import { rendererOf } from '../../compiler/codegen/cuda/renderers.ts';
import { cudaTarget, renderCuda } from '../../compiler/codegen/cuda/target.ts';
import type { Dispatch } from '../../compiler/kernel/dispatch.ts';
import { nameKernels, type BoundKernel } from '../../compiler/kernel/kernel-name.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { bindOperands } from '../../compiler/program/operand-bindings.ts';
import { evaluateSize } from '../../ir/size.ts';
import { openCudaDriver, type Address, type CudaDriver } from '../../runtime/backends/cuda/driver.ts';
import { LaunchBuffer } from '../../runtime/backends/cuda/launch-buffer.ts';
import type { BufferElementType } from '../../runtime/format/program.ts';
import { cudaEnvironment, simulateModules } from '../cuda-device.ts';

/** An operand: f32, i32, bytes of quants, or halves (Uint16Array). */
export type KernelArray =
  Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
export interface KernelRun {
  readonly kernel: Kernel;
  readonly reads: readonly KernelArray[];
  /** What the result holds before; the kernel writes into a copy. */
  readonly result: Float32Array<ArrayBuffer>;
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
export function bindRun({ kernel, reads, result, integers }: KernelRun): BoundKernel {
  if (memory.kind !== 'buffers') throw new TypeError('CUDA binds buffers.');
  const range = (array: KernelArray): Dispatch['reads'][number] => ({
    buffer: { name: '', class: 'workspace', elementType: elementTypeOf(array), elements: array.length, weight: null },
    offset: 0,
  });
  const dispatch = { kernel, label: 'test', reads: reads.map(range), writes: [range(result)], integers } as unknown as Dispatch;
  const devices = new Map(
    [...dispatch.reads, ...dispatch.writes].map(({ buffer }, index) => [buffer, `buffer ${index}`] as const),
  );
  return { kernel, pattern: bindOperands(dispatch, memory, ({ buffer }) => ({ device: devices.get(buffer) ?? '', offset: 0 })) };
}
export const textOf = (kernels: Parameters<typeof nameKernels>[0]): string =>
  [intrinsics, prelude, ...nameKernels(kernels).named.map((kernel) => renderCuda(kernel))].join('\n');

/** Threads of a block, as PTX has them (PTX ISA, 11.4.2). */
function threadsOf(ptx: string, name: string): number {
  const [, threads] = new RegExp(`\\.entry ${name}\\([^)]*\\)[^{]*\\.maxntid (\\d+)`).exec(ptx) ?? [];
  if (threads === undefined) throw new RangeError(`The PTX does not say the threads of ${name}.`);
  return Number(threads);
}

/** Compiles the different kernels of the runs together, and runs them one after the other. */
export async function runCudaKernels(runs: readonly KernelRun[]): Promise<readonly Float32Array[]> {
  const bound = runs.map(bindRun);
  const { nameOf } = nameKernels(bound);
  const text = textOf(bound);
  const { files } = await compilePtx(text);
  const ptx = String(files[0]?.content ?? '');
  await simulateModules(text, [ptx]);
  Object.assign(process.env, await cudaEnvironment());
  const driver = openCudaDriver();
  const device = driver.deviceAt(0);
  driver.useContext(driver.retainContext(device));
  const module = driver.loadModule(new TextEncoder().encode(ptx));
  try {
    return runs.map((run, index) => {
      const name = nameOf(bound[index] as BoundKernel);
      const kernel = driver.functionOf(module, name);
      if (kernel === undefined) throw new RangeError(`The module has no kernel ${name}.`);
      return launch(driver, run, kernel, threadsOf(ptx, name));
    });
  } finally {
    driver.unloadModule(module);
    driver.releaseContext(device);
  }
}

function launch(driver: CudaDriver, run: KernelRun, kernel: Address, threads: number): Float32Array {
  const { reads, result, integers } = run;
  const stream = driver.createStream();
  const made: Address[] = [];
  // One kernel at a time: pageable memory is as good as any.
  const bytesOf = ({ buffer, byteOffset, byteLength }: KernelArray): Uint8Array<ArrayBuffer> =>
    new Uint8Array(buffer, byteOffset, byteLength);
  const upload = (array: KernelArray): Address => {
    const address = driver.allocate(Math.max(16, array.byteLength));
    made.push(address);
    if (array.byteLength > 0) driver.copyToDevice(address, driver.addressOf(bytesOf(array)), array.byteLength, stream);
    return address;
  };
  try {
    const items = evaluateSize(rendererOf(run.kernel).items(run.kernel as never, integers), {});
    const sizes = upload(Int32Array.from([items, ...[...reads, result].map(() => 0), ...integers]));
    const buffers = [...reads, result].map(upload);
    const parameters = new LaunchBuffer(driver);
    parameters.fill(sizes, BigUint64Array.from(buffers));
    driver.launch(kernel, items, threads, stream, parameters.extra);
    // Not on the heap of the engine, which may move small arrays.
    const found = new Float32Array(new ArrayBuffer(result.byteLength));
    driver.copyToHost(driver.addressOf(found), buffers.at(-1) as Address, found.byteLength, stream);
    driver.synchronise();
    return found;
  } finally {
    for (const address of made) driver.free(address);
    driver.destroyStream(stream);
  }
}
