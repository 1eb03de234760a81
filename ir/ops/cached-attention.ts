/** Attention over a cache that outlives the call: type rule, cost, and the reference, one row a kind of cache. */
import {
  expectElementType,
  expectGroupedHeads,
  expectPositiveInteger,
  expectRank,
  expectSameSize,
  fail,
  tensorInput,
} from './rule.ts';
import { bytesMoved } from './cost.ts';
import type { OpDefinition, Tensor } from './definition.ts';
import { stateTensorsOf, type CacheKind, type CacheSpec, type HeadSizes } from '../cache.ts';
import { attendCached, type CachedCall } from '../caches/attend.ts';
import { formatType, tensorType, tupleType, type TensorType } from '../type.ts';
import { addSizes, minSize, multiplySizes, type Size } from '../size.ts';

const whole = (what: string, value: number): void => expectPositiveInteger('cached_attention', what, value);
function expectCount(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 0) fail(`cached_attention needs a whole number as ${what}, not ${value}.`);
}
function expectBlocks({
  sinks,
  window,
  block,
}: {
  readonly sinks: number;
  readonly window: number;
  readonly block: number;
}): void {
  expectCount('sinks', sinks);
  whole('window', window);
  whole('tokens of a block', block);
}

interface CacheRow<C extends CacheSpec> {
  check(cache: C): void;
  /** How many keys a query reads when `total` tokens were read, about. */
  keys(cache: C, total: Size): Size;
}
const rows: { readonly [K in CacheKind]: CacheRow<Extract<CacheSpec, { kind: K }>> } = {
  dense: { check: ({ capacity }) => whole('capacity', capacity), keys: (_, total) => total },
  expand: {
    check(cache) {
      whole('capacity', cache.capacity);
      whole('keys of a block', cache.keysPerBlock);
      whole('iterations', cache.iterations);
      expectBlocks(cache);
      if (cache.expand) whole('number of expanded clusters', cache.expand.most);
    },
    keys({ sinks, window, block, keysPerBlock, expand }, total) {
      const tokensPerKey = Math.max(1, Math.round(block / keysPerBlock));
      const near = addSizes(sinks + window + block / 2);
      const means = ['ceil/', total, tokensPerKey] as const;
      return minSize(total, addSizes(near, means, (expand?.most ?? 0) * tokensPerKey));
    },
  },
  stream: {
    check(cache) {
      whole('number of atoms', cache.atoms);
      expectBlocks(cache);
      if (!(cache.decay >= 0 && cache.decay <= 1)) fail(`cached_attention needs a decay from 0 to 1, not ${cache.decay}.`);
    },
    keys: ({ sinks, window, block, atoms }, total) => minSize(total, sinks + window + block / 2 + atoms),
  },
};
function rowOf<C extends CacheSpec>(cache: C): CacheRow<C> {
  if (!Object.hasOwn(rows, cache.kind)) fail(`cached_attention knows no cache of kind ${String(cache.kind)}.`);
  return rows[cache.kind] as unknown as CacheRow<C>;
}

/** The sizes of the heads of a cached attention, which are numbers. */
function headSizesOf(key: TensorType, value: TensorType): HeadSizes {
  const [kvHeads, headSize, valueSize] = [key.shape[1], key.shape[3], value.shape[3]];
  if (typeof kvHeads === 'number' && typeof headSize === 'number' && typeof valueSize === 'number')
    return { kvHeads, headSize, valueSize };
  return fail(`cached_attention needs fixed heads and head sizes, not ${formatType(key)} and ${formatType(value)}.`);
}

export const cached_attention: OpDefinition<'cached_attention'> = {
  name: 'cached_attention',
  inputs: 'many',
  type({ cache }, inputs) {
    const op = 'cached_attention';
    rowOf(cache).check(cache);
    if (inputs.length < 3) fail(`${op} takes query, key, value and the tensors of its cache, not ${inputs.length} inputs.`);
    const types = inputs.map((type, index) => tensorInput(op, type, index));
    const [query, key, value, ...states] = types as [TensorType, TensorType, TensorType, ...TensorType[]];
    for (const [role, type] of Object.entries({ query, key, value })) {
      expectElementType(op, role, type, 'f32');
      expectRank(op, `${role} [1, heads, n, size]`, type, 4);
      if (type.shape[0] !== 1) fail(`${op} reads one sequence, not ${formatType(type)}.`);
    }
    expectGroupedHeads(op, query, key);
    expectSameSize(op, 'head size', query, 3, key, 3);
    expectSameSize(op, 'number of tokens', query, 2, key, 2);
    expectSameSize(op, 'key/value heads', key, 1, value, 1);
    expectSameSize(op, 'number of tokens', key, 2, value, 2);
    const expected = stateTensorsOf(cache, headSizesOf(key, value)).map(({ elementType, shape }) =>
      tensorType(elementType, shape),
    );
    const text = (list: readonly TensorType[]): string => list.map(formatType).join(', ');
    if (text(expected) !== text(states)) fail(`${op} with a ${cache.kind} cache takes ${text(expected)}, not ${text(states)}.`);
    return tupleType([tensorType('f32', [...query.shape.slice(0, 3), value.shape[3] as Size]), ...expected]);
  },
  evaluate({ scale, past, cache }, inputs, context) {
    const [query, key, value, ...states] = inputs.map(([tensor]) => tensor) as [Tensor, Tensor, Tensor, ...Tensor[]];
    const result = context.allocate('f32', [...query.shape.slice(0, 3), value.shape[3] as number]);
    const kept = states.map((state) => ({ ...state, data: state.data.slice() }));
    const call: CachedCall = { scale, past: context.size(past), query, key, value, result };
    attendCached(cache, call, kept);
    return [result, ...kept];
  },
  cost({ past, cache }, inputs, output) {
    const [query, key, value] = inputs as readonly TensorType[];
    if (!query || !key || !value) return { flops: 0, bytes: 0 };
    const keys = rowOf(cache).keys(cache, addSizes(past, query.shape[2] as Size));
    const pairs = multiplySizes(2, query.shape[1] as Size, query.shape[2] as Size, keys);
    const result = output.kind === 'tuple' ? output.elements[0] : output;
    return {
      flops: multiplySizes(pairs, addSizes(query.shape[3] as Size, value.shape[3] as Size)),
      bytes: addSizes(
        bytesMoved([query, key, value], result ?? query),
        multiplySizes(4, key.shape[1] as Size, keys, addSizes(key.shape[3] as Size, value.shape[3] as Size)),
      ),
    };
  },
  decompose: null,
};
