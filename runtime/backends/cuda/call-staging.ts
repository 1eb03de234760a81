import { ignoringFailures } from './context.ts';
import type { Address, CudaDriver, HostMemory } from './driver.ts';
import { allocateHost } from './host-memory.ts';

/** What goes to the device and comes back during a call, in page-locked memory whose place stays the same from call to call. */
export class CallStaging {
  readonly #driver: CudaDriver;
  #memory: HostMemory | undefined;

  constructor(driver: CudaDriver) {
    this.#driver = driver;
  }
  /** Makes it at least so large; returns whether it lies elsewhere now. What it held is gone then. */
  reserve(bytes: number): boolean {
    if (bytes <= this.bytes.byteLength) return false;
    this.dispose();
    // By powers of two: a batch that grows does not move it each time.
    this.#memory = allocateHost(this.#driver, 2 ** Math.max(12, Math.ceil(Math.log2(bytes))));
    return true;
  }
  get bytes(): ArrayBuffer {
    return this.#memory?.bytes ?? new ArrayBuffer(0);
  }
  addressAt(offset: number): Address {
    return (this.#memory?.address ?? 0n) + BigInt(offset);
  }
  dispose(): void {
    const memory = this.#memory;
    this.#memory = undefined;
    if (memory) ignoringFailures(() => this.#driver.freeHost(memory));
  }
}
