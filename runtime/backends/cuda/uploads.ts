import { ignoringFailures } from './context.ts';
import type { Address, CudaDriver, HostMemory } from './driver.ts';
import { eventDone } from './event-wait.ts';
import { allocateHost } from './host-memory.ts';

const pieceBytes = 4 * 2 ** 20;
/** Much data on its way to the device: one piece is filled while the device reads the other. */
export class Uploads {
  readonly #driver: CudaDriver;
  readonly #stream: Address;
  /** The pieces, and the events that are done when the device has read them. */
  readonly #pieces: HostMemory[] = [];
  readonly #events: Address[] = [];
  #next = 0;

  constructor(driver: CudaDriver, stream: Address) {
    this.#driver = driver;
    this.#stream = stream;
  }

  /** Waits, for as long as the device takes to read a piece at most, where both are on their way. */
  write(to: Address, bytes: Uint8Array): void {
    while (this.#pieces.length < 2) this.#pieces.push(allocateHost(this.#driver, pieceBytes));
    while (this.#events.length < 2) this.#events.push(this.#driver.createEvent(false));
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const [memory, event] = [this.#pieces[this.#next] as HostMemory, this.#events[this.#next] as Address];
      this.#next = 1 - this.#next;
      while (!this.#driver.isDone(event));
      const part = bytes.subarray(at, at + pieceBytes);
      new Uint8Array(memory.bytes).set(part);
      this.#driver.copyToDevice(to + BigInt(at), memory.address, part.length, this.#stream);
      this.#driver.record(event, this.#stream);
    }
  }
  /** Resolves when all has arrived. */
  async flush(): Promise<void> {
    for (const event of this.#events) await eventDone(this.#driver, event);
  }
  /** After `flush`; what is written later allocates again. */
  dispose(): void {
    for (const memory of this.#pieces.splice(0)) ignoringFailures(() => this.#driver.freeHost(memory));
    for (const event of this.#events.splice(0)) ignoringFailures(() => this.#driver.destroyEvent(event));
  }
}
