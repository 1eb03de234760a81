import { attentionWork, flopsBesideAttention } from '../passes/cost.ts';
import type { AttentionPlan, HeadGroup } from '../passes/atp/plan.ts';
import { shareValue, wholeShare } from '../passes/atp/share.ts';
import type { AttentionShape } from '../passes/atp/site.ts';
import { evaluateExpression } from '../runtime/format/expression.ts';
import type { Program } from '../runtime/format/program.ts';
import { predictedSeconds } from './attention/choose-plan.ts';
import type { Target } from './codegen/target.ts';
import type { PlanReport, PlanRow, PlanTotal } from './compile-options.ts';
import { groupsOf } from './manifest-parts.ts';
import { longestSequence, type SourceModel } from './source-model.ts';

/** Lengths that a plan is shown at, as far as the model takes them. */
const shownLengths = [128, 256, 512, 2048, 8192, 32768];

/** Dims of one sequence of `tokens`. */
export function dimsAt(source: Pick<SourceModel, 'graph'>, tokens: number): Record<string, number> {
  return Object.fromEntries(
    source.graph.dims.map(({ name, min, max }) => [name, name === 'batch' ? min : Math.max(min, Math.min(max, tokens))]),
  );
}

/** FLOPs, time and memory of a plan at some lengths, against dense. */
export function planReport(
  source: Pick<SourceModel, 'graph'>,
  program: Program,
  plan: AttentionPlan,
  shapes: readonly AttentionShape[],
  target: Target,
  asked?: readonly number[],
): PlanReport {
  const lengths = asked ?? shownLengths.filter((length) => length <= longestSequence(source.graph));
  const parts = shapes.flatMap((shape) => groupsOf(plan, shape).map((group) => ({ shape, group, dense: denseGroup(group) })));
  const flops = (shape: AttentionShape, group: HeadGroup, tokens: number): number => {
    const { streamed, gathered } = attentionWork(shape, group, tokens, target.queriesPerChoice);
    return streamed + gathered;
  };
  const saved = (shape: AttentionShape, group: HeadGroup, tokens: number): number =>
    attentionWork(shape, group, tokens, target.queriesPerChoice).saved;
  const rows = parts.map(({ shape, group, dense }): PlanRow => {
    const atLengths = lengths.map((tokens) => ({
      tokens,
      denseFlops: flops(shape, dense, tokens),
      planFlops: flops(shape, group, tokens),
    }));
    return { layer: shape.layer, mode: group.mode, heads: group.kvHeads, keys: shareValue(group.keys), atLengths };
  });
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const totals = lengths.map((tokens): PlanTotal => {
    const dims = dimsAt(source, tokens);
    const beside = flopsBesideAttention(source.graph, dims);
    const denseFlops = sum(parts.map(({ shape, dense }) => flops(shape, dense, tokens)));
    const planFlops = sum(parts.map(({ shape, group }) => flops(shape, group, tokens)));
    const besideSeconds = beside / target.flopsPerSecond;
    const denseSeconds = sum(parts.map(({ shape, dense }) => predictedSeconds(shape, dense, tokens, target)));
    const planSeconds = sum(parts.map(({ shape, group }) => predictedSeconds(shape, group, tokens, target)));
    return {
      tokens,
      denseFlops,
      planFlops,
      modelDenseFlops: denseFlops + beside,
      modelPlanFlops: planFlops + beside - sum(parts.map(({ shape, group }) => saved(shape, group, tokens))),
      predictedDenseMilliseconds: (denseSeconds + besideSeconds) * 1000,
      predictedPlanMilliseconds: (planSeconds + besideSeconds) * 1000,
      peakBytes: sum(Object.values(program.arenas).map((bytes) => evaluateExpression(bytes, dims))),
    };
  });
  return { reason: plan.reason, rows, totals };
}

const denseGroup = (group: HeadGroup): HeadGroup => ({ ...group, mode: 'dense', keys: wholeShare });
