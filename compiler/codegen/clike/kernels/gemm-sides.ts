/** How the two sides of a product [M, K] x [N, K]^T are read: runs of elements along K, four to a vector. */
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
  /** Reads the run of a row at a place along K, which is a multiple of `run` and below K. */
  read(row: string, place: string): readonly Quad[];
}

/** Rows of plain numbers. */
export function plainSide(k: KernelBuilder, operand: Operand, stride: string): GemmSide {
  const wanted = operand.name;
  return {
    run: 4,
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
