/**
 * The CUDA driver API, as far as it is used here: the one file that binds its functions. Every call returns a CUresult; what is no
 * success is thrown as CudaFailure. Calls are short: whoever waits for the device asks again and again whether an event is done.
 */
import { AtpcError } from '../../errors.ts';
import { loadKoffi, type Koffi, type KoffiLibrary } from '../../platform/node/koffi.ts';
import { cudaCode, CudaFailure } from './failure.ts';

/** A CUdeviceptr, or a handle of the driver. */
export type Address = bigint;
/** Page-locked memory of the host, which the device reads and writes by itself. */
export interface HostMemory {
  readonly address: Address;
  readonly bytes: ArrayBuffer;
}

const [handle, out, host, count] = ['uint64', 'void *', 'void *', 'size_t'] as const;
/** Parameters of each function, by the name of its symbol: those that cuda.h renames have a version in it. */
const functions = {
  cuInit: ['uint'],
  cuDriverGetVersion: [out],
  cuGetErrorName: ['int', out],
  cuGetErrorString: ['int', out],
  cuDeviceGetCount: [out],
  cuDeviceGet: [out, 'int'],
  cuDeviceGetName: [out, 'int', 'int'],
  cuDeviceGetAttribute: [out, 'int', 'int'],
  cuDeviceTotalMem_v2: [out, 'int'],
  cuDevicePrimaryCtxRetain: [out, 'int'],
  cuDevicePrimaryCtxRelease_v2: ['int'],
  cuCtxCreate_v2: [out, 'uint', 'int'],
  cuCtxDestroy_v2: [handle],
  cuCtxSetCurrent: [handle],
  cuCtxSynchronize: [],
  cuMemGetInfo_v2: [out, out],
  cuMemAlloc_v2: [out, count],
  cuMemFree_v2: [handle],
  cuMemAllocHost_v2: [out, count],
  cuMemFreeHost: [host],
  cuMemcpyHtoDAsync_v2: [handle, host, count, handle],
  cuMemcpyDtoHAsync_v2: [host, handle, count, handle],
  cuMemsetD32Async: [handle, 'uint', count, handle],
  cuStreamCreate: [out, 'uint'],
  cuStreamDestroy_v2: [handle],
  cuEventCreate: [out, 'uint'],
  cuEventDestroy_v2: [handle],
  cuEventRecord: [handle, handle],
  cuEventQuery: [handle],
  cuEventElapsedTime: [out, handle, handle],
  cuModuleLoadDataEx: [out, host, 'uint', host, host],
  cuModuleUnload: [handle],
  cuModuleGetFunction: [out, handle, 'str'],
  cuLaunchKernel: [handle, 'uint', 'uint', 'uint', 'uint', 'uint', 'uint', 'uint', handle, host, host],
  cuStreamBeginCapture_v2: [handle, 'int'],
  cuStreamEndCapture: [handle, out],
  cuGraphInstantiateWithFlags: [out, handle, 'uint64'],
  cuGraphLaunch: [handle, handle],
  cuGraphExecDestroy: [handle],
  cuGraphDestroy: [handle],
} as const satisfies Readonly<Record<string, readonly string[]>>;
type FunctionName = keyof typeof functions;
type Calls = Readonly<Record<FunctionName, (...values: readonly unknown[]) => unknown>>;

/** CUstream_flags, CUevent_flags, CUstreamCaptureMode, CUjit_option. */
const streamNonBlocking = 1;
const eventWithoutTiming = 2;
const captureThreadLocal = 1;
const [jitErrorLog, jitErrorLogBytes] = [5, 6];
const logBytes = 16384;

/** Device properties (CUdevice_attribute). */
const attributes = { capabilityMajor: 75, capabilityMinor: 76, multiprocessors: 16 } as const;
export type DeviceAttribute = keyof typeof attributes;

