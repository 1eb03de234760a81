/** For each op, how a random graph gets a node of it. */
import type { RandomBuilder, Value } from './random-graph.ts';
import type { OpName } from '../../ir/ops/attributes.ts';
import { addSizes, ceilDivideSizes, floorDivideSizes, maxSize, multiplySizes, type Size } from '../../ir/size.ts';
import { randomAttention } from './random-attention.ts';

type Generator = (builder: RandomBuilder) => void;
type Bounds = readonly [number, number];

const magnitude = ({ low, high }: Value): number => Math.max(Math.abs(low), Math.abs(high));

/** A second operand that broadcasts with the first: the same shape, or with ones and fewer axes. */
function partner(builder: RandomBuilder, value: Value, wanted: { low?: number; high?: number; exact?: boolean }): Value {
  const { shape, elementType } = value.type;
  const kept = builder.chance(0.5)
    ? shape
    : shape.slice(builder.integer(0, shape.length)).map((size) => (builder.chance(0.3) ? 1 : size));
  return builder.value({ elementType, shape: kept, ...wanted });
}

function binary(op: 'add' | 'subtract' | 'multiply' | 'maximum' | 'minimum', bounds: (a: Value, b: Value) => Bounds): Generator {
  return (builder) => {
    const elementType = builder.pick(['f32', 'f32', 'i32'] as const);
    const a = builder.value({ elementType });
    const b = partner(builder, a, {});
    const [low, high] = bounds(a, b);
    const exact = a.exact && b.exact && (elementType === 'i32' || op === 'maximum' || op === 'minimum');
    builder.make(op, {}, builder.chance(0.5) ? [a, b] : op === 'subtract' ? [a, b] : [b, a], low, high, exact);
  };
}
function comparison(op: 'less' | 'equal'): Generator {
  return (builder) => {
    const a = builder.value({ elementType: builder.pick(['f32', 'i32'] as const), exact: true });
    builder.make(op, {}, [a, partner(builder, a, { exact: true })], 0, 1, true);
  };
}
function unary(
  op: Extract<OpName, 'exp' | 'log' | 'sqrt' | 'tanh' | 'erf' | 'sin' | 'cos' | 'relu' | 'gelu' | 'gelu_tanh' | 'silu'>,
  domain: { readonly low?: number; readonly high?: number },
  bounds: (x: Value) => Bounds,
): Generator {
  return (builder) => {
    const x = builder.value(domain);
    builder.make(op, {}, [x], ...bounds(x), op === 'relu' && x.exact);
  };
}
const rectified = ({ high }: Value): Bounds => [-0.5, Math.max(high, 0)];
const rounded = (a: number, b: number): Bounds => [Math.min(a, b), Math.max(a, b)];

function rows(op: 'layer_norm' | 'rms_norm'): Generator {
  return (builder) => {
    const size = builder.pick([1, 2, 4, 7, 8, 16]);
    const x = builder.value({ shape: [...builder.shape(0, 2), size] });
    const weight = builder.value({ shape: [size], low: -2, high: 2 });
    const bias = builder.value({ shape: [size], low: -2, high: 2 });
    // A larger epsilon than models have: nearly constant rows would amplify rounding.
    const epsilon = builder.pick([1e-2, 1e-3]);
    const bound = 2 * Math.sqrt(size) + 2;
    if (op === 'layer_norm') builder.make(op, { epsilon }, [x, weight, bias], -bound, bound, false);
    else builder.make(op, { epsilon }, [x, weight], -bound, bound, false);
  };
}

function reduction(op: 'reduce_sum' | 'reduce_max'): Generator {
  return (builder) => {
    const x = builder.value({ minimumRank: 1, elementType: builder.pick(['f32', 'f32', 'i32'] as const) });
    const axis = builder.integer(0, x.type.shape.length - 1);
    const count = op === 'reduce_sum' ? builder.valueOf(x.type.shape[axis] as Size) : 1;
    const exact = x.exact && (op === 'reduce_max' || x.type.elementType === 'i32');
    builder.make(op, { axis }, [x], Math.min(x.low, x.low * count), Math.max(x.high, x.high * count), exact);
  };
}

