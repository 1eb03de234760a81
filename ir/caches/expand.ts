import type { ExpandCache } from '../cache.ts';
import { assignClusters } from '../k-means.ts';
import type { Tensor } from '../ops/definition.ts';
import type { CachedCall } from './attend.ts';
import { attendTo, blockPieces, dot, headIndex, headRow, logSumExp, queryHeads, writeToken, type Attended } from './rows.ts';

interface ExpandStates {
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly meanKey: Tensor;
  readonly meanValue: Tensor;
  readonly logMass: Tensor;
  readonly radius: Tensor;
  readonly offsets: Tensor;
}

/** Principal keys for what left the window, the best of them replaced by their tokens (atp-modes.md, expand, causal). */
export function attendExpand(cache: ExpandCache, call: CachedCall, tensors: readonly Tensor[]): void {
  const [keys, values, meanKey, meanValue, logMass, radius, offsets] = tensors as readonly [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const states: ExpandStates = { keys, values, meanKey, meanValue, logMass, radius, offsets };
  const { sinks, window, block, keysPerBlock } = cache;
  const kvHeads = call.key.shape[1] as number;
  for (const { blockStart, start, end } of blockPieces(block, call)) {
    const left = Math.max(sinks, blockStart - window);
    const leaving = Math.max(sinks, blockStart - window - block);
    // Blocks leave one after the other; the first one that leaves at all is cluster block 0.
    const index = Math.max(0, blockStart / block - Math.floor((window + sinks) / block) - 1);
    for (let head = 0; head < kvHeads; head += 1) {
      if (start === blockStart && left > leaving) clusterBlock(cache, states, head, leaving, left, index * keysPerBlock);
      for (let p = start; p < end; p += 1) writeToken(call, head, p - call.past, keys, values, p);
    }
    const clusters = left > sinks ? (index + 1) * keysPerBlock : 0;
    for (const { head, kvHead } of queryHeads(call)) {
      for (let p = start; p < end; p += 1) {
        const query = headRow(call.query, head, p - call.past);
        const exact: Attended[] = [];
        const see = (row: number): void => {
          exact.push({ score: call.scale * dot(query, headRow(keys, kvHead, row)), value: headRow(values, kvHead, row) });
        };
        if (clusters > 0) for (let row = 0; row < sinks; row += 1) see(row);
        for (let row = clusters > 0 ? left : 0; row <= p; row += 1) see(row);
        const principal = principalKeys(cache, call, states, kvHead, query, clusters, exact);
        attendTo([...exact, ...principal], headRow(call.result, head, p - call.past));
      }
    }
  }
}

/** Clusters the tokens [first, end) of a head, sorts them by cluster where they lie, and writes the clusters from `slot` on. */
function clusterBlock(
  cache: ExpandCache,
  { keys, values, meanKey, meanValue, logMass, radius, offsets }: ExpandStates,
  head: number,
  first: number,
  end: number,
  slot: number,
): void {
  const count = end - first;
  const [size, valueSize] = [keys.shape[3] as number, values.shape[3] as number];
  const points = new Float64Array(count * size);
  const tokens = Array.from({ length: count }, (_, i) => {
    points.set(headRow(keys, head, first + i), i * size);
    return { key: headRow(keys, head, first + i).slice(), value: headRow(values, head, first + i).slice() };
  });
  const clusters = Math.min(cache.keysPerBlock, count);
  const assignment = assignClusters(points, count, size, clusters, cache.iterations);
  let next = first;
  for (let j = 0; j < cache.keysPerBlock; j += 1) {
    const members = tokens.filter((_, i) => assignment[i] === j);
    offsets.data[head * (offsets.shape[2] as number) + slot + j] = next;
    const mean = (of: 'key' | 'value', width: number): Float64Array => {
      const sum = new Float64Array(width);
      for (const member of members) for (let i = 0; i < width; i += 1) sum[i] = (sum[i] as number) + (member[of][i] as number);
      return members.length === 0 ? sum : sum.map((total) => total / members.length);
    };
    const [key, value] = [mean('key', size), mean('value', valueSize)];
    headRow(meanKey, head, slot + j).set(key);
    headRow(meanValue, head, slot + j).set(value);
    let squares = 0;
    for (const member of members)
      for (let i = 0; i < size; i += 1) squares += ((member.key[i] as number) - (key[i] as number)) ** 2;
    logMass.data[headIndex(logMass, head, slot + j)] = Math.log(members.length);
    radius.data[headIndex(radius, head, slot + j)] = squares / Math.max(1, members.length);
    for (const member of members) {
      headRow(keys, head, next).set(member.key);
      headRow(values, head, next).set(member.value);
      next += 1;
    }
  }
  offsets.data[head * (offsets.shape[2] as number) + slot + cache.keysPerBlock] = next;
}

/** The clusters that a query reads by their mean, and the tokens of those that it expands. */
function principalKeys(
  { expand }: ExpandCache,
  { scale }: CachedCall,
  { keys, values, meanKey, meanValue, logMass, radius, offsets }: ExpandStates,
  head: number,
  query: Tensor['data'],
  clusters: number,
  exact: readonly Attended[],
): readonly Attended[] {
  const square = dot(query, query);
  const candidates = Array.from({ length: clusters }, (_, j) => {
    const mass = logMass.data[headIndex(logMass, head, j)] as number;
    const score = mass === -Infinity ? mass : scale * dot(query, headRow(meanKey, head, j)) + mass;
    const spread = (scale ** 2 * square * (radius.data[headIndex(radius, head, j)] as number)) / (2 * query.length);
    return { j, score, estimate: score + spread };
  }).filter(({ score }) => score !== -Infinity);
  const logTotal = logSumExp([...exact.map(({ score }) => score), ...candidates.map(({ estimate }) => estimate)]);
  const { most, share } = expand ?? { most: 0, share: null };
  const best = [...candidates].sort((a, b) => b.estimate - a.estimate || a.j - b.j).slice(0, most);
  const chosen = new Set(
    best.filter(({ estimate }) => share === null || estimate - logTotal > Math.log(share)).map(({ j }) => j),
  );
  return candidates.flatMap(({ j, score }): readonly Attended[] => {
    if (!chosen.has(j)) return [{ score, value: headRow(meanValue, head, j) }];
    const at = head * (offsets.shape[2] as number) + j;
    const [first, end] = [offsets.data[at] as number, offsets.data[at + 1] as number];
    return Array.from({ length: end - first }, (_, i) => ({
      score: scale * dot(query, headRow(keys, head, first + i)),
      value: headRow(values, head, first + i),
    }));
  });
}
