/** What kind of value each attribute of each op holds: the printer, the parser and the verifier read this one table. */
import type { OpAttributes, OpName } from './ops/attributes.ts';

export type FieldKind =
  | 'string'
  /** Any number, infinities included. */
  | 'number'
  | 'boolean'
  | 'elementType'
  | 'size'
  | 'shape'
  /** Whole numbers. */
  | 'integers'
  | 'numbers'
  | 'segments'
  /** What a causal attention keeps between calls. */
  | 'cache';

/** Attributes in the order in which they are printed. */
export const attributeFields: { readonly [K in OpName]: { readonly [A in keyof OpAttributes[K]]: FieldKind } } = {
  input: { name: 'string', elementType: 'elementType', shape: 'shape' },
  parameter: { name: 'string', elementType: 'elementType', shape: 'shape' },
  constant: { elementType: 'elementType', value: 'number' },
  state: { name: 'string', elementType: 'elementType', shape: 'shape' },
  iota: { shape: 'shape', axis: 'number' },
  add: {},
  subtract: {},
  multiply: {},
  divide: {},
  maximum: {},
  minimum: {},
  less: {},
  equal: {},
  negate: {},
  exp: {},
  log: {},
  sqrt: {},
  tanh: {},
  erf: {},
  sin: {},
  cos: {},
  relu: {},
  gelu: {},
  gelu_tanh: {},
  silu: {},
  cast: { to: 'elementType' },
  where: {},
  reshape: { shape: 'shape' },
  transpose: { permutation: 'integers' },
  broadcast: { shape: 'shape' },
  slice: { axis: 'number', start: 'size', length: 'size' },
  concat: { axis: 'number' },
  gather: { batchAxes: 'number' },
  reduce_sum: { axis: 'number' },
  reduce_max: { axis: 'number' },
  matmul: { transposeRight: 'boolean' },
  layer_norm: { epsilon: 'number' },
  rms_norm: { epsilon: 'number' },
  softmax: { axis: 'number' },
  rope: { theta: 'number', maxPositions: 'number', divisors: 'numbers' },
  attention: { scale: 'number', segments: 'segments' },
  cluster: { blockTokens: 'number', keysPerBlock: 'size', iterations: 'number' },
  select_clusters: { scale: 'number', count: 'size', tile: 'number' },
  segment_means: { count: 'size' },
  rank_keys: { scale: 'number', count: 'size' },
  principal_rows: { count: 'size' },
  cached_attention: { scale: 'number', past: 'size', cache: 'cache' },
  get: { index: 'number' },
};

/** The fields of an op as [name, kind] pairs. */
export function fieldsOf(op: OpName): readonly (readonly [string, FieldKind])[] {
  return Object.entries(attributeFields[op]);
}
