/**
 * The element types of GGUF tensors, and how blocks of each are one block format of ours (compiler/weights/block-format.ts),
 * exactly. Layouts: ggml-common.h of https://github.com/ggml-org/ggml; values are checked against gguf-py's
 * (test/null/import-gguf-types.test.ts).
 */
import type { BlockFormat, BlockMatrix } from '../weights/block-format.ts';
import { quantBytes } from '../weights/block-matrix.ts';
import { float16Values } from '../weights/float16.ts';

export type PlainStorage = 'F32' | 'F16' | 'BF16';
interface PlainType {
  readonly name: PlainStorage;
  readonly kind: 'plain';
  readonly elements: 1;
  readonly bytes: 2 | 4;
}
export interface QuantisedType {
  readonly name: string;
  readonly kind: 'quantised';
  /** Elements and bytes of a block of the file, which may be several of our blocks. */
  readonly elements: 32 | 256;
  readonly bytes: number;
  readonly format: BlockFormat;
  /** What holds scales and minima exactly: products of a half and a small integer need more than a half. */
  readonly scales: 'F16' | 'F32';
  /** Writes one block of the file: its bytes begin at `from`, its first element is element `at` of the matrix. */
  readonly unpack: (bytes: DataView, from: number, to: BlockTarget, at: number) => void;
}
export type GgufType = PlainType | QuantisedType;

export interface BlockTarget {
  readonly quants: Uint8Array;
  readonly scales: Float32Array;
  readonly minima: Float32Array;
}

const half = (bytes: DataView, at: number): number => float16Values()[bytes.getUint16(at, true)] as number;
const nibble = (byte: number, high: boolean): number => (high ? byte >> 4 : byte & 15);

/** Element of a run of 16 bytes that hold 32 nibbles, the low ones first: Q4_0 to Q5_1, and our own 4-bit blocks. */
const halvedNibble = (bytes: DataView, from: number, element: number): number =>
  nibble(bytes.getUint8(from + (element % 16)), element >= 16);

/** Scale and minimum of sub-block `index` of the 12 bytes that Q4_K and Q5_K pack eight 6-bit pairs into. */
function packedPair(bytes: DataView, from: number, index: number): readonly [scale: number, minimum: number] {
  const byte = (at: number): number => bytes.getUint8(from + at);
  if (index < 4) return [byte(index) & 63, byte(index + 4) & 63];
  return [(byte(index + 4) & 15) | ((byte(index - 4) >> 6) << 4), (byte(index + 4) >> 4) | ((byte(index) >> 6) << 4)];
}

const q4: BlockFormat = { bits: 4, block: 32, signed: false, minima: true };
const signedQ8: BlockFormat = { bits: 8, block: 32, signed: true, minima: false };
const unsignedQ8: BlockFormat = { bits: 8, block: 32, signed: false, minima: true };

function copyNibbles(bytes: DataView, from: number, { quants }: BlockTarget, at: number): void {
  for (let j = 0; j < 16; j += 1) quants[at / 2 + j] = bytes.getUint8(from + j);
}

/** Q4_K and Q5_K: eight sub-blocks of 32; `quant` gives an element of a sub-block. */
function unpackPairs(
  bytes: DataView,
  from: number,
  { scales, minima }: BlockTarget,
  at: number,
  write: (subBlock: number) => void,
): void {
  const scale = half(bytes, from);
  const minimum = half(bytes, from + 2);
  for (let s = 0; s < 8; s += 1) {
    const [scaleFactor, minimumFactor] = packedPair(bytes, from + 4, s);
    scales[at / 32 + s] = scale * scaleFactor;
    minima[at / 32 + s] = -(minimum * minimumFactor);
    write(s);
  }
}

