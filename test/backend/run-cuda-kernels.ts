/** Runs kernels of CUDA on arrays, without a program around them. Operands are bound as in programs: what is written lies in one buffer. */
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

export type KernelTensor = Float32Array | Int32Array;
/** A kernel, and its operands in the order of kernel.ts. */
export interface BoundTensors {
  readonly kernel: Kernel;
  readonly reads: readonly (KernelArray | KernelTensor)[];
  /** What the results hold before; the kernel writes into copies. */
  readonly written: readonly KernelTensor[];
  readonly integers: readonly number[];
}
export interface KernelRun extends Omit<BoundTensors, 'written'> {
  readonly result: Float32Array<ArrayBuffer>;
  /** A second result, after the first, which the kernel's values are put into. */
  readonly statistics?: Float32Array<ArrayBuffer>;
}
const tensorsOf = ({ kernel, reads, result, statistics, integers }: KernelRun): BoundTensors => ({
  kernel,
  reads,
  written: [result, ...(statistics ? [statistics] : [])],
  integers,
});

function elementTypeOf(array: KernelArray | KernelTensor): BufferElementType {
  if (array instanceof Float32Array) return 'f32';
  if (array instanceof Int32Array) return 'i32';
  return array instanceof Uint16Array ? 'f16' : 'u8';
}
// How operands are bound does not depend on the precision.
const { memory } = cudaTarget('f32');

/** Between results in their buffer, and behind the last: what a kernel writes beyond an end is seen. */
const gap = 8;
const untouched = 0x7f7f7f7f;
/** Where each result begins in their buffer, in elements, and where the buffer ends. */
function resultPlaces(written: readonly KernelTensor[]): readonly number[] {
  const places = [0];
  for (const { length } of written) places.push((places.at(-1) as number) + Math.ceil(length / 4) * 4 + gap);
  return places;
}

/** Every operand that is read in a buffer of its own. Rows are loaded four elements at a time where the strides allow it. */
function bind({ kernel, reads, written, integers }: BoundTensors): BoundKernel {
  if (memory.kind !== 'buffers') throw new TypeError('CUDA binds buffers.');
  const places = resultPlaces(written);
  const range = (array: KernelArray | KernelTensor, name: string, offset: number): Dispatch['reads'][number] => ({
    buffer: { name, class: 'workspace', elementType: elementTypeOf(array), elements: array.length, weight: null },
    offset,
  });
  const dispatch = {
    kernel,
    label: 'test',
    reads: reads.map((array, index) => range(array, `read ${index}`, 0)),
    writes: written.map((array, index) => range(array, 'results', places[index] as number)),
    integers,
  } as unknown as Dispatch;
  return { kernel, pattern: bindOperands(dispatch, memory, ({ buffer: { name } }) => ({ device: name, offset: 0 })) };
}
export const bindRun = (run: KernelRun): BoundKernel => bind(tensorsOf(run));

/** A file of CUDA C++ with these kernels. */
export const textOfKernels = (kernels: readonly BoundKernel[]): string =>
  cudaText(...nameKernels(kernels).named.map((kernel) => renderCuda(kernel)));
export const cudaText = (...kernels: readonly string[]): string => [intrinsics, prelude, ...kernels].join('\n');

/** What a launch reads, in the order of the kernel's parameters, then what it reads and writes, then scratch memory. */
interface LaunchMemory {
  readonly reads: readonly Uint8Array[];
  readonly written: Uint8Array;
  readonly scratchBytes?: number;
}
/** Launches a kernel of so many blocks, and gives what is written afterwards. */
type Launch = (name: string, blocks: number, memory: LaunchMemory) => Uint8Array<ArrayBuffer>;

/** The modules of texts, on the device that tests have, for as long as the process runs. */
const modules = new Map<string, Promise<Launch>>();
function moduleOf(text: string): Promise<Launch> {
  const loaded = modules.get(text) ?? loadModule(text);
  modules.set(text, loaded);
  return loaded;
}
async function loadModule(text: string): Promise<Launch> {
  const ptx = await ptxFor(text);
  await simulateModules(text, [ptx]);
  const driver = await driverInUse();
  const bytes = new TextEncoder().encode(ptx);
  const { threads } = readPtx(bytes);
  const module = driver.loadModule(bytes);
  return (name, blocks, launched) => {
    const kernel = driver.functionOf(module, name);
    if (kernel === undefined) throw new RangeError(`The module has no kernel ${name}.`);
    return launch(driver, { kernel, blocks, threads: threads.get(name) ?? 0 }, launched);
  };
}
let inUse: Promise<CudaDriver> | undefined;
function driverInUse(): Promise<CudaDriver> {
  inUse ??= testDriver().then((driver) => {
    driver.useContext(driver.retainContext(driver.deviceAt(0)));
    return driver;
  });
  return inUse;
}

