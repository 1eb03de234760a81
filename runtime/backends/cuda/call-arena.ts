import type { Program } from '../../format/program.ts';
import type { Dims } from '../../inputs.ts';
import { slotBytes, sumOf } from '../slot-bytes.ts';
import { alignPart, type DeviceMemory } from './device-memory.ts';
import type { Address } from './driver.ts';

/** The memory of calls, one after the other, in one allocation: sizes of dispatches, then every slot but those of states. */
export class CallArena {
  readonly #program: Program;
  readonly #memory: DeviceMemory;
  #address: Address | undefined;
  #sizesBytes = 0;
  /** Bytes that each slot has; of states, none. */
  #slotBytes: readonly number[];
  #offsets: readonly number[] = [];

  constructor(program: Program, memory: DeviceMemory) {
    this.#program = program;
    this.#memory = memory;
    this.#slotBytes = (program.slots ?? []).map(() => 0);
  }

  /**
   * Makes room for calls of these dims; returns whether everything lies elsewhere now, and what it held is gone. Throws ATPC-502 where there is
   * no memory; `hint` says what to do then.
   */
  reserve(dims: Dims, sizesBytes: number, hint?: () => string): boolean {
    const { slots = [] } = this.#program;
    const wanted = slotBytes(this.#program, dims).map((bytes, index) => (slots[index]?.class === 'state' ? 0 : alignPart(bytes)));
    const fits = sizesBytes <= this.#sizesBytes && wanted.every((bytes, index) => bytes <= (this.#slotBytes[index] ?? 0));
    if (fits && this.#address !== undefined) return false;
    // The old one goes first, so that both never lie side by side.
    if (this.#address !== undefined) this.#memory.free(this.#address);
    this.#address = undefined;
    const sizes = alignPart(Math.max(sizesBytes, this.#sizesBytes));
    this.#slotBytes = this.#slotBytes.map((bytes, index) => Math.max(bytes, wanted[index] ?? 0));
    try {
      this.#address = this.#memory.allocate('inputs, outputs and workspace', sizes + sumOf(this.#slotBytes), hint);
    } catch (error) {
      // A smaller call may fit.
      this.#slotBytes = slots.map(() => 0);
      this.#sizesBytes = 0;
      throw error;
    }
    this.#sizesBytes = sizes;
    let at = sizes;
    this.#offsets = this.#slotBytes.map((bytes) => {
      at += bytes;
      return at - bytes;
    });
    return true;
  }
  /** Where the sizes begin. */
  get sizes(): Address {
    return this.#address ?? 0n;
  }
  slot(index: number): Address {
    return this.sizes + BigInt(this.#offsets[index] ?? 0);
  }
}
