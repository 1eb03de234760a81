/** Random attention nodes: plain keys under random rules, clusters with the best expanded, ranked keys with the rest. */
import { attentionPatterns, type RandomBuilder, type Value } from './random-graph.ts';
import { clusterOf, keysAndValues, queriesFor, tokenCount, type KeysAndValues } from './random-ops.ts';
import type { AttentionSegment, VisibleRule } from '../../ir/ops/attributes.ts';

const scale = 0.5;
type Segment = readonly [AttentionSegment, readonly Value[]];

function plain(builder: RandomBuilder, { batch, groups, tokens, key, value, mask, counts }: KeysAndValues): Segment {
  const bias = builder.chance(0.3);
  const rules: (readonly [VisibleRule, readonly Value[]])[] = [];
  if (builder.chance(0.5)) rules.push([{ rule: 'padding' }, [mask]]);
  if (builder.chance(0.3)) rules.push([{ rule: 'causal' }, []]);
  if (builder.chance(0.3)) rules.push([{ rule: 'window', size: builder.integer(1, 5) }, []]);
  if (builder.chance(0.3))
    rules.push([builder.chance(0.5) ? { rule: 'tokens', atLeast: 2, below: 6 } : { rule: 'tokens', below: 4 }, [counts]]);
  const biases = bias ? [builder.value({ shape: [batch, groups, tokens], low: -3, high: 3 })] : [];
  return [
    { scored: false, bias, visible: rules.map(([rule]) => rule) },
    [key, value, ...biases, ...rules.flatMap(([, inputs]) => inputs)],
  ];
}

function clusters(builder: RandomBuilder, keys: KeysAndValues, query: Value): readonly Segment[] {
  const [order, offsets, meanKey, meanValue, logMass, radius] = clusterOf(builder, keys) as [
    Value,
    Value,
    Value,
    Value,
    Value,
    Value,
  ];
  const means = [meanKey, meanValue, logMass];
  if (builder.chance(0.3)) return [[{ scored: false, bias: true, visible: [] }, means]];
  const operands = [query, meanKey, logMass, radius, keys.counts];
  const selection = builder.make('select_clusters', { scale, count: tokenCount(builder), tile: 1 }, operands, -1, 64, true);
  const sorted = (x: Value): Value => builder.make('gather', { batchAxes: 2 }, [x, order], x.low, x.high, x.exact);
  return [
    [{ scored: false, bias: true, visible: [{ rule: 'notChosen' }] }, [...means, selection]],
    [{ scored: false, bias: false, visible: [{ rule: 'chosen' }] }, [sorted(keys.key), sorted(keys.value), selection, offsets]],
  ];
}

function ranked(builder: RandomBuilder, { batch, groups, key, value, mask }: KeysAndValues, query: Value): readonly Segment[] {
  const count = tokenCount(builder);
  const [selection, restScore] = builder.makeTuple(
    'rank_keys',
    { scale, count },
    [query, key, mask],
    [
      [-1, 64],
      [-Infinity, Infinity],
    ],
  ) as [Value, Value];
  const selected: Segment = [{ scored: false, bias: false, visible: [{ rule: 'selected' }] }, [key, value, selection]];
  if (builder.chance(0.4)) return [selected];
  const valueSize = value.type.shape[3] ?? 1;
  const restValue = builder.value({ shape: [batch, groups, 1, valueSize], low: -10, high: 10 });
  return [selected, [{ scored: true, bias: false, visible: [] }, [restScore, restValue]]];
}

export function randomAttention(builder: RandomBuilder): void {
  const keys = keysAndValues(builder);
  const query = queriesFor(builder, keys);
  const pattern = builder.pick(builder.options.attention ?? attentionPatterns);
  const segments: readonly Segment[] = {
    keys: () => (builder.chance(0.3) ? [plain(builder, keys), plain(builder, keys)] : [plain(builder, keys)]),
    clusters: () => clusters(builder, keys, query),
    ranked: () => ranked(builder, keys, query),
  }[pattern]();
  const operands = [query, ...segments.flatMap(([, inputs]) => inputs)];
  builder.make('attention', { scale, segments: segments.map(([segment]) => segment) }, operands, -10, 10, false);
}
