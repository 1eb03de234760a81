/** How the sides of a product come from global memory to tensor cores: through registers, where they are rounded to 16 bits. */
import type { BlockFormat } from '../../../weights/block-format.ts';
import type { ValueType } from '../../clike/dialect.ts';
import type { KernelBuilder, Operand } from '../../clike/kernel-builder.ts';
import { blockRun, readRun, unpackRun } from '../../clike/kernels/block-side.ts';
import { unpackFourHalves, type Quad } from '../../clike/kernels/gemm-sides.ts';

/** A side whose rows are read in runs along K. What is read is held in registers while tensor cores multiply what came before. */
export interface RegisterSide {
  /** Elements that are read together. */
  readonly run: number;
  /** K is a multiple of `run`; else what lies beyond K is zero. */
  readonly whole: boolean;
  /** What is held of a run. */
  readonly held: readonly { readonly name: string; readonly type: ValueType }[];
  /** Reads the run of a row at a place along K, below K; gives a value for each of `held`. */
  read(row: string, place: string): readonly string[];
  /** The elements of a run, four to each, from places of `held`. */
  elements(held: readonly string[]): readonly Quad[];
}

/** Rows of plain numbers, and of 16-bit ones that cannot be read as vectors. */
export function plainRegisters(k: KernelBuilder, operand: Operand, stride: string): RegisterSide {
  return {
    run: 4,
    whole: operand.vectors,
    held: [{ name: 'quad', type: 'vec4<f32>' }],
    read: (row, place) => {
      if (operand.vectors) return [operand.vectorAt(`${row} * ${stride} + ${place}`)];
      // Without a branch: what is read beyond K is the last element of the row.
      const start = k.let('start', 'i32', `${row} * ${stride}`);
      const lanes = [1, 2, 3].map((lane) => {
        const own = k.let('own_place', 'i32', `${place} + ${lane}`);
        const read = k.let('element', 'f32', operand.at(`${start} + ${k.call('min', own, `${k.size('depth')} - 1`)}`));
        return k.select(`${own} < ${k.size('depth')}`, read, k.f32(0));
      });
      return [k.vector('vec4<f32>', operand.at(`${start} + ${place}`), ...lanes)];
    },
    elements: ([quad = '']) => [{ from: 0, value: quad }],
  };
}

/** Rows of 16-bit floats that are read as vectors, where they have to become something else. */
export function halfRegisters(k: KernelBuilder, operand: Operand, stride: string): RegisterSide {
  return {
    run: 8,
    whole: true,
    held: [{ name: 'words', type: 'vec4<u32>' }],
    read: (row, place) => [operand.eightHalvesAt(`${row} * ${stride} + ${place}`)],
    elements: ([words = '']) =>
      [0, 1].map((half) => ({
        from: half * 4,
        value: `${k.use(unpackFourHalves)}(${k.lane(words, half * 2)}, ${k.lane(words, half * 2 + 1)})`,
      })),
  };
}

/** Rows of blocks: quants stay quants until they are rounded. */
export function blockRegisters(k: KernelBuilder, format: BlockFormat): RegisterSide {
  return {
    run: blockRun(format),
    whole: true,
    held: [
      { name: 'words', type: 'vec4<u32>' },
      { name: 'scale', type: 'f32' },
      ...(format.minima ? [{ name: 'minimum', type: 'f32' } as const] : []),
    ],
    read(row, place) {
      const { words, scale, minimum } = readRun(k, format, row, place);
      return [words, scale, ...(format.minima ? [minimum] : [])];
    },
    elements: ([words = '', scale = '', minimum = k.f32(0)]) => unpackRun(k, format, { words, scale, minimum }),
  };
}
