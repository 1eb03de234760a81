import { AtpcError } from '../../errors.ts';
import type { ManifestTensor } from '../../format/manifest.ts';
import type { WeightPacking } from '../../format/program.ts';

type Storage = ManifestTensor['storage'];
type NumberStorage = Exclude<Storage, 'U8'>;
export const storageBytes: { readonly [K in Storage]: number } = { F32: 4, F16: 2, BF16: 2, U8: 1 };

/** Where a tensor goes, and in which order. */
export interface WeightDestination {
  /** Byte address in the memory. */
  readonly address: number;
  readonly shape: readonly number[];
  readonly packing: WeightPacking;
}

// Elements that are decoded at a time: 256 KiB of f32, which stays in a level-2 cache.
const blockElements = 65536;

/** Takes the bytes of one tensor piece by piece, in any split, and writes its elements into a memory. */
export interface TensorWriter {
  /** Elements that have arrived in the memory. */
  readonly written: number;
  write(bytes: Uint8Array): void;
}

/** Throws ATPC-403 for a packing that the storage does not have. */
export function tensorWriter(
  memory: ArrayBufferLike,
  storage: Storage,
  destinations: readonly WeightDestination[],
): TensorWriter {
  return storage === 'U8' ? new ByteWriter(memory, destinations) : new NumberWriter(memory, storage, destinations);
}

/** Quants of block-quantised weights: bytes as they are, row-major. */
class ByteWriter implements TensorWriter {
  readonly #memory: ArrayBufferLike;
  readonly #destinations: readonly WeightDestination[];
  #written = 0;

  constructor(memory: ArrayBufferLike, destinations: readonly WeightDestination[]) {
    const other = destinations.find(({ packing }) => packing.kind !== 'rows');
    if (other !== undefined)
      throw new AtpcError('ATPC-403', `program.json packs bytes as ${other.packing.kind}, and they can be packed as rows only.`);
    this.#memory = memory;
    this.#destinations = destinations;
  }
  get written(): number {
    return this.#written;
  }

  write(bytes: Uint8Array): void {
    for (const { address } of this.#destinations) new Uint8Array(this.#memory, address + this.#written, bytes.length).set(bytes);
    this.#written += bytes.length;
  }
}

/**
 * Numbers become f32, in the layout of each destination. Nothing but one block is held besides. The memory has to be zero
 * where a last panel is padded.
 */
class NumberWriter implements TensorWriter {
  readonly #memory: ArrayBufferLike;
  readonly #destinations: readonly WeightDestination[];
  readonly #width: number;
  readonly #decode: Decoder;
  readonly #staging = new Uint8Array(blockElements * 4);
  #staged = 0;
  #written = 0;

  constructor(memory: ArrayBufferLike, storage: NumberStorage, destinations: readonly WeightDestination[]) {
    this.#memory = memory;
    this.#destinations = destinations;
    this.#width = storageBytes[storage];
    this.#decode = decoders[storage]();
  }
  get written(): number {
    return this.#written;
  }

  write(bytes: Uint8Array): void {
    const capacity = blockElements * this.#width;
    for (let at = 0; at < bytes.length;) {
      // Elements may straddle two pieces and need not be aligned in the file; in the staging block they are.
      const take = Math.min(bytes.length - at, capacity - this.#staged);
      this.#staging.set(bytes.subarray(at, at + take), this.#staged);
      this.#staged += take;
      at += take;
      if (this.#staged === capacity) this.#flush();
    }
    this.#flush();
  }

  #flush(): void {
    const count = Math.floor(this.#staged / this.#width);
    if (count === 0) return;
    const values = this.#decode(this.#staging.buffer, count);
    for (const destination of this.#destinations) {
      if (destination.packing.kind === 'rows') {
        new Float32Array(this.#memory, destination.address + this.#written * 4, count).set(values);
      } else {
        this.#writePanels(destination, destination.packing.width, values);
      }
    }
    this.#written += count;
    const used = count * this.#width;
    this.#staging.copyWithin(0, used, this.#staged);
    this.#staged -= used;
  }

  /** Element (n, k) of [N, K] goes to [floor(n / width)][k][n % width]. */
  #writePanels(destination: WeightDestination, width: number, values: Float32Array): void {
    const [rows = 1, ...rest] = destination.shape;
    const columns = rest.reduce((product, size) => product * size, 1);
    const target = new Float32Array(this.#memory, destination.address, Math.ceil(rows / width) * columns * width);
    for (let at = 0; at < values.length;) {
      const row = Math.floor((this.#written + at) / columns);
      const column = (this.#written + at) % columns;
      const stop = Math.min(values.length, at + columns - column);
      let to = (Math.floor(row / width) * columns + column) * width + (row % width);
      for (; at < stop; at++, to += width) target[to] = values[at] as number;
    }
  }
}

/** Reads `count` elements from the start of a buffer; the result is good until the next call. */
type Decoder = (bytes: ArrayBuffer, count: number) => Float32Array;
const decoders: { readonly [K in NumberStorage]: () => Decoder } = {
  F32: () => (bytes, count) => new Float32Array(bytes, 0, count),
  F16: () => {
    const values = new Float32Array(blockElements);
    const table = halfTable();
    return (bytes, count) => {
      const halves = new Uint16Array(bytes, 0, count);
      for (let at = 0; at < count; at++) values[at] = table[halves[at] as number] as number;
      return values.subarray(0, count);
    };
  },
  BF16: () => {
    const words = new Uint32Array(blockElements);
    const values = new Float32Array(words.buffer);
    return (bytes, count) => {
      // bfloat16 is the upper half of a float32.
      const halves = new Uint16Array(bytes, 0, count);
      for (let at = 0; at < count; at++) words[at] = (halves[at] as number) << 16;
      return values.subarray(0, count);
    };
  },
};

let halves: Float32Array | undefined;
/** The value of every binary16 number (IEEE 754-2019, 3.4). */
function halfTable(): Float32Array {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const magnitude =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent < 31
          ? (1 + fraction / 1024) * 2 ** (exponent - 15)
          : fraction === 0
            ? Infinity
            : NaN;
    halves[bits] = bits & 0x8000 ? -magnitude : magnitude;
  }
  return halves;
}
