/** Work of elementwise ops, a row an op: what an expression costs at every index of a loop. */
import type { ElementwiseOp, Scalar } from '../kernel/kernel.ts';
import { noWork, type KernelWork } from './work.ts';

interface OpWork {
  readonly scalar: number;
  /** Of the special function units. */
  readonly special: number;
}
const simple: OpWork = { scalar: 1, special: 0 };
const special: OpWork = { scalar: 1, special: 1 };
/** A polynomial of degree 5 in a reciprocal, and an exponential (Abramowitz and Stegun, 7.1.26). */
const erf: OpWork = { scalar: 12, special: 2 };

const opWork: { readonly [K in ElementwiseOp]: OpWork } = {
  add: simple,
  subtract: simple,
  multiply: simple,
  divide: special,
  maximum: simple,
  minimum: simple,
  less: simple,
  equal: simple,
  negate: simple,
  exp: special,
  log: special,
  sqrt: special,
  tanh: { scalar: 3, special: 2 },
  erf,
  sin: { scalar: 4, special: 1 },
  cos: { scalar: 4, special: 1 },
  relu: simple,
  gelu: { scalar: erf.scalar + 4, special: erf.special },
  gelu_tanh: { scalar: 8, special: 2 },
  silu: { scalar: 2, special: 2 },
  cast: simple,
  where: simple,
};

/** Of one op on so many values. */
export function elementwiseWork(op: ElementwiseOp, values: number): KernelWork {
  const { scalar, special: ofUnits } = opWork[op];
  return { ...noWork, scalarFlops: scalar * values, specialFlops: ofUnits * values };
}

/** Of a whole expression, at one index. */
export function expressionWork(expression: Scalar): OpWork {
  if (expression.kind === 'load' && expression.indirect) return expressionWork(expression.indirect);
  if (expression.kind !== 'apply') return { scalar: 0, special: 0 };
  const own = opWork[expression.op];
  return expression.inputs
    .map(expressionWork)
    .reduce((sum, { scalar, special: ofUnits }) => ({ scalar: sum.scalar + scalar, special: sum.special + ofUnits }), own);
}
