import { ignoringFailures } from './context.ts';
import type { Address, CudaDriver, HostMemory } from './driver.ts';
import { eventDone } from './event-wait.ts';
import { allocateHost } from './host-memory.ts';

const pieceBytes = 4 * 2 ** 20;
interface Piece {
  readonly memory: HostMemory;
  /** Done when the device has read it. */
  readonly event: Address;
}
/** Much data on its way to the device: one piece is filled while the device reads the other. */
export class Uploads {
  readonly #driver: CudaDriver;
  readonly #stream: Address;
  #pieces: readonly Piece[] = [];
  #next = 0;

  constructor(driver: CudaDriver, stream: Address) {
    this.#driver = driver;
    this.#stream = stream;
  }

  /** Waits, for as long as the device takes to read a piece at most, where both are on their way. */
  write(to: Address, bytes: Uint8Array): void {
    if (this.#pieces.length === 0) this.#allocate();
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const { memory, event } = this.#pieces[this.#next] as Piece;
      this.#next = 1 - this.#next;
      while (!this.#driver.isDone(event));
      const part = bytes.subarray(at, at + pieceBytes);
      new Uint8Array(memory.bytes).set(part);
      this.#driver.copyToDevice(to + BigInt(at), memory.address, part.length, this.#stream);
      this.#driver.record(event, this.#stream);
    }
  }
  #allocate(): void {
    const pieces: Piece[] = [];
    this.#pieces = pieces;
    for (let count = 0; count < 2; count++) {
      const memory = allocateHost(this.#driver, pieceBytes);
      pieces.push({ memory, event: this.#driver.createEvent(false) });
    }
  }
  /** Resolves when all has arrived. */
  async flush(): Promise<void> {
    for (const { event } of this.#pieces) await eventDone(this.#driver, event);
  }
  /** After `flush`; what is written later allocates again. */
  dispose(): void {
    for (const { memory, event } of this.#pieces) {
      ignoringFailures(() => this.#driver.freeHost(memory));
      ignoringFailures(() => this.#driver.destroyEvent(event));
    }
    this.#pieces = [];
  }
}
