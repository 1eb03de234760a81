/** The costs of an explanation with the dims of one run put in. */
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { ExplainedStep, Explanation, TokenBounds } from './explanation.ts';

export type Dims = Readonly<Record<string, number>>;

export interface StepWork {
  /** Whether the step runs at all at these dims. */
  readonly runs: boolean;
  /** One, or one a round. */
  readonly dispatches: number;
  readonly flops: number;
  readonly gatheredFlops: number;
  readonly bytes: number;
  /** By the planner's cost formula, on one core. */
  readonly predictedMilliseconds: number;
}

function holds(bounds: TokenBounds | undefined, dims: Dims): boolean {
  if (bounds === undefined) return true;
  const tokens = evaluateExpression(bounds.tokens, dims);
  return tokens >= (bounds.atLeast ?? 0) && tokens < (bounds.below ?? Infinity);
}

export function workOf(step: ExplainedStep, target: Explanation['target'], dims: Dims): StepWork {
  const rounds = roundsOf(step, dims).filter((round) => holds(step.when, round));
  const [first] = rounds;
  if (first === undefined) return { runs: false, dispatches: 0, flops: 0, gatheredFlops: 0, bytes: 0, predictedMilliseconds: 0 };
  // FLOPs are those of the graph's nodes, for the whole call; bytes are those of one dispatch.
  const parts = step.costs.filter(({ when }) => holds(when, first));
  const sum = (gathered: boolean): number =>
    parts.reduce((total, part) => total + ((part.gathered ?? false) === gathered ? evaluateExpression(part.flops, first) : 0), 0);
  const [streamed, gathered] = [sum(false), sum(true)];
  const seconds = streamed / target.flopsPerSecond + gathered / target.gatheredFlopsPerSecond;
  return {
    runs: true,
    dispatches: rounds.length,
    flops: streamed + gathered,
    gatheredFlops: gathered,
    bytes: rounds.reduce((total, round) => total + evaluateExpression(step.bytes, round), 0),
    predictedMilliseconds: seconds * 1000,
  };
}

/** The dims of each round of a step. */
function roundsOf({ rounds }: ExplainedStep, dims: Dims): readonly Dims[] {
  if (rounds === undefined) return [dims];
  const count = evaluateExpression(rounds.count, dims);
  return Array.from({ length: count }, (_, round) => ({ ...dims, [rounds.variable]: round }));
}
