/** FLOPs, time and state of a plan of caches at some lengths, against dense caches. */
import { flopsBesideAttention } from '../passes/cost.ts';
import { cacheFlops, cacheSeconds } from '../passes/cache-cost.ts';
import { causalModes, type CacheGroup, type CachePlan } from '../passes/atp/cache-plan.ts';
import { stateBytes, type CacheSpec } from '../ir/cache.ts';
import type { AttentionShape } from '../passes/atp/site.ts';
import { seqDim } from '../passes/cache.ts';
import type { Target } from './codegen/target.ts';
import type { PlanReport, PlanRow, PlanTotal } from './compile-options.ts';
import type { SourceModel } from './source-model.ts';

/** Where a plan pays, and how much more with length: a session that is shorter can be compiled longer (`--max-seq`). */
export const cachePlanLengths: readonly number[] = [2048, 8192, 32768];

export function cachePlanReport(
  source: Pick<SourceModel, 'graph'>,
  plan: CachePlan,
  shapes: readonly AttentionShape[],
  target: Target,
  maxTokens: number,
  asked?: readonly number[],
): PlanReport {
  const fitting = cachePlanLengths.filter((length) => length <= maxTokens);
  const lengths = asked ?? (fitting.length > 0 ? fitting : [maxTokens]);
  const parts = shapes.flatMap((shape) =>
    (plan.layers[shape.layer] ?? []).map((group) => ({ shape, group, dense: denseGroup(group, maxTokens) })),
  );
  const flops = (shape: AttentionShape, group: CacheGroup, tokens: number): number => {
    const { streamed, gathered } = cacheFlops(shape, group, tokens);
    return streamed + gathered;
  };
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const bytes = (shape: AttentionShape, { cache, kvHeads }: CacheGroup, tokens: number): number => {
    const { headSize, valueSize } = shape;
    return stateBytes(withCapacity(cache, tokens), { kvHeads: kvHeads.length, headSize, valueSize });
  };
  const rows = parts.map(({ shape, group, dense }): PlanRow => ({
    layer: shape.layer,
    mode: group.mode,
    heads: group.kvHeads,
    keys: 1,
    atLengths: lengths.map((tokens) => ({
      tokens,
      denseFlops: flops(shape, dense, tokens),
      planFlops: flops(shape, group, tokens),
    })),
  }));
  const totals = lengths.map((tokens): PlanTotal => {
    const beside = flopsBesideAttention(source.graph, { [seqDim]: tokens });
    const besideSeconds = beside / target.flopsPerSecond;
    const denseFlops = sum(parts.map(({ shape, dense }) => flops(shape, dense, tokens)));
    const planFlops = sum(parts.map(({ shape, group }) => flops(shape, group, tokens)));
    const seconds = (pick: 'group' | 'dense'): number =>
      sum(parts.map((part) => cacheSeconds(part.shape, part[pick], tokens, target))) + besideSeconds;
    return {
      tokens,
      denseFlops,
      planFlops,
      modelDenseFlops: denseFlops + beside,
      modelPlanFlops: planFlops + beside,
      predictedDenseMilliseconds: seconds('dense') * 1000,
      predictedPlanMilliseconds: seconds('group') * 1000,
      denseStateBytes: sum(parts.map(({ shape, dense }) => bytes(shape, dense, tokens))),
      planStateBytes: sum(parts.map(({ shape, group }) => bytes(shape, group, tokens))),
    };
  });
  return { reason: plan.reason, rows, totals, sessionTokens: maxTokens };
}

function denseGroup({ kvHeads }: CacheGroup, maxTokens: number): CacheGroup {
  return { mode: 'dense', kvHeads, cache: causalModes.dense.cache(maxTokens) };
}
/** The same cache for a session of `tokens` tokens. */
export function withCapacity(cache: CacheSpec, tokens: number): CacheSpec {
  return cache.kind === 'stream' ? cache : { ...cache, capacity: tokens };
}
