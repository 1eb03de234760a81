import type { Address, CudaDriver } from './driver.ts';

/** CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE, CU_LAUNCH_PARAM_END (CUDA Driver API, cuLaunchKernel). */
const [bufferPointer, bufferSize, end] = [1n, 2n, 0n];
/** A kernel has the sizes, its bindings and a scratch; PTX takes at least 4 KiB of parameters. */
const mostPointers = 64;

/** The parameters of a launch, packed: pointers alone, of eight bytes each. The driver copies them during the call. */
export class LaunchBuffer {
  readonly #pointers = new BigUint64Array(new ArrayBuffer(8 * mostPointers));
  readonly #bytes = new BigUint64Array(new ArrayBuffer(8));
  readonly #extra: BigUint64Array;
  /** Where the list lies that cuLaunchKernel takes as `extra`. */
  readonly extra: Address;

  constructor(driver: CudaDriver) {
    const [pointers, bytes] = [driver.addressOf(this.#pointers), driver.addressOf(this.#bytes)];
    this.#extra = new BigUint64Array(new ArrayBuffer(40));
    this.#extra.set([bufferPointer, pointers, bufferSize, bytes, end]);
    this.extra = driver.addressOf(this.#extra);
  }
  /** The sizes, then the bindings in the order of their kernel. */
  fill(sizes: Address, bindings: BigUint64Array): void {
    this.#pointers[0] = sizes;
    this.#pointers.set(bindings, 1);
    this.#bytes[0] = BigInt(8 * (bindings.length + 1));
  }
}
