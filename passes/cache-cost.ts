/** What attention over a cache costs while a text of n tokens is read from the start. */
import type { CacheKind, CacheSpec } from '../ir/cache.ts';
import type { CacheGroup } from './atp/cache-plan.ts';
import type { AttentionShape } from './atp/site.ts';

/** Speeds of one core: FLOPs a second of tiled kernels, and of those that gather keys query by query. */
export interface Speeds {
  readonly flopsPerSecond: number;
  readonly gatheredFlopsPerSecond: number;
}
/** Pairs of a query and a key, summed over all queries of one head; those that are gathered apart. */
interface Pairs {
  readonly streamed: number;
  readonly gathered: number;
}

/** Expanded clusters that stay in use with an adaptive share: 183 to 210 exact tokens of 8 a cluster (atp-modes.md, section 4). */
export const adaptiveClusters = 25;

const pairs: { readonly [K in CacheKind]: (cache: Extract<CacheSpec, { kind: K }>, tokens: number) => Pairs } = {
  dense: (_, tokens) => ({ streamed: (tokens * (tokens + 1)) / 2, gathered: 0 }),
  expand({ sinks, window, block, keysPerBlock, expand, iterations }, tokens) {
    const near = sumOverQueries(tokens, (past) => Math.min(past + 1, sinks + window + block / 2));
    const far = (past: number): number => Math.max(0, past + 1 - sinks - window - block / 2);
    const tokensPerKey = block / keysPerBlock;
    const most = expand === null ? 0 : expand.share === null ? expand.most : Math.min(expand.most, adaptiveClusters);
    const means = sumOverQueries(tokens, (past) => far(past) / tokensPerKey);
    const exact = sumOverQueries(tokens, (past) => Math.min(far(past), most * tokensPerKey));
    // k-means: iterations x clusters a token, half of a pair each (no value is read).
    const clustering = far(tokens - 1) * iterations * keysPerBlock * 0.5;
    return { streamed: near + means + clustering, gathered: exact };
  },
  stream({ sinks, window, block, atoms }, tokens) {
    const read = sumOverQueries(tokens, (past) => Math.min(past + 1, sinks + atoms + window + block / 2));
    // Scores are computed a second time, without values.
    return { streamed: read * 1.5, gathered: 0 };
  },
};
/** A sum over queries by eight-point steps: exact enough for piecewise linear counts. */
function sumOverQueries(tokens: number, keys: (past: number) => number): number {
  const steps = Math.min(tokens, 512);
  let sum = 0;
  for (let step = 0; step < steps; step += 1) sum += keys(((step + 0.5) * tokens) / steps - 0.5);
  return (sum * tokens) / steps;
}

export function cacheFlops(shape: AttentionShape, group: CacheGroup, tokens: number): Pairs {
  const count = pairs[group.cache.kind](group.cache as never, tokens);
  const heads = (shape.queryHeads / shape.kvHeads) * group.kvHeads.length;
  const each = 2 * heads * (shape.headSize + shape.valueSize);
  return { streamed: count.streamed * each, gathered: count.gathered * each };
}
export function cacheSeconds(shape: AttentionShape, group: CacheGroup, tokens: number, speeds: Speeds): number {
  const { streamed, gathered } = cacheFlops(shape, group, tokens);
  return streamed / speeds.flopsPerSecond + gathered / speeds.gatheredFlopsPerSecond;
}
