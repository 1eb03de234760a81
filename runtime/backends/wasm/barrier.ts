import type { LanePlace } from '../one-memory/plan.ts';

// Words of the block that the lanes share, in cache lines of their own.
const startWord = 0;
const arrivedWord = 16;
const phaseWord = 32;
const stopWord = 17;
const callWord = 48;
const entryWord = 49;
const stateWord = 50;
const dimsWord = 51;
// Looking this often takes some ten microseconds, about as long as it takes to be woken from Atomics.wait. Lanes get to a
// barrier at nearly the same time, unless the machine has fewer free processors than lanes.
const looks = 4000;

export function createControlBlock(dims: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4 * (dimsWord + dims)));
}

/** What the lanes have to know of a call. */
export interface LaneCall {
  readonly call: number;
  /** Index into `entryPointNames`. */
  readonly entry: number;
  /** Where the state lies that the call reads and writes; 0 without one. */
  readonly stateAddress: number;
  /** Values of the program's dims, in its order. */
  readonly dims: readonly number[];
}

/**
 * Starts and barriers of the lanes that compute a call together, through shared memory alone. All of it blocks: it is for
 * workers, and never for a main thread. A lane that ends without arriving leaves the others waiting, to be terminated.
 */
export class LaneBarrier implements LanePlace {
  readonly lane: number;
  readonly lanes: number;
  readonly #control: Int32Array;
  #started = 0;

  constructor(control: Int32Array, { lane, lanes }: LanePlace) {
    this.lane = lane;
    this.lanes = lanes;
    this.#control = control;
  }

  /** Lane 0 lets the others begin a call. Every call has to have a barrier, at which lane 0 knows that they did. */
  start({ call, entry, stateAddress, dims }: LaneCall): void {
    this.#control[callWord] = call;
    this.#control[entryWord] = entry;
    this.#control[stateWord] = stateAddress;
    this.#control.set(dims, dimsWord);
    this.#started = (this.#started + 1) | 0;
    // Atomic stores order the plain ones before them (ECMAScript, memory model).
    Atomics.store(this.#control, startWord, this.#started);
    Atomics.notify(this.#control, startWord);
  }

  /** The other lanes sleep here until the next call. */
  awaitStart(dims: number): LaneCall {
    const control = this.#control;
    while (Atomics.load(control, startWord) === this.#started) Atomics.wait(control, startWord, this.#started);
    this.#started = Atomics.load(control, startWord);
    return {
      call: control[callWord] as number,
      entry: control[entryWord] as number,
      // Addresses reach up to 4 GiB.
      stateAddress: (control[stateWord] as number) >>> 0,
      dims: [...control.subarray(dimsWord, dimsWord + dims)],
    };
  }

  /**
   * Waits for all lanes; returns whether to go on, which they do unless one of them wants to stop. The answer is part of the
   * word that the lanes wait for: the phase in steps of 2, plus 1 to stop. So all lanes take the same way, and none can see
   * the answer of a later barrier, which needs its own arrival.
   */
  arrive(wantsToStop: boolean): boolean {
    const control = this.#control;
    const phase = Atomics.load(control, phaseWord);
    if (wantsToStop) Atomics.store(control, stopWord, 1);
    if (Atomics.add(control, arrivedWord, 1) === this.lanes - 1) {
      const stop = Atomics.exchange(control, stopWord, 0) === 1;
      Atomics.store(control, arrivedWord, 0);
      Atomics.store(control, phaseWord, ((phase & ~1) + 2) | (stop ? 1 : 0));
      Atomics.notify(control, phaseWord);
      return !stop;
    }
    for (let look = 0; look < looks; look++) {
      const current = Atomics.load(control, phaseWord);
      if (current !== phase) return (current & 1) === 0;
    }
    for (;;) {
      Atomics.wait(control, phaseWord, phase);
      const current = Atomics.load(control, phaseWord);
      if (current !== phase) return (current & 1) === 0;
    }
  }
}