/** Keys and values of a few heads, their mask and counts. */
export interface KeysAndValues {
  readonly batch: Size;
  readonly groups: number;
  readonly tokens: Size;
  readonly headSize: number;
  readonly key: Value;
  readonly value: Value;
  readonly mask: Value;
  readonly counts: Value;
}
export function keysAndValues(builder: RandomBuilder): KeysAndValues {
  const batch = builder.options.symbolic !== false && builder.chance(0.5) ? 'batch' : builder.integer(1, 2);
  const tokens = builder.options.symbolic !== false && builder.chance(0.7) ? 'seq' : builder.integer(1, 9);
  const groups = builder.integer(1, 2);
  const headSize = builder.pick([4, 8]);
  const shape = [batch, groups, tokens];
  const [mask, counts] = builder.maskAndTokens(batch, tokens);
  const key = builder.value({ shape: [...shape, headSize], low: -2, high: 2, exact: true });
  const value = builder.value({ shape: [...shape, builder.pick([headSize, 4])], low: -10, high: 10, exact: true });
  return { batch, groups, tokens, headSize, key, value, mask, counts };
}
export function queriesFor(builder: RandomBuilder, keys: KeysAndValues): Value {
  const heads = keys.groups * builder.integer(1, 2);
  return builder.value({ shape: [keys.batch, heads, keys.tokens, keys.headSize], low: -2, high: 2, exact: true });
}
/** Small counts, fixed or by the number of tokens. */
export function tokenCount(builder: RandomBuilder): Size {
  return builder.pick<Size>([
    1,
    2,
    3,
    maxSize(1, floorDivideSizes('tokens', 2)),
    ceilDivideSizes(multiplySizes('tokens', 3), 4),
    'tokens',
  ]);
}
export function clusterOf(builder: RandomBuilder, { key, value, mask }: KeysAndValues): Value[] {
  const blockTokens = builder.integer(2, 8);
  const keysPerBlock = builder.pick<Size>([1, 2, maxSize(1, floorDivideSizes(addSizes('tokens', 1), 2)), 'tokens']);
  const f32Bounds: Bounds[] = [
    [-10, 10],
    [-10, 10],
    [-Infinity, 4],
    [0, 100],
  ];
  return builder.makeTuple(
    'cluster',
    { blockTokens, keysPerBlock, iterations: builder.integer(1, 5) },
    [key, value, mask],
    [[0, 64], [0, 64], ...f32Bounds],
  );
}
const scores: Bounds = [-Infinity, Infinity];

