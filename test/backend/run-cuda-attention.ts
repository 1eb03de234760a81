/** One kernel on the CUDA device, its operands bound as in a program: what it writes lies in one buffer. */
import { intrinsics } from '../../compiler/codegen/cuda/intrinsics.ts';
import { prelude } from '../../compiler/codegen/cuda/prelude.ts';
import { rendererOf } from '../../compiler/codegen/cuda/renderers.ts';
import { renderCuda } from '../../compiler/codegen/cuda/target.ts';
import type { BindingPattern } from '../../compiler/kernel/binding.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { evaluateSize } from '../../ir/size.ts';
import type { Address, CudaDriver } from '../../runtime/backends/cuda/driver.ts';
import { LaunchBuffer } from '../../runtime/backends/cuda/launch-buffer.ts';
import { readPtx } from '../../runtime/backends/cuda/ptx.ts';
import { simulateModules } from '../cuda-device.ts';
import { ptxFor, testDriver } from './cuda-backend.ts';

export type KernelTensor = Float32Array | Int32Array;
export interface BoundTensors {
  readonly kernel: Kernel;
  /** In the order of kernel.ts; the last `written` of them are read and written. */
  readonly operands: readonly KernelTensor[];
  readonly written: number;
  readonly integers: readonly number[];
}

/** Between operands of one buffer, and behind the last: what a kernel writes beyond an end is seen. */
const gap = 8;
const untouched = 0x7f7f7f7f;

interface Bound {
  readonly pattern: BindingPattern;
  /** Of each operand in its buffer, in elements. */
  readonly offsets: readonly number[];
  readonly contents: readonly Uint8Array<ArrayBuffer>[];
}
/** Every read operand in a buffer of its own. Rows are loaded four elements at a time where the strides allow it. */
function bind({ kernel, operands, written, integers }: BoundTensors): Bound {
  const reads = operands.length - written;
  const groups = [...operands.slice(0, reads).map((_, index) => [index]), operands.slice(reads).map((_, index) => reads + index)];
  const strides = rendererOf(kernel).vectorStrides?.(kernel, integers) ?? [];
  const offsets: number[] = [];
  const contents = groups.map((group) => {
    let elements = 0;
    for (const index of group) {
      offsets[index] = elements;
      elements += Math.ceil((operands[index]?.length ?? 0) / 4) * 4 + gap;
    }
    const bytes = new Uint8Array(new ArrayBuffer(elements * 4)).fill(0x7f);
    for (const index of group) {
      const { buffer, byteOffset, byteLength } = operands[index] as KernelTensor;
      bytes.set(new Uint8Array(buffer, byteOffset, byteLength), (offsets[index] as number) * 4);
    }
    return bytes;
  });
  const pattern: BindingPattern = {
    operands: operands.map((values, index) => ({
      binding: Math.min(index, reads),
      elementType: values instanceof Float32Array ? 'f32' : 'i32',
      vectors: strides[index]?.every((stride) => Number(stride) % 4 === 0) ?? false,
    })),
    written: groups.map((_, index) => index === reads),
  };
  return { pattern, offsets, contents };
}

/** The driver and the module of each text, for as long as the process runs. */
const modules = new Map<string, Promise<{ readonly module: Address; readonly threads: number }>>();
async function moduleOf(text: string, name: string): Promise<{ readonly module: Address; readonly threads: number }> {
  const ptx = await ptxFor(text);
  await simulateModules(text, [ptx]);
  const bytes = new TextEncoder().encode(ptx);
  return { module: (await driverInUse()).loadModule(bytes), threads: readPtx(bytes).threads.get(name) ?? 0 };
}
let inUse: Promise<CudaDriver> | undefined;
function driverInUse(): Promise<CudaDriver> {
  inUse ??= testDriver().then((driver) => {
    driver.useContext(driver.retainContext(driver.deviceAt(0)));
    return driver;
  });
  return inUse;
}

/** Runs the kernel so many times, each from the same state, and gives what the written operands are after each. */
export async function runOnCuda(tensors: BoundTensors, times: number): Promise<readonly (readonly KernelTensor[])[]> {
  const { kernel, operands, written, integers } = tensors;
  const { pattern, offsets, contents } = bind(tensors);
  const renderer = rendererOf(kernel);
  const name = `tested_${kernel.kind}`;
  const text = [intrinsics, prelude, renderCuda({ name, kernel, pattern })].join('\n');
  let loaded = modules.get(text);
  if (loaded === undefined) modules.set(text, (loaded = moduleOf(text, name)));
  const { module, threads } = await loaded;
  const driver = await driverInUse();
  const address = driver.functionOf(module, name);
  if (address === undefined) throw new RangeError(`The module has no kernel ${name}.`);
  const stream = driver.createStream();
  const made: Address[] = [];
  const allocate = (bytes: number): Address => {
    const place = driver.allocate(Math.max(16, bytes));
    made.push(place);
    return place;
  };
  const upload = (bytes: Uint8Array<ArrayBuffer>): Address => {
    const place = allocate(bytes.byteLength);
    driver.copyToDevice(place, driver.addressOf(bytes), bytes.byteLength, stream);
    return place;
  };
  try {
    return Array.from({ length: times }, () => {
      const items = evaluateSize(renderer.items(kernel, integers), {});
      const sizes = Int32Array.from([items, ...offsets, ...integers]);
      const places = [new Uint8Array(sizes.buffer), ...contents].map(upload);
      const scratch = renderer.scratch?.isUsed(kernel) ? [evaluateSize(renderer.scratch.bytes(kernel, integers), {})] : [];
      const parameters = new LaunchBuffer(driver);
      parameters.fill(places[0] as Address, BigUint64Array.from([...places.slice(1), ...scratch.map(allocate)]));
      driver.launch(address, items, threads, stream, parameters.extra);
      const after = new Uint8Array(new ArrayBuffer(contents.at(-1)?.byteLength ?? 0));
      driver.copyToHost(driver.addressOf(after), places.at(-1) as Address, after.byteLength, stream);
      driver.synchronise();
      return operands.slice(operands.length - written).map((values, index) => {
        const offset = offsets[operands.length - written + index] as number;
        const beyond = new Int32Array(after.buffer, (offset + values.length) * 4, gap);
        if (beyond.some((element) => element !== untouched)) throw new Error(`${kernel.kind} wrote beyond result ${index}.`);
        const place = [after.buffer, offset * 4, values.length] as const;
        return values instanceof Float32Array ? new Float32Array(...place) : new Int32Array(...place);
      });
    });
  } finally {
    for (const place of made) driver.free(place);
    driver.destroyStream(stream);
  }
}
