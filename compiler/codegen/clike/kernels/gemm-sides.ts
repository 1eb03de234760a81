/** How the two sides of a product [M, K] x [N, K]^T are read: runs of elements along K, four to a vector. */
import type { Size } from '../../../../ir/size.ts';
import type { FunctionDefinition } from '../code.ts';
import type { KernelBuilder, Operand } from '../kernel-builder.ts';

/** Four elements along K as a vec4<f32>: those from `from` on, counted from the start of a run. */
export interface Quad {
  readonly from: number;
  readonly value: string;
}
/** A side of a product: rows along K. */
export interface GemmSide {
  /** Elements along K that are read together. K is a multiple of it, unless it is 4: then what lies beyond K is zero. */
  readonly run: number;
  /** What a shared tile holds it as, without rounding. */
  readonly tile: 'vec4<f32>' | 'vec4<f16>';
  /** Reads the run of a row at a place along K, which is a multiple of `run` and below K. */
  read(row: string, place: string): readonly Quad[];
}

/** Rows of plain numbers. */
export function plainSide(k: KernelBuilder, operand: Operand, stride: string): GemmSide {
  const wanted = operand.name;
  return {
    run: 4,
    tile: 'vec4<f32>',
    read(row, place) {
      const start = k.let('start', 'i32', `${row} * ${stride} + ${place}`);
      if (operand.vectors) return [{ from: 0, value: operand.vectorAt(start) }];
      const quad = k.var(`${wanted}_quad`, 'vec4<f32>');
      k.assign(k.lane(quad, 0), operand.at(start));
      for (const lane of [1, 2, 3]) {
        k.if(`${place} + ${lane} < ${k.size('depth')}`, () => k.assign(k.lane(quad, lane), operand.at(`${start} + ${lane}`)));
      }
      return [{ from: 0, value: quad }];
    },
  };
}

/**
 * Rows of 16-bit floats. A device that has them reads them as vectors; another reads words, two to each. Both read eight elements
 * at a time where rows start at a multiple of eight.
 */
export function halfSide(k: KernelBuilder, operand: Operand, stride: string): GemmSide {
  const tile = k.context.features.half ? 'vec4<f16>' : 'vec4<f32>';
  if (!operand.vectors) return { ...plainSide(k, operand, stride), tile };
  return {
    run: 8,
    tile,
    read(row, place) {
      const start = k.let('start', 'i32', `${row} * ${stride} + ${place}`);
      if (k.context.features.half)
        return [0, 4].map((from) => ({ from, value: operand.vectorAt(from === 0 ? start : `${start} + ${from}`) }));
      const words = k.let('words', 'vec4<u32>', operand.eightHalvesAt(start));
      return [0, 4].map((from) => {
        const [low, high] = [k.lane(words, from / 2), k.lane(words, from / 2 + 1)];
        return { from, value: `${k.use(unpackFourHalves)}(${low}, ${high})` };
      });
    },
  };
}
/** A multiple of eight elements are a multiple of four words. */
export function halfVectorStrides(depth: Size): readonly Size[] {
  return [typeof depth === 'number' && depth % 8 === 0 ? depth : 1];
}
export const unpackFourHalves: FunctionDefinition = {
  name: 'unpack_four_halves',
  parameters: [
    { name: 'low', type: 'u32' },
    { name: 'high', type: 'u32' },
  ],
  result: 'vec4<f32>',
  body(code) {
    const lanes = ['low', 'high'].flatMap((word) => [0, 1].map((lane) => code.lane(code.call('unpackHalves', word), lane)));
    code.return(code.vector('vec4<f32>', ...lanes));
  },
};

/** sum + a . b, in the order of the elements. */
export const multiplyAdd: FunctionDefinition = {
  name: 'multiply_add',
  parameters: [
    { name: 'a', type: 'vec4<f32>' },
    { name: 'b', type: 'vec4<f32>' },
    { name: 'sum', type: 'f32' },
  ],
  result: 'f32',
  body(code) {
    const chain = [0, 1, 2, 3].reduce((sum, lane) => code.call('fma', code.lane('a', lane), code.lane('b', lane), sum), 'sum');
    code.return(chain);
  },
};
