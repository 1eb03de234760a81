/** Calls of the simulated driver for its own tests: a context, and what it takes to launch a kernel, without the runtime in between. */
import { expect } from 'chai';
import { loadKoffi, type Koffi } from '../../runtime/platform/node/koffi.ts';

const [handle, memory, count] = ['uint64', 'void *', 'size_t'] as const;
const functions = {
  cuInit: ['uint'],
  cuDriverGetVersion: [memory],
  cuGetErrorName: ['int', memory],
  cuDeviceGetCount: [memory],
  cuDeviceGetName: [memory, 'int', 'int'],
  cuDevicePrimaryCtxRetain: [memory, 'int'],
  cuDevicePrimaryCtxRelease_v2: ['int'],
  cuCtxSetCurrent: [handle],
  cuCtxSynchronize: [],
  cuMemGetInfo_v2: [memory, memory],
  cuMemAlloc_v2: [memory, count],
  cuMemFree_v2: [handle],
  cuMemAllocHost_v2: [memory, count],
  cuMemFreeHost: [handle],
  cuMemcpyHtoD_v2: [handle, memory, count],
  cuMemcpyDtoH_v2: [memory, handle, count],
  cuMemcpyHtoDAsync_v2: [handle, handle, count, handle],
  cuMemcpyDtoHAsync_v2: [handle, handle, count, handle],
  cuMemsetD32Async: [handle, 'uint', count, handle],
  cuStreamCreate: [memory, 'uint'],
  cuStreamDestroy_v2: [handle],
  cuStreamSynchronize: [handle],
  cuStreamBeginCapture_v2: [handle, 'int'],
  cuStreamEndCapture: [handle, memory],
  cuEventCreate: [memory, 'uint'],
  cuEventDestroy_v2: [handle],
  cuEventRecord: [handle, handle],
  cuEventQuery: [handle],
  cuEventElapsedTime: [memory, handle, handle],
  cuModuleLoadDataEx: [memory, 'str', 'uint', memory, memory],
  cuModuleUnload: [handle],
  cuModuleGetFunction: [memory, handle, 'str'],
  cuFuncGetAttribute: [memory, 'int', handle],
  cuLaunchKernel: [handle, 'uint', 'uint', 'uint', 'uint', 'uint', 'uint', 'uint', handle, memory, memory],
  cuGraphInstantiateWithFlags: [memory, handle, 'uint64'],
  cuGraphGetNodes: [handle, memory, memory],
  cuGraphLaunch: [handle, handle],
  cuGraphExecDestroy: [handle],
  cuGraphDestroy: [handle],
  cuSimLive: [],
  cuSimDescribeLive: [memory, 'int'],
  cuSimLastFailure: [memory, 'int'],
  cuSimForgetLeaks: [],
  cuSimPause: ['int'],
} as const;
export type DriverFunction = keyof typeof functions;
/** Each returns its CUresult. */
export type DriverCalls = Readonly<Record<DriverFunction, (...values: readonly unknown[]) => number>>;

export function loadDriverCalls(file: string): DriverCalls {
  const library = loadKoffi('CUDA in Node').load(file);
  const calls: Readonly<Record<string, unknown>> = Object.fromEntries(
    Object.entries(functions).map(([name, parameters]) => [name, library.func(name, 'int', parameters)]),
  );
  return calls as DriverCalls;
}

/** One kernel of a PTX text that says no more than the driver reads: all parameters are pointers. */
export interface PtxEntry {
  readonly name: string;
  readonly parameters: number;
  readonly threads: number;
}
export function ptxOf(entries: readonly PtxEntry[], { version = '8.4', note = '' } = {}): string {
  const texts = entries.map(({ name, parameters, threads }) => {
    const list = Array.from({ length: parameters }, (_, index) => `  .param .u64 ${name}_param_${index}`).join(',\n');
    return `.visible .entry ${name}(\n${list}\n)\n.maxntid ${threads}, 1, 1\n{\n  ret;\n}\n`;
  });
  return [`// ${note}`, `.version ${version}`, '.target sm_80', '.address_size 64', ...texts].join('\n');
}

const textBytes = 1024;
/** A primary context of device 0 and a stream in it. */
export class SimulatedContext {
  readonly calls: DriverCalls;
  readonly context: bigint;
  readonly stream: bigint;
  readonly #koffi: Koffi = loadKoffi('CUDA in Node');
  readonly #out = new BigUint64Array(1);

  constructor(calls: DriverCalls) {
    this.calls = calls;
    this.succeed('cuInit', 0);
    this.context = this.make('cuDevicePrimaryCtxRetain', 0);
    this.succeed('cuCtxSetCurrent', this.context);
    this.stream = this.make('cuStreamCreate', 1);
  }
  /** Frees what is its own, and releases the context. Returns what else was live in it. */
  dispose(): string {
    this.calls.cuStreamDestroy_v2(this.stream);
    const held = this.text('cuSimDescribeLive');
    this.succeed('cuDevicePrimaryCtxRelease_v2', 0);
    return held;
  }
  succeed(name: DriverFunction, ...values: readonly unknown[]): void {
    const code = this.calls[name](...values);
    if (code !== 0) throw new Error(`${name} returned ${code}: ${this.text('cuSimLastFailure')}`);
  }
  /** What a function writes through its first parameter. */
  make(name: DriverFunction, ...values: readonly unknown[]): bigint {
    this.#out[0] = 0n;
    this.succeed(name, this.#out, ...values);
    return this.#out[0];
  }
  text(name: 'cuSimDescribeLive' | 'cuSimLastFailure'): string {
    const bytes = new Uint8Array(textBytes);
    this.calls[name](bytes, bytes.length);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  upload(values: Float32Array | Int32Array): bigint {
    const address = this.make('cuMemAlloc_v2', values.byteLength);
    this.succeed('cuMemcpyHtoD_v2', address, values, values.byteLength);
    return address;
  }
  download(address: bigint, elements: number): Float32Array {
    const values = new Float32Array(elements);
    this.succeed('cuMemcpyDtoH_v2', values, address, values.byteLength);
    return values;
  }
  kernel(ptx: string, name: string): { readonly module: bigint; readonly kernel: bigint } {
    const module = this.make('cuModuleLoadDataEx', ptx, 0, null, null);
    return { module, kernel: this.make('cuModuleGetFunction', module, name) };
  }
  /** The CUresult of a launch with these pointers, through the packed buffer. */
  launch(kernel: bigint, blocks: number, threads: number, parameters: readonly bigint[]): number {
    const packed = new BigUint64Array(parameters);
    const bytes = new BigUint64Array([BigInt(packed.byteLength)]);
    // CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE, CU_LAUNCH_PARAM_END.
    const extra = new BigUint64Array([1n, this.#koffi.address(packed), 2n, this.#koffi.address(bytes), 0n]);
    return this.calls.cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, 0, this.stream, null, extra);
  }
  /** Launches and waits; the first CUresult that is no success. */
  run(kernel: bigint, blocks: number, threads: number, parameters: readonly bigint[]): number {
    const code = this.launch(kernel, blocks, threads, parameters);
    return code === 0 ? this.calls.cuStreamSynchronize(this.stream) : code;
  }
  expectFailure(code: number, expected: number, sentence: RegExp): void {
    expect(code).to.equal(expected);
    expect(this.text('cuSimLastFailure')).to.match(sentence);
  }
}
