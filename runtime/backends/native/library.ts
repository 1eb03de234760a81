/**
 * The library of a package's kernels: the one file that binds its functions, whose text is in `compiler/codegen/native/lanes.ts`.
 * Addresses are bigints; sizes and addresses within the memory of a model are numbers.
 */
import { AtpcError } from '../../errors.ts';
import { loadKoffi, type Koffi, type KoffiFunction, type KoffiLibrary } from '../../platform/node/koffi.ts';

/** What the compiler writes as `nativeInterface`. */
const knownInterface = 1;
/** The most arguments of a kernel, as the compiler writes them as `mostArguments`. */
export const mostArguments = 256;

const [address, bytes] = ['uint64', 'int64'] as const;
/** Result and parameters of each function. */
const functions = {
  atpc_interface: ['int32', []],
  atpc_find_kernel: ['int32', ['str']],
  atpc_has_feature: ['int32', ['str']],
  atpc_reserve: [address, [bytes]],
  atpc_release: ['void', [address, bytes]],
  atpc_read_often: ['void', [address, bytes]],
  atpc_clear: ['void', [address, bytes]],
  atpc_gather: [address, ['int32']],
  atpc_disband: ['void', [address]],
  atpc_run: ['int32', [address, address, 'int64', address, bytes, address, 'int32', address, address]],
} as const satisfies Readonly<Record<string, readonly [result: string, parameters: readonly string[]]>>;
type FunctionName = keyof typeof functions;
type Calls = Readonly<Record<FunctionName, KoffiFunction>>;

/** A call of the lanes, as `atpc_run` takes it. */
export interface LaneRun {
  /** From `gather`. */
  readonly team: bigint;
  readonly steps: Float64Array;
  readonly stepCount: number;
  /** Where the memory of the model begins. */
  readonly base: bigint;
  readonly scratchStride: number;
  /** Holds the number of the call to stop. */
  readonly abort: Int32Array;
  readonly call: number;
  readonly rates: Float64Array;
  readonly times: Float64Array | null;
}

export class NativeLibrary {
  readonly #koffi: Koffi;
  readonly #calls: Calls;
  readonly #close: () => void;

  private constructor(koffi: Koffi, calls: Calls, close: () => void) {
    this.#koffi = koffi;
    this.#calls = calls;
    this.#close = close;
  }

  /**
   * Loads the verified bytes of a library, from a file of its own: the system's loader takes a file of a known name for the one that it
   * has loaded already. `name` is for people. Throws ATPC-501 where it cannot be loaded, ATPC-403 for what is no library of kernels.
   */
  static open(bytes: Uint8Array, name: string): NativeLibrary {
    const koffi = loadKoffi('The backend native');
    const { mkdtempSync, rmSync, writeFileSync } = process.getBuiltinModule('node:fs');
    const folder = mkdtempSync(`${process.getBuiltinModule('node:os').tmpdir()}/atpc-native-`);
    const file = `${folder}/kernels`;
    let library: KoffiLibrary;
    let close: () => void;
    try {
      writeFileSync(file, bytes);
      library = koffi.load(file);
      close = keepLoaded(koffi, file);
    } catch (cause) {
      const why = (cause instanceof Error ? cause.message : String(cause)).replaceAll(file, name);
      throw new AtpcError('ATPC-501', `The library ${name} of the package cannot be loaded: ${why}.`, {
        hint: 'Compile the model on this machine, set TMPDIR to a folder that programs may be run from, or load with another backend.',
        cause,
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const calls: Partial<Record<FunctionName, KoffiFunction>> = {};
    for (const [symbol, [result, parameters]] of Object.entries(functions)) {
      try {
        calls[symbol as FunctionName] = library.func(symbol, result, parameters);
      } catch {
        close();
        throw new AtpcError('ATPC-403', `The file ${name} has no function ${symbol}: it is no library of kernels.`);
      }
    }
    const opened = new NativeLibrary(koffi, calls as Calls, close);
    const version = opened.#calls.atpc_interface();
    if (version === knownInterface) return opened;
    close();
    throw new AtpcError('ATPC-403', `The library ${name} has the interface ${String(version)}, not ${knownInterface}.`);
  }

  /** No function may be called any more, and no lane may be left. */
  close(): void {
    this.#close();
  }

  #address(value: unknown): bigint {
    return BigInt(value as number | bigint);
  }
  /** Whether this processor has what a build needs. */
  hasFeature(feature: string): boolean {
    return this.#calls.atpc_has_feature(feature) === 1;
  }
  /** Undefined for a kernel that the library has not. */
  findKernel(name: string): number | undefined {
    const index = this.#calls.atpc_find_kernel(name) as number;
    return index < 0 ? undefined : index;
  }

  /** Memory that is zero and takes none of the machine's before it is written to; undefined where there is none. */
  reserve(size: number): bigint | undefined {
    return this.#address(this.#calls.atpc_reserve(size)) || undefined;
  }
  release(base: bigint, size: number): void {
    this.#calls.atpc_release(base, size);
  }
  /** Says that a range is read all the time; it begins where the memory does. */
  readOften(base: bigint, size: number): void {
    this.#calls.atpc_read_often(base, size);
  }
  /** Makes a range zero, and gives back what it took. */
  clear(at: bigint, size: number): void {
    this.#calls.atpc_clear(at, size);
  }
  /** A range as an ArrayBuffer; it must not be touched after the memory is released. */
  view(at: bigint, size: number): ArrayBuffer {
    return this.#koffi.view(at, size);
  }

  /** So many lanes, of which the thread of a run is the first; undefined where there are no threads. */
  gather(lanes: number): bigint | undefined {
    return this.#address(this.#calls.atpc_gather(lanes)) || undefined;
  }
  /** Ends the lanes, between calls. */
  disband(team: bigint): void {
    this.#calls.atpc_disband(team);
  }
  /** Resolves with whether the dispatches came to their end; the loop of this thread turns meanwhile. */
  run({ team, steps, stepCount, base, scratchStride, abort, call, rates, times }: LaneRun): Promise<boolean> {
    const place = (array: Float64Array | Int32Array | null): bigint => (array === null ? 0n : this.#koffi.address(array));
    const values = [team, place(steps), stepCount, base, scratchStride, place(abort), call, place(rates), place(times)];
    return new Promise((resolve, reject) => {
      this.#calls.atpc_run.async(...values, (error: unknown, result: unknown) => {
        if (error) reject(new Error('koffi does not call the library.', { cause: error }));
        else resolve(result === 0);
      });
    });
  }
}

/** A thread of Node's that ends closes its libraries, and lanes run their code until they are disbanded: so it is opened once more. */
function keepLoaded(koffi: Koffi, file: string): () => void {
  const system = koffi.load(null);
  const { RTLD_NOW } = process.getBuiltinModule('node:os').constants.dlopen;
  const handle = system.func('dlopen', address, ['str', 'int'])(file, RTLD_NOW);
  return () => system.func('dlclose', 'int', [address])(handle);
}
