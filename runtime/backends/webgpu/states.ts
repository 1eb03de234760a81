import { AtpcError } from '../../errors.ts';
import { hasState, type Program } from '../../format/program.ts';
import { StateLost } from '../executor.ts';
import type { DeviceBuffers } from './device-buffers.ts';
import { storageUsage } from './usage.ts';

// Of all devices of the thread: the number of a state that was lost is never that of another.
let nextState = 0;

/** The states of sessions: a buffer for each slot, all zero at first. */
export class DeviceStates {
  readonly #buffers: DeviceBuffers;
  readonly #slots: readonly number[];
  readonly #sizes: readonly number[];
  readonly #hasState: boolean;
  readonly #states = new Map<number, ReadonlyMap<number, GPUBuffer>>();

  constructor(program: Program, buffers: DeviceBuffers) {
    const slots = (program.slots ?? []).flatMap((slot, index) => (slot.class === 'state' ? [{ index, slot }] : []));
    this.#buffers = buffers;
    this.#slots = slots.map(({ index }) => index);
    this.#sizes = slots.map(({ slot }) => Number(slot.bytes));
    this.#hasState = hasState(program);
  }

  async open(): Promise<number> {
    if (!this.#hasState) throw new AtpcError('ATPC-605', 'The model keeps nothing between calls.');
    const made = await this.#buffers.allocate('the state of one more session', this.#sizes, storageUsage);
    const state = nextState++;
    this.#states.set(state, new Map(this.#slots.map((slot, index) => [slot, made[index] as GPUBuffer])));
    return state;
  }
  close(state: number): void {
    for (const buffer of this.#states.get(state)?.values() ?? []) this.#buffers.free(buffer);
    this.#states.delete(state);
  }
  /** The buffers of a state by slot. Throws StateLost where there is none of this number. */
  of(state: number | undefined): ReadonlyMap<number, GPUBuffer> {
    const buffers = state === undefined ? undefined : this.#states.get(state);
    if (buffers) return buffers;
    throw new StateLost(`There is no open state ${String(state)}.`);
  }
  clear(): void {
    this.#states.clear();
  }
}
