import { AtpcError } from '../../errors.ts';
import { align, type MemoryLimit } from './layout.ts';

/**
 * Where the states of sessions lie: one behind the other after the memory that calls share. A slot that was closed is the next to
 * be opened.
 */
export class StateSlots {
  readonly #limit: MemoryLimit;
  readonly #base: number;
  readonly #stride: number;
  readonly #free: number[] = [];
  readonly #open = new Set<number>();
  #count = 0;
  readonly bytes: number;

  /** `begin` is where the shared memory ends. */
  constructor(limit: MemoryLimit, begin: number, bytes: number) {
    this.#limit = limit;
    this.#base = align(begin);
    this.#stride = align(bytes);
    this.bytes = bytes;
  }

  /** Throws ATPC-502 where the slot would lie beyond the limit. */
  open(): number {
    const slot = this.#free.pop() ?? this.#count;
    const end = this.#endOf(slot);
    const { bytes, owner } = this.#limit;
    if (end > bytes) {
      throw new AtpcError(
        'ATPC-502',
        `There is no memory for one more session, whose state takes ${this.bytes} bytes: the model and ${this.#open.size} sessions take ${this.#endOf(slot - 1)} of the ${bytes} bytes of ${owner}.`,
        { hint: 'Dispose of sessions that are no longer used.' },
      );
    }
    this.#count = Math.max(this.#count, slot + 1);
    this.#open.add(slot);
    return slot;
  }
  close(slot: number): void {
    if (this.#open.delete(slot)) this.#free.push(slot);
  }

  /** Throws RangeError for a slot that is not open. */
  addressOf(slot: number | undefined): number {
    if (slot === undefined || !this.#open.has(slot)) throw new RangeError(`There is no open state ${String(slot)}.`);
    return this.#addressOf(slot);
  }
  #addressOf(slot: number): number {
    return this.#base + slot * this.#stride;
  }
  #endOf(slot: number): number {
    return this.#addressOf(slot) + this.bytes;
  }
  /** Where the last slot ends that was ever opened. */
  get end(): number {
    return this.#endOf(this.#count - 1);
  }
}
