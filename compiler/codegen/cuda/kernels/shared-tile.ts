/** A tile of rows that are rounded to 16 bits on their way from global memory, in shared memory as ldmatrix reads it. */
import type { KernelBuilder } from '../../clike/kernel-builder.ts';
import { rowVector, type Rows } from '../../clike/rows.ts';
import type { Multiply } from './tensor-layout.ts';

/** 16-bit numbers of a chunk: 16 bytes, a row of one 8 x 8 matrix of ldmatrix. */
const chunkSize = 8;
/** Chunks that all banks of shared memory hold side by side: 32 banks of 4 bytes. */
const bankChunks = 8;

/** vec4s that a thread has on their way from global to shared memory, where a tile does not wait in registers as a whole. */
const slotsTogether = 8;

/** A loop that the compiler unrolls, so that what it indexes stays in registers. */
export function unrolled(k: KernelBuilder, wanted: string, count: number, body: (index: string) => void): void {
  k.line('#pragma unroll');
  k.for(wanted, '0', k.i32(count), '1', body);
}

export interface TileSettings {
  readonly rows: number;
  /** Columns of a row, and as many as they are filled up to with zeros: a multiple of 16. */
  readonly size: number;
  readonly padded: number;
  readonly multiply: Multiply;
  /** Whether `load` is used, and not only `copy`. */
  readonly isAhead: boolean;
}

/**
 * Chunk c of row r lies at r * chunks + (c ^ s(r)): s is such that the same chunk of eight rows in a row, which ldmatrix reads at once
 * (PTX ISA, section 9.7.15.5.15), is in all banks.
 */
export class SharedTile {
  readonly name: string;
  readonly #k: KernelBuilder;
  readonly #settings: TileSettings;
  readonly #chunks: number;
  /** Rows that lie side by side in the banks, and how many sets of them there are. */
  readonly #period: number;
  readonly #sets: number;
  /** vec4s that a thread has of the next tile. */
  readonly #slots: number;
  /** Of those, how many `copy` moves at once: a divisor. */
  readonly #together: number;
  readonly #loaded: string;

  constructor(k: KernelBuilder, wanted: string, settings: TileSettings) {
    const { rows, padded } = settings;
    this.#k = k;
    this.#settings = settings;
    this.#chunks = padded / chunkSize;
    this.#sets = greatestDivisor(this.#chunks, bankChunks);
    this.#period = bankChunks / this.#sets;
    this.#slots = (rows * padded) / 4 / k.workgroupSize;
    if (!Number.isInteger(this.#slots))
      throw new RangeError(`${rows} rows of ${padded} do not share out ${k.workgroupSize} threads.`);
    this.#together = greatestDivisor(this.#slots, slotsTogether);
    this.name = k.shared(`${wanted}_tile`, 'vec4<u32>', rows * this.#chunks);
    this.#loaded = k.array(`${wanted}_parts`, 'vec4<f32>', settings.isAhead ? this.#slots : this.#together);
  }

  /** Loads rows, as `load` does, and writes them to shared memory, so many at once that they stay in few registers. */
  copy(rows: Rows, start: (number: string) => string): void {
    const k = this.#k;
    const together = this.#together;
    k.unrollAtMost(1);
    k.for('first_slot', '0', k.i32(this.#slots), k.i32(together), (first) => {
      this.#load(rows, start, first, together);
      this.#store(first, together);
    });
  }
  /** Begins to load rows into registers: row `number` begins at the element `start(number)`. */
  load(rows: Rows, start: (number: string) => string): void {
    this.#load(rows, start, '0', this.#slots);
  }
  /** Writes what was loaded to shared memory, rounded to nearest even. Barriers before and after are the caller's. */
  store(): void {
    this.#store('0', this.#slots);
  }

  #load(rows: Rows, start: (number: string) => string, first: string, slots: number): void {
    const k = this.#k;
    const { size, padded } = this.#settings;
    this.#visit(first, slots, (slot, row, part) => {
      const from = k.let('from', 'i32', start(row));
      k.assign(`${this.#loaded}[${slot}]`, rowVector(k, rows, from, `${part} * 4`, size === padded));
    });
  }
  #store(first: string, slots: number): void {
    const k = this.#k;
    this.#visit(first, slots, (slot, row, part) => {
      const chunk = k.let('chunk', 'i32', this.place(row, `${part} / 2`, `${row} & 7`));
      const own = `${this.#loaded}[${slot}]`;
      [0, 1].forEach((half) => {
        const packed = `pack_${this.#settings.multiply}(${k.lane(own, 2 * half)}, ${k.lane(own, 2 * half + 1)})`;
        k.assign(k.lane(`${this.name}[${chunk}]`, `(${part} & 1) * 2 + ${half}`), packed);
      });
    });
  }
  /** Goes over `slots` of the thread's vec4s, from `first` on: each with its row and its part of the row. */
  #visit(first: string, slots: number, body: (slot: string, row: string, part: string) => void): void {
    const k = this.#k;
    const parts = this.#settings.padded / 4;
    const beside = k.workgroupSize / parts;
    const isEven = Number.isInteger(beside);
    const [firstRow, ownPart] = isEven
      ? [k.let('first_row', 'i32', `${k.thread} / ${parts}`), k.let('part', 'i32', `${k.thread} % ${parts}`)]
      : ['', ''];
    unrolled(k, 'slot', slots, (slot) => {
      const number = first === '0' ? slot : `(${first} + ${slot})`;
      if (isEven) return body(slot, k.let('row', 'i32', `${number} * ${beside} + ${firstRow}`), ownPart);
      const place = k.let('place', 'i32', `${number} * ${k.workgroupSize} + ${k.thread}`);
      body(slot, k.let('row', 'i32', `${place} / ${parts}`), k.let('part', 'i32', `${place} % ${parts}`));
    });
  }

  /** Number of a chunk of a row, whose number modulo 8 is `low`. */
  place(row: string, chunk: string, low: string): string {
    return `(${row}) * ${this.#chunks} + ((${chunk}) ^ (${this.swizzle(low)}))`;
  }
  swizzle(low: string): string {
    return this.#period === 1 ? low : `((${low}) / ${this.#period}) & ${this.#sets - 1}`;
  }
}
function greatestDivisor(value: number, limit: number): number {
  let divisor = limit;
  while (value % divisor !== 0) divisor /= 2;
  return divisor;
}