export const generators: { readonly [K in OpName]: Generator | null } = {
  input: null,
  parameter: null,
  // What outlives a call has tests of its own (ir-caches.test.ts).
  state: null,
  cached_attention: null,
  get: null,
  constant(builder) {
    const elementType = builder.pick(['f32', 'i32', 'bool'] as const);
    const value = { f32: builder.number(-2, 2), i32: builder.integer(-3, 3), bool: builder.integer(0, 1) }[elementType];
    builder.make('constant', { elementType, value }, [], value, value, true);
  },
  iota(builder) {
    const shape = builder.shape(1, 3);
    const axis = builder.integer(0, shape.length - 1);
    builder.make('iota', { shape, axis }, [], 0, builder.valueOf(shape[axis] as Size) - 1, true);
  },
  add: binary('add', (a, b) => [a.low + b.low, a.high + b.high]),
  subtract: binary('subtract', (a, b) => [a.low - b.high, a.high - b.low]),
  multiply: binary('multiply', (a, b) => [-magnitude(a) * magnitude(b), magnitude(a) * magnitude(b)]),
  maximum: binary('maximum', (a, b) => [Math.max(a.low, b.low), Math.max(a.high, b.high)]),
  minimum: binary('minimum', (a, b) => [Math.min(a.low, b.low), Math.min(a.high, b.high)]),
  divide(builder) {
    const a = builder.value();
    const b = partner(builder, a, { low: 0.25, high: 8 });
    const bound = magnitude(a) / b.low;
    builder.make('divide', {}, [a, b], -bound, bound, false);
  },
  less: comparison('less'),
  equal: comparison('equal'),
  negate(builder) {
    const x = builder.value({ elementType: builder.pick(['f32', 'i32'] as const) });
    builder.make('negate', {}, [x], -x.high, -x.low, x.exact);
  },
  exp: unary('exp', { low: -20, high: 3 }, ({ low, high }) => [Math.exp(low), Math.exp(high)]),
  log: unary('log', { low: 0.25, high: 50 }, ({ low, high }) => [Math.log(low), Math.log(high)]),
  sqrt: unary('sqrt', { low: 0.01, high: 50 }, ({ low, high }) => [Math.sqrt(low), Math.sqrt(high)]),
  tanh: unary('tanh', {}, () => [-1, 1]),
  erf: unary('erf', {}, () => [-1, 1]),
  sin: unary('sin', { low: -30, high: 30 }, () => [-1, 1]),
  cos: unary('cos', { low: -30, high: 30 }, () => [-1, 1]),
  relu: unary('relu', {}, ({ low, high }) => [Math.max(low, 0), Math.max(high, 0)]),
  gelu: unary('gelu', {}, rectified),
  gelu_tanh: unary('gelu_tanh', {}, rectified),
  silu: unary('silu', {}, rectified),
  cast(builder) {
    const from = builder.pick(['f32', 'i32', 'bool'] as const);
    const to = builder.pick(['f32', 'i32', 'bool'] as const);
    const x = builder.value({ elementType: from, exact: to !== 'f32' });
    const [low, high] = to === 'bool' ? [0, 1] : [Math.floor(x.low), Math.ceil(x.high)];
    builder.make('cast', { to }, [x], low, high, x.exact);
  },
  where(builder) {
    const a = builder.value({ elementType: builder.pick(['f32', 'i32'] as const) });
    const b = partner(builder, a, {});
    const condition = builder.value({ elementType: 'bool', shape: a.type.shape });
    builder.make('where', {}, [condition, a, b], Math.min(a.low, b.low), Math.max(a.high, b.high), a.exact && b.exact);
  },
  reshape(builder) {
    const x = builder.value({ minimumRank: 1 });
    const [first, ...rest] = x.type.shape as [Size, ...Size[]];
    const [second, ...others] = rest;
    const shape = builder.pick<readonly Size[]>([
      [1, first, ...rest],
      [...x.type.shape, 1],
      second === undefined ? [first] : [multiplySizes(first, second), ...others],
      [multiplySizes(...x.type.shape)],
    ]);
    builder.make('reshape', { shape }, [x], x.low, x.high, x.exact);
  },
  transpose(builder) {
    const x = builder.value({ minimumRank: 2, elementType: builder.pick(['f32', 'i32'] as const) });
    const left = x.type.shape.map((_, axis) => axis);
    const permutation: number[] = [];
    while (left.length > 0) permutation.push(...left.splice(builder.integer(0, left.length - 1), 1));
    builder.make('transpose', { permutation }, [x], x.low, x.high, x.exact);
  },
  broadcast(builder) {
    const x = builder.value();
    const shape = [...builder.shape(0, 1), ...x.type.shape.map((size) => (size === 1 ? builder.size() : size))];
    builder.make('broadcast', { shape }, [x], x.low, x.high, x.exact);
  },
  slice(builder) {
    const x = builder.value({ minimumRank: 1 });
    const axis = builder.integer(0, x.type.shape.length - 1);
    const size = x.type.shape[axis] as Size;
    const least = builder.valueOf(size);
    // From a symbolic axis only what any length has: its first element, or all of it.
    const whole = typeof size !== 'number';
    const start = whole ? 0 : builder.integer(0, least - 1);
    const length = whole ? builder.pick<Size>([1, size]) : builder.integer(1, least - start);
    builder.make('slice', { axis, start, length }, [x], x.low, x.high, x.exact);
  },
  concat(builder) {
    const first = builder.value({ minimumRank: 1 });
    const axis = builder.integer(0, first.type.shape.length - 1);
    const shape = first.type.shape.map((size, at) => (at === axis ? builder.size() : size));
    const parts = [first, builder.value({ shape }), first].slice(0, builder.integer(1, 3));
    builder.make(
      'concat',
      { axis },
      parts,
      Math.min(...parts.map(({ low }) => low)),
      Math.max(...parts.map(({ high }) => high)),
      parts.every(({ exact }) => exact),
    );
  },
  gather(builder) {
    const table = builder.value({ minimumRank: 1, elementType: builder.pick(['f32', 'i32'] as const) });
    const batchAxes = builder.integer(0, Math.min(2, table.type.shape.length - 1));
    const rowCount = table.type.shape[batchAxes] as Size;
    const highest = typeof rowCount === 'number' ? rowCount - 1 : 0;
    const shape = [...table.type.shape.slice(0, batchAxes), ...builder.shape(0, 2)];
    const indices = builder.value({ elementType: 'i32', shape, low: 0, high: highest, exact: true });
    builder.make('gather', { batchAxes }, [table, indices], table.low, table.high, table.exact);
  },
  reduce_sum: reduction('reduce_sum'),
  reduce_max: reduction('reduce_max'),
  matmul(builder) {
    const transposeRight = builder.chance(0.5);
    const left = builder.value({ minimumRank: 2, low: -20, high: 20 });
    const batch = left.type.shape.slice(0, -2);
    const k = left.type.shape.at(-1) as Size;
    const n = builder.size();
    const leading = builder.pick<readonly Size[]>([[], batch, batch.map(() => 1)]);
    const right = builder.value({ shape: [...leading, ...(transposeRight ? [n, k] : [k, n])], low: -20, high: 20 });
    const bound = builder.valueOf(k) * magnitude(left) * magnitude(right);
    builder.make('matmul', { transposeRight }, [left, right], -bound, bound, false);
  },
  layer_norm: rows('layer_norm'),
  rms_norm: rows('rms_norm'),
  softmax(builder) {
    const x = builder.value({ minimumRank: 1 });
    builder.make('softmax', { axis: builder.integer(0, x.type.shape.length - 1) }, [x], 0, 1, false);
  },
  rope(builder) {
    const { batch, tokens, key } = keysAndValues(builder);
    const shape = builder.chance(0.5) ? [tokens] : [batch, tokens];
    const positions = builder.value({ elementType: 'i32', shape, low: 0, high: 15, exact: true });
    const bound = 2 * magnitude(key);
    const divisors = Array.from({ length: Number(key.type.shape.at(-1)) / 2 }, () => builder.pick([1, 1.5, 8]));
    builder.make(
      'rope',
      { theta: builder.pick([10000, 100]), maxPositions: 16, divisors: builder.chance(0.5) ? [] : divisors },
      [key, positions],
      ...rounded(-bound, bound),
      false,
    );
  },
  attention: randomAttention,
  cluster: (builder) => void clusterOf(builder, keysAndValues(builder)),
  select_clusters(builder) {
    const keys = keysAndValues(builder);
    const clusters = builder.integer(1, 6);
    const shape = [keys.batch, keys.groups, clusters];
    const meanKey = builder.value({ shape: [...shape, keys.headSize], low: -2, high: 2, exact: true });
    const logMass = builder.value({ shape, low: 0, high: 3, exact: true });
    const radius = builder.value({ shape, low: 0, high: 3, exact: true });
    const operands = [queriesFor(builder, keys), meanKey, logMass, radius, keys.counts];
    builder.make(
      'select_clusters',
      { scale: 0.5, count: tokenCount(builder), tile: builder.pick([1, 1, 2, 16]) },
      operands,
      -1,
      clusters - 1,
      true,
    );
  },
  segment_means(builder) {
    const { key, value, mask } = keysAndValues(builder);
    builder.makeTuple('segment_means', { count: tokenCount(builder) }, [key, value, mask], [[-10, 10], [-10, 10], scores]);
  },
  rank_keys(builder) {
    const keys = keysAndValues(builder);
    const operands = [queriesFor(builder, keys), keys.key, keys.mask];
    builder.makeTuple('rank_keys', { scale: 0.5, count: tokenCount(builder) }, operands, [[-1, 64], scores]);
  },
  principal_rows(builder) {
    const { batch, tokens, mask } = keysAndValues(builder);
    // One row: eigenvalues of random matrices are rarely far enough apart for more to be comparable in single precision.
    const x = builder.source('f32', [batch, tokens, builder.pick([4, 8])], 0.5, 2);
    builder.makeTuple('principal_rows', { count: 1 }, [x, mask], [[-50, 50], [0, 50], scores]);
  },
};
