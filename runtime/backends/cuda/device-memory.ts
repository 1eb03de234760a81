import { AtpcError } from '../../errors.ts';
import { ignoringFailures } from './context.ts';
import type { Address, CudaDriver } from './driver.ts';
import { cudaCode, CudaFailure, memoryHint } from './failure.ts';

/** Parts of an allocation begin at multiples of this, as allocations do (CUDA C++ Programming Guide, "Device memory accesses"). */
export const alignment = 256;
export const alignPart = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** Allocations of one executor, and how many bytes they are. */
export class DeviceMemory {
  readonly #driver: CudaDriver;
  readonly #allocations = new Map<Address, number>();
  #bytes = 0;
  #peakBytes = 0;

  constructor(driver: CudaDriver) {
    this.#driver = driver;
  }
  get bytes(): number {
    return this.#bytes;
  }
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Throws ATPC-502 where there is no memory, with the bytes that were asked for and those that are free. */
  allocate(what: string, bytes: number, hint: () => string = () => memoryHint): Address {
    const size = Math.max(alignment, alignPart(bytes));
    let address: Address;
    try {
      address = this.#driver.allocate(size);
    } catch (error) {
      if (!(error instanceof CudaFailure) || error.code !== cudaCode.outOfMemory) throw error;
      const { free, total } = this.#driver.memory();
      throw new AtpcError(
        'ATPC-502',
        `The device has no memory for ${what}, which takes ${size} bytes: ${free} of its ${total} bytes are free.`,
        { hint: hint(), cause: error },
      );
    }
    this.#allocations.set(address, size);
    this.#bytes += size;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
    return address;
  }
  free(address: Address): void {
    const bytes = this.#allocations.get(address);
    if (bytes === undefined) return;
    this.#allocations.delete(address);
    this.#bytes -= bytes;
    ignoringFailures(() => this.#driver.free(address));
  }
  freeAll(): void {
    for (const address of [...this.#allocations.keys()]) this.free(address);
  }
}
