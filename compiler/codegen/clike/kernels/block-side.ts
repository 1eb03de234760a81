import type { BlockFormat } from '../../../weights/block-format.ts';
import type { Code, FunctionDefinition } from '../code.ts';
import type { KernelBuilder } from '../kernel-builder.ts';
import type { GemmSide, Quad } from './gemm-sides.ts';

export function blockOperands({ minima }: BlockFormat): readonly string[] {
  return ['quants', 'scales', ...(minima ? ['minima'] : [])];
}

/** Four quants of a word, from its lowest byte on, as values: scale * quant + minimum. */
function unpackFour(name: string, quant: (code: Code, byte: number) => string): FunctionDefinition {
  return {
    name,
    parameters: [
      { name: 'word', type: 'u32' },
      { name: 'scale', type: 'f32' },
      { name: 'minimum', type: 'f32' },
    ],
    result: 'vec4<f32>',
    body(code) {
      const lanes = [0, 1, 2, 3].map((byte) => {
        const lane = code.let(`quant_${byte}`, 'f32', code.cast('f32', quant(code, byte)));
        return `scale * ${lane} + minimum`;
      });
      code.return(code.vector('vec4<f32>', ...lanes));
    },
  };
}
const unsignedBytes = unpackFour('unpack_bytes', (_, byte) => `(word >> ${byte * 8}u) & 255u`);
/** The byte goes to the top, and comes back with its sign. */
const signedBytes = unpackFour('unpack_signed_bytes', (code, byte) => `${code.cast('i32', `word << ${24 - byte * 8}u`)} >> 24u`);
const lowNibbles = unpackFour('unpack_low_nibbles', (_, byte) => `(word >> ${byte * 8}u) & 15u`);
const highNibbles = unpackFour('unpack_high_nibbles', (_, byte) => `(word >> ${byte * 8 + 4}u) & 15u`);

/** What is read of a run: names of values, which `unpack` gives the elements of. */
export interface BlockRun {
  readonly words: string;
  readonly scale: string;
  /** An expression that is zero in a format without minima. */
  readonly minimum: string;
}
/**
 * Rows of blocks (block-format.ts), whose quants are read four words at a time: 16 elements of 8 bits, which lie in one block; or
 * a block of 32 elements of 4 bits, whose words hold four elements in their low nibbles and those 16 further in the high ones.
 */
export function blockSide(k: KernelBuilder, format: BlockFormat): GemmSide {
  return { run: blockRun(format), tile: 'vec4<f32>', read: (row, place) => unpackRun(k, format, readRun(k, format, row, place)) };
}
/** Elements that are read together. */
export const blockRun = ({ bits }: BlockFormat): number => 128 / bits;

export function readRun(k: KernelBuilder, { bits, block, minima }: BlockFormat, row: string, place: string): BlockRun {
  const [quants, scales] = [k.operand('quants'), k.operand('scales')];
  const depth = k.size('depth');
  const words = k.let('words', 'vec4<u32>', quants.vectorAt(`(${row} * ${depth} + ${place}) / ${32 / bits}`));
  const blockAt = k.let('block', 'i32', `(${row} * ${depth} + ${place}) / ${block}`);
  const scale = k.let('scale', 'f32', scales.at(blockAt));
  const minimum = minima ? k.let('minimum', 'f32', k.operand('minima').at(blockAt)) : k.f32(0);
  return { words, scale, minimum };
}
export function unpackRun(k: KernelBuilder, { bits, signed }: BlockFormat, { words, scale, minimum }: BlockRun): readonly Quad[] {
  const unpack = (definition: FunctionDefinition, word: number): string =>
    `${k.use(definition)}(${k.lane(words, word)}, ${scale}, ${minimum})`;
  const wordNumbers = [0, 1, 2, 3];
  if (bits === 8)
    return wordNumbers.map((word) => ({ from: word * 4, value: unpack(signed ? signedBytes : unsignedBytes, word) }));
  return [
    ...wordNumbers.map((word) => ({ from: word * 4, value: unpack(lowNibbles, word) })),
    ...wordNumbers.map((word) => ({ from: 16 + word * 4, value: unpack(highNibbles, word) })),
  ];
}