let driverOfThread: CudaDriver | undefined;
/** The driver, loaded and initialised. Throws ATPC-501 where there is none that can be used, with what is missing. */
export function openCudaDriver(): CudaDriver {
  return (driverOfThread ??= loadDriver());
}
/** The library that is loaded: that of the system, or another one for tests and for containers with the driver in an unusual place. */
function driverFile(): string {
  const named = process.env['ATPC_CUDA_DRIVER'];
  return named === undefined || named === '' ? (process.platform === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1') : named;
}
const withoutDriver = { hint: "Install NVIDIA's driver, or load with another backend." };

function loadDriver(): CudaDriver {
  const koffi = loadKoffi('CUDA in Node');
  const file = driverFile();
  let library: KoffiLibrary;
  try {
    library = koffi.load(file);
    keepLoaded(koffi, file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AtpcError('ATPC-501', `The CUDA driver ${file} cannot be loaded: ${why}.`, { ...withoutDriver, cause });
  }
  const calls: Partial<Record<FunctionName, Calls[FunctionName]>> = {};
  const missing: string[] = [];
  for (const [name, parameters] of Object.entries(functions)) {
    try {
      calls[name as FunctionName] = library.func(name, 'int', parameters);
    } catch {
      missing.push(name);
    }
  }
  if (missing.length > 0) {
    throw new AtpcError('ATPC-501', `The CUDA driver ${file} has no ${missing.join(', ')}: it is too old, or no driver.`, {
      hint: 'Update the NVIDIA driver, or load with another backend.',
    });
  }
  const driver = new CudaDriver(koffi, calls as Calls);
  driver.initialise(file);
  return driver;
}

/** A thread that ends closes its library, and threads of the driver run its code until the process ends: so it is opened once more. */
function keepLoaded(koffi: Koffi, file: string): void {
  if (process.platform === 'win32') koffi.load('kernel32.dll').func('LoadLibraryA', 'void *', ['str'])(file);
  else
    koffi.load(null).func('dlopen', 'void *', ['str', 'int'])(
      file,
      process.getBuiltinModule('node:os').constants.dlopen.RTLD_NOW,
    );
}

export class CudaDriver {
  readonly #koffi: Koffi;
  readonly #calls: Calls;
  /** What functions write through their first parameters. */
  readonly #out = new BigUint64Array(1);
  readonly #outInt = new Int32Array(this.#out.buffer);
  readonly #outFloat = new Float32Array(this.#out.buffer);

  constructor(koffi: Koffi, calls: Calls) {
    this.#koffi = koffi;
    this.#calls = calls;
  }

  #call(name: FunctionName, ...values: readonly unknown[]): void {
    const code = this.#calls[name](...values) as number;
    if (code !== cudaCode.success) throw this.#failure(name, code);
  }
  #failure(name: string, code: number, more = ''): CudaFailure {
    const text = (call: 'cuGetErrorName' | 'cuGetErrorString'): string => {
      this.#out[0] = 0n;
      this.#calls[call](code, this.#out);
      return this.#out[0] === 0n ? 'an unknown code' : this.#koffi.decode.string(this.#out[0]);
    };
    return new CudaFailure(name, code, text('cuGetErrorName'), text('cuGetErrorString') + more);
  }
  /** A call that gives a handle or an address. */
  #make(name: FunctionName, ...values: readonly unknown[]): Address {
    this.#out[0] = 0n;
    this.#call(name, this.#out, ...values);
    return this.#out[0];
  }
  #integer(name: FunctionName, ...values: readonly unknown[]): number {
    this.#out[0] = 0n;
    this.#call(name, this.#outInt, ...values);
    return this.#outInt[0] as number;
  }

  /** Throws ATPC-501 where the driver finds nothing to drive. `file` is named in it. */
  initialise(file: string): void {
    try {
      this.#call('cuInit', 0);
    } catch (error) {
      if (!(error instanceof CudaFailure)) throw error;
      if (error.code === cudaCode.noDevice) throw noDevice();
      const stub = error.code === cudaCode.stubLibrary ? ' It is the stub that programs are linked with.' : '';
      throw new AtpcError('ATPC-501', `The CUDA driver ${file} does not start: ${error.message}.${stub}`, withoutDriver);
    }
  }
  /** The newest CUDA that the driver supports: 1000 * major + 10 * minor. */
  version(): number {
    return this.#integer('cuDriverGetVersion');
  }

  deviceCount(): number {
    return this.#integer('cuDeviceGetCount');
  }
  /** The handle of the device at a position, in the order that CUDA_DEVICE_ORDER and CUDA_VISIBLE_DEVICES give. */
  deviceAt(ordinal: number): number {
    return this.#integer('cuDeviceGet', ordinal);
  }
  deviceName(device: number): string {
    const name = new Uint8Array(256);
    this.#call('cuDeviceGetName', name, name.length, device);
    return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
  }
  attribute(name: DeviceAttribute, device: number): number {
    return this.#integer('cuDeviceGetAttribute', attributes[name], device);
  }
  deviceBytes(device: number): number {
    return Number(this.#make('cuDeviceTotalMem_v2', device));
  }

  /** The context that a process shares on a device; made by the first that retains it. */
  retainContext(device: number): Address {
    return this.#make('cuDevicePrimaryCtxRetain', device);
  }
  releaseContext(device: number): void {
    this.#call('cuDevicePrimaryCtxRelease_v2', device);
  }
  /** A context beside that one, of its maker's own. */
  createContext(device: number): Address {
    return this.#make('cuCtxCreate_v2', 0, device);
  }
  destroyContext(context: Address): void {
    this.#call('cuCtxDestroy_v2', context);
  }
  /** Calls of this thread are for the context from now on. */
  useContext(context: Address): void {
    this.#call('cuCtxSetCurrent', context);
  }
  /** Blocks until the context has done all work of all threads. Throws what broke it. */
  synchronise(): void {
    this.#call('cuCtxSynchronize');
  }

  /** Bytes of the device of the current context. */
  memory(): { readonly free: number; readonly total: number } {
    const total = new BigUint64Array(1);
    const free = this.#make('cuMemGetInfo_v2', total);
    return { free: Number(free), total: Number(total[0]) };
  }
  allocate(bytes: number): Address {
    return this.#make('cuMemAlloc_v2', bytes);
  }
  free(address: Address): void {
    this.#call('cuMemFree_v2', address);
  }
  allocateHost(bytes: number): HostMemory {
    const address = this.#make('cuMemAllocHost_v2', bytes);
    return { address, bytes: this.#koffi.view(address, bytes) };
  }
  /** Views of the memory must not be used any more. */
  freeHost({ address }: HostMemory): void {
    this.#call('cuMemFreeHost', address);
  }
  copyToDevice(to: Address, from: Address, bytes: number, stream: Address): void {
    this.#call('cuMemcpyHtoDAsync_v2', to, from, bytes, stream);
  }
  copyToHost(to: Address, from: Address, bytes: number, stream: Address): void {
    this.#call('cuMemcpyDtoHAsync_v2', to, from, bytes, stream);
  }
  /** Makes whole words zero. */
  clear(address: Address, bytes: number, stream: Address): void {
    this.#call('cuMemsetD32Async', address, 0, bytes / 4, stream);
  }

  /** A line of work in order, which waits for no other. */
  createStream(): Address {
    return this.#make('cuStreamCreate', streamNonBlocking);
  }
  destroyStream(stream: Address): void {
    this.#call('cuStreamDestroy_v2', stream);
  }
  createEvent(timing: boolean): Address {
    return this.#make('cuEventCreate', timing ? 0 : eventWithoutTiming);
  }
  destroyEvent(event: Address): void {
    this.#call('cuEventDestroy_v2', event);
  }
  record(event: Address, stream: Address): void {
    this.#call('cuEventRecord', event, stream);
  }
  /** Whether the work before an event is done. Throws what went wrong in it. */
  isDone(event: Address): boolean {
    const code = this.#calls.cuEventQuery(event) as number;
    if (code === cudaCode.success) return true;
    if (code === cudaCode.notReady) return false;
    throw this.#failure('cuEventQuery', code);
  }
  millisecondsBetween(begin: Address, end: Address): number {
    this.#call('cuEventElapsedTime', this.#outFloat, begin, end);
    return this.#outFloat[0] as number;
  }

  /** Compiles PTX for the device of the current context. The failure ends with what the driver's compiler says. */
  loadModule(ptx: Uint8Array): Address {
    const text = new Uint8Array(ptx.length + 1);
    text.set(ptx);
    const log = new Uint8Array(logBytes);
    const options = Int32Array.of(jitErrorLog, jitErrorLogBytes);
    const values = BigUint64Array.of(this.#koffi.address(log), BigInt(log.length));
    this.#out[0] = 0n;
    const code = this.#calls.cuModuleLoadDataEx(this.#out, text, options.length, options, values) as number;
    if (code === cudaCode.success) return this.#out[0];
    const said = new TextDecoder().decode(log.subarray(0, Math.max(0, log.indexOf(0)))).trim();
    throw this.#failure('cuModuleLoadDataEx', code, said === '' ? '' : `: ${said}`);
  }
  unloadModule(module: Address): void {
    this.#call('cuModuleUnload', module);
  }
  /** Undefined for a kernel that the module has not. */
  functionOf(module: Address, name: string): Address | undefined {
    try {
      return this.#make('cuModuleGetFunction', module, name);
    } catch (error) {
      if (error instanceof CudaFailure && error.code === cudaCode.notFound) return undefined;
      throw error;
    }
  }
  /** `blocks` of `threads` each, in one dimension. `extra` is where a list of launch parameters lies (launch-buffer.ts). */
  launch(kernel: Address, blocks: number, threads: number, stream: Address, extra: Address): void {
    this.#call('cuLaunchKernel', kernel, blocks, 1, 1, threads, 1, 1, 0, stream, null, extra);
  }
  addressOf(array: ArrayBufferView): Address {
    return this.#koffi.address(array);
  }

  /** What a stream is given from now on is noted and not done. Only unsafe calls of this thread are refused meanwhile. */
  beginCapture(stream: Address): void {
    this.#call('cuStreamBeginCapture_v2', stream, captureThreadLocal);
  }
  endCapture(stream: Address): Address {
    this.#out[0] = 0n;
    this.#call('cuStreamEndCapture', stream, this.#out);
    return this.#out[0];
  }
  instantiate(graph: Address): Address {
    return this.#make('cuGraphInstantiateWithFlags', graph, 0);
  }
  launchGraph(executable: Address, stream: Address): void {
    this.#call('cuGraphLaunch', executable, stream);
  }
  destroyGraph(graph: Address): void {
    this.#call('cuGraphDestroy', graph);
  }
  destroyExecutable(executable: Address): void {
    this.#call('cuGraphExecDestroy', executable);
  }
}

export function noDevice(): AtpcError {
  return new AtpcError('ATPC-501', 'The CUDA driver finds no device.', {
    hint: 'Look at the environment variable CUDA_VISIBLE_DEVICES, or load with another backend.',
  });
}