const quantised: readonly (readonly [id: number, type: Omit<QuantisedType, 'kind'>])[] = [
  [
    2,
    {
      name: 'Q4_0',
      elements: 32,
      bytes: 18,
      format: q4,
      scales: 'F16',
      // (q - 8) d
      unpack: (bytes, from, to, at) => {
        const scale = half(bytes, from);
        to.scales[at / 32] = scale;
        to.minima[at / 32] = -8 * scale;
        copyNibbles(bytes, from + 2, to, at);
      },
    },
  ],
  [
    3,
    {
      name: 'Q4_1',
      elements: 32,
      bytes: 20,
      format: q4,
      scales: 'F16',
      unpack: (bytes, from, to, at) => {
        to.scales[at / 32] = half(bytes, from);
        to.minima[at / 32] = half(bytes, from + 2);
        copyNibbles(bytes, from + 4, to, at);
      },
    },
  ],
  [
    6,
    {
      name: 'Q5_0',
      elements: 32,
      bytes: 22,
      format: signedQ8,
      scales: 'F16',
      // (q - 16) d: the offset goes into the quant, so that no minimum is needed.
      unpack: (bytes, from, to, at) => {
        to.scales[at / 32] = half(bytes, from);
        const fifth = bytes.getUint32(from + 2, true);
        for (let j = 0; j < 32; j += 1) to.quants[at + j] = (halvedNibble(bytes, from + 6, j) | (((fifth >>> j) & 1) << 4)) - 16;
      },
    },
  ],
  [
    7,
    {
      name: 'Q5_1',
      elements: 32,
      bytes: 24,
      format: unsignedQ8,
      scales: 'F16',
      unpack: (bytes, from, to, at) => {
        to.scales[at / 32] = half(bytes, from);
        to.minima[at / 32] = half(bytes, from + 2);
        const fifth = bytes.getUint32(from + 4, true);
        for (let j = 0; j < 32; j += 1) to.quants[at + j] = halvedNibble(bytes, from + 8, j) | (((fifth >>> j) & 1) << 4);
      },
    },
  ],
  [
    8,
    {
      name: 'Q8_0',
      elements: 32,
      bytes: 34,
      format: signedQ8,
      scales: 'F16',
      unpack: (bytes, from, to, at) => {
        to.scales[at / 32] = half(bytes, from);
        for (let j = 0; j < 32; j += 1) to.quants[at + j] = bytes.getUint8(from + 2 + j);
      },
    },
  ],
  [
    12,
    {
      name: 'Q4_K',
      elements: 256,
      bytes: 144,
      format: q4,
      scales: 'F32',
      unpack: (bytes, from, to, at) => {
        unpackPairs(bytes, from, to, at, (s) => {
          const run = from + 16 + 32 * (s >> 1);
          const high = s % 2 === 1;
          for (let j = 0; j < 16; j += 1) {
            to.quants[at / 2 + 16 * s + j] =
              nibble(bytes.getUint8(run + j), high) | (nibble(bytes.getUint8(run + 16 + j), high) << 4);
          }
        });
      },
    },
  ],
  [
    13,
    {
      name: 'Q5_K',
      elements: 256,
      bytes: 176,
      format: unsignedQ8,
      scales: 'F32',
      unpack: (bytes, from, to, at) => {
        unpackPairs(bytes, from, to, at, (s) => {
          const run = from + 48 + 32 * (s >> 1);
          for (let j = 0; j < 32; j += 1) {
            const fifth = (bytes.getUint8(from + 16 + j) >> s) & 1;
            to.quants[at + 32 * s + j] = nibble(bytes.getUint8(run + j), s % 2 === 1) | (fifth << 4);
          }
        });
      },
    },
  ],
  [
    14,
    {
      name: 'Q6_K',
      elements: 256,
      bytes: 210,
      format: { bits: 8, block: 16, signed: true, minima: false },
      scales: 'F32',
      // Two halves of 128 elements, each four runs of 32: two in low nibbles, two in high ones, with two more bits elsewhere.
      unpack: (bytes, from, to, at) => {
        const scale = half(bytes, from + 208);
        for (let group = 0; group < 16; group += 1) to.scales[at / 16 + group] = scale * bytes.getInt8(from + 192 + group);
        for (let element = 0; element < 256; element += 1) {
          const second = element >> 7;
          const run = (element >> 5) & 3;
          const j = element & 31;
          const low = nibble(bytes.getUint8(from + 64 * second + 32 * (run & 1) + j), run >= 2);
          const upper = (bytes.getUint8(from + 128 + 32 * second + j) >> (2 * run)) & 3;
          to.quants[at + element] = (low | (upper << 4)) - 32;
        }
      },
    },
  ],
];

/** The types that can be read, by id. */
export const ggufTypes: ReadonlyMap<number, GgufType> = new Map<number, GgufType>([
  [0, { name: 'F32', kind: 'plain', elements: 1, bytes: 4 }],
  [1, { name: 'F16', kind: 'plain', elements: 1, bytes: 2 }],
  [30, { name: 'BF16', kind: 'plain', elements: 1, bytes: 2 }],
  ...quantised.map(([id, type]) => [id, { kind: 'quantised', ...type }] as const),
]);

/** Names of types that are not read, for sentences. */
const otherTypes: ReadonlyMap<number, string> = new Map([
  [9, 'Q8_1'],
  [10, 'Q2_K'],
  [11, 'Q3_K'],
  [15, 'Q8_K'],
  [16, 'IQ2_XXS'],
  [17, 'IQ2_XS'],
  [18, 'IQ3_XXS'],
  [19, 'IQ1_S'],
  [20, 'IQ4_NL'],
  [21, 'IQ3_S'],
  [22, 'IQ2_S'],
  [23, 'IQ4_XS'],
  [24, 'I8'],
  [25, 'I16'],
  [26, 'I32'],
  [27, 'I64'],
  [28, 'F64'],
  [29, 'IQ1_M'],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
  [39, 'MXFP4'],
]);

export function ggufTypeName(id: number): string {
  return ggufTypes.get(id)?.name ?? otherTypes.get(id) ?? `number ${id}`;
}

/** The blocks of a matrix as they lie in a file, row-major; `bytes` are those of all of its rows. */
export function unpackBlocks(
  type: QuantisedType,
  bytes: Uint8Array,
  shape: readonly [rows: number, columns: number],
): BlockMatrix {
  const { format } = type;
  const elements = shape[0] * shape[1];
  const blocks = elements / format.block;
  const target = {
    quants: new Uint8Array(quantBytes(format, elements)),
    scales: new Float32Array(blocks),
    minima: new Float32Array(format.minima ? blocks : 0),
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let from = 0, at = 0; at < elements; from += type.bytes, at += type.elements) type.unpack(view, from, target, at);
  return { format, shape, ...target, minima: format.minima ? target.minima : null };
}
