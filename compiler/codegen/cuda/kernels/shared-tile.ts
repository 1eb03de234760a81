/** A tile of rows that are rounded to 16 bits on their way from global memory, in shared memory as ldmatrix reads it. */
import type { KernelBuilder } from '../../clike/kernel-builder.ts';
import { rowVector, type Rows } from '../../clike/rows.ts';
import type { Multiply } from './tensor-layout.ts';

/** 16-bit numbers of a chunk: 16 bytes, a row of one 8 x 8 matrix of ldmatrix. */
const chunkSize = 8;
/** Chunks that all banks of shared memory hold side by side: 32 banks of 4 bytes. */
const bankChunks = 8;

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
    this.name = k.shared(`${wanted}_tile`, 'vec4<u32>', rows * this.#chunks);
    this.#loaded = k.array(`${wanted}_parts`, 'vec4<f32>', this.#slots);
  }

  /** Begins to load rows into registers: row `number` begins at the element `start(number)`. */
  load(rows: Rows, start: (number: string) => string): void {
    const k = this.#k;
    const { size, padded } = this.#settings;
    this.#visit((slot, row, part) => {
      const from = k.let('from', 'i32', start(row));
      k.assign(`${this.#loaded}[${slot}]`, rowVector(k, rows, from, `${part} * 4`, size === padded));
    });
  }
  /** Writes what was loaded to shared memory, rounded to nearest even. Barriers before and after are the caller's. */
  store(): void {
    const k = this.#k;
    this.#visit((slot, row, part) => {
      const chunk = k.let('chunk', 'i32', this.place(row, `${part} / 2`, `${row} & 7`));
      const own = `${this.#loaded}[${slot}]`;
      [0, 1].forEach((half) => {
        const packed = `pack_${this.#settings.multiply}(${k.lane(own, 2 * half)}, ${k.lane(own, 2 * half + 1)})`;
        k.assign(k.lane(`${this.name}[${chunk}]`, `(${part} & 1) * 2 + ${half}`), packed);
      });
    });
  }
  #visit(body: (slot: string, row: string, part: string) => void): void {
    const k = this.#k;
    const parts = this.#settings.padded / 4;
    unrolled(k, 'slot', this.#slots, (slot) => {
      const place = k.let('place', 'i32', `${slot} * ${k.workgroupSize} + ${k.thread}`);
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
