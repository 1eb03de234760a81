import type { ManifestTensor } from '../format/manifest.ts';

export type Storage = ManifestTensor['storage'];
export type NumberStorage = Exclude<Storage, 'U8'>;
export const storageBytes: { readonly [K in Storage]: number } = { F32: 4, F16: 2, BF16: 2, U8: 1 };

/** Elements that are decoded at a time: 256 KiB of f32, which stays in a level-2 cache. */
export const blockElements = 65536;

/** Takes the bytes of one tensor piece by piece, in any split, and writes its elements where they belong. */
export interface TensorWriter {
  /** Elements that have arrived. */
  readonly written: number;
  write(bytes: Uint8Array): void;
}

/** Reads `count` elements from the start of a buffer; the result is good until the next call. */
export type Decoder = (bytes: ArrayBuffer, count: number) => Float32Array;
export const decoders: { readonly [K in NumberStorage]: () => Decoder } = {
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