function launch(
  driver: CudaDriver,
  { kernel, blocks, threads }: { readonly kernel: Address; readonly blocks: number; readonly threads: number },
  { reads, written, scratchBytes = 0 }: LaunchMemory,
): Uint8Array<ArrayBuffer> {
  const stream = driver.createStream();
  const made: Address[] = [];
  const allocate = (bytes: number): Address => {
    // Halves and bytes are read as whole words.
    const place = driver.allocate(Math.max(16, Math.ceil(bytes / 4) * 4));
    made.push(place);
    return place;
  };
  const upload = (bytes: Uint8Array): Address => {
    const place = allocate(bytes.byteLength);
    if (bytes.byteLength > 0) driver.copyToDevice(place, driver.addressOf(bytes), bytes.byteLength, stream);
    return place;
  };
  try {
    const [sizes, ...bindings] = [...reads, written].map(upload) as [Address, ...Address[]];
    const scratch = scratchBytes > 0 ? [allocate(scratchBytes)] : [];
    const parameters = new LaunchBuffer(driver);
    parameters.fill(sizes, BigUint64Array.from([...bindings, ...scratch]));
    driver.launch(kernel, blocks, threads, stream, parameters.extra);
    const after = inPlace(new Uint8Array(written.byteLength));
    driver.copyToHost(driver.addressOf(after), bindings.at(-1) as Address, after.byteLength, stream);
    driver.synchronise();
    return after;
  } finally {
    for (const place of made) driver.free(place);
    driver.destroyStream(stream);
  }
}
/** The same bytes in memory that the engine does not move, as it may small arrays. */
function inPlace({ buffer, byteOffset, byteLength }: KernelArray | KernelTensor): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(byteLength));
  bytes.set(new Uint8Array(buffer, byteOffset, byteLength));
  return bytes;
}

/** Runs a kernel so many times, each from the same state, and gives what its results are after each. */
function run(tensors: BoundTensors, launched: Launch, name: string, times = 1): readonly (readonly KernelTensor[])[] {
  const { kernel, reads, written, integers } = tensors;
  const renderer = rendererOf(kernel);
  const places = resultPlaces(written);
  const before = new Uint8Array(new ArrayBuffer((places.at(-1) as number) * 4)).fill(0x7f);
  written.forEach((array, index) => before.set(inPlace(array), (places[index] as number) * 4));
  const blocks = evaluateSize(renderer.items(kernel, integers), {});
  const sizes = Int32Array.from([blocks, ...reads.map(() => 0), ...places.slice(0, -1), ...integers]);
  const launchMemory: LaunchMemory = {
    reads: [sizes, ...reads].map(inPlace),
    written: before,
    ...(renderer.scratch?.isUsed(kernel) ? { scratchBytes: evaluateSize(renderer.scratch.bytes(kernel, integers), {}) } : {}),
  };
  return Array.from({ length: times }, () => {
    const after = launched(name, blocks, launchMemory);
    return written.map((values, index) => {
      const offset = places[index] as number;
      const beyond = new Int32Array(after.buffer, (offset + values.length) * 4, gap);
      if (beyond.some((element) => element !== untouched)) throw new Error(`${kernel.kind} wrote beyond result ${index}.`);
      const place = [after.buffer, offset * 4, values.length] as const;
      return values instanceof Float32Array ? new Float32Array(...place) : new Int32Array(...place);
    });
  });
}

/** Compiles the different kernels of the runs together, runs them one after the other, and gives the first result of each. */
export async function runCudaKernels(runs: readonly KernelRun[]): Promise<readonly Float32Array[]> {
  const bound = runs.map(bindRun);
  const { nameOf } = nameKernels(bound);
  const launched = await moduleOf(textOfKernels(bound));
  const found: Float32Array[] = [];
  for (const [index, each] of runs.entries()) {
    const [results] = run(tensorsOf(each), launched, nameOf(bound[index] as BoundKernel));
    const [first, second] = results as readonly [Float32Array, Float32Array?];
    if (second) each.statistics?.set(second);
    found.push(first);
  }
  return found;
}
/** Runs one kernel so many times, each from the same state, and gives what is written after each. */
export async function runOnCuda(tensors: BoundTensors, times: number): Promise<readonly (readonly KernelTensor[])[]> {
  const { named, nameOf } = nameKernels([bind(tensors)]);
  const bound = named[0] as BoundKernel;
  return run(tensors, await moduleOf(textOfKernels([bound])), nameOf(bound), times);
}
/** Launches a block of a kernel that is not one of kernel.ts. */
export async function runCudaText(
  text: string,
  name: string,
  reads: readonly KernelArray[],
  result: Float32Array,
): Promise<Float32Array> {
  const after = (await moduleOf(text))(name, 1, { reads: reads.map(inPlace), written: inPlace(result) });
  return new Float32Array(after.buffer);
}
