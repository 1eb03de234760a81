import { AtpcError } from '../../errors.ts';
import { hasState, type Program } from '../../format/program.ts';
import { StateLost } from '../executor.ts';
import { alignPart, type DeviceMemory } from './device-memory.ts';
import type { Address } from './driver.ts';

// Of all devices of the thread: the number of a state that was lost is never that of another.
let nextState = 0;

/** The states of sessions: one allocation each, in which slot follows slot. */
export class DeviceStates {
  readonly #memory: DeviceMemory;
  readonly #hasState: boolean;
  /** Bytes from the start of a state, by slot. */
  readonly offsets: ReadonlyMap<number, number>;
  readonly bytes: number;
  readonly #states = new Map<number, Address>();

  constructor(program: Program, memory: DeviceMemory) {
    this.#memory = memory;
    this.#hasState = hasState(program);
    const offsets = new Map<number, number>();
    let bytes = 0;
    for (const [index, slot] of (program.slots ?? []).entries()) {
      if (slot.class !== 'state') continue;
      offsets.set(index, bytes);
      bytes += alignPart(Number(slot.bytes));
    }
    this.offsets = offsets;
    this.bytes = bytes;
  }

  /** Throws ATPC-605 for a program without state, ATPC-502 where there is no memory. The memory holds anything. */
  open(): { readonly state: number; readonly address: Address } {
    if (!this.#hasState) throw new AtpcError('ATPC-605', 'The model keeps nothing between calls.');
    const address = this.#memory.allocate('the state of one more session', this.bytes);
    const state = nextState++;
    this.#states.set(state, address);
    return { state, address };
  }
  close(state: number): void {
    const address = this.#states.get(state);
    if (address !== undefined) this.#memory.free(address);
    this.#states.delete(state);
  }
  /** Where a state begins. Throws StateLost where there is none of this number. */
  addressOf(state: number | undefined): Address {
    const address = state === undefined ? undefined : this.#states.get(state);
    if (address !== undefined) return address;
    throw new StateLost(`There is no open state ${String(state)}.`);
  }
}
