import type { Node } from '../../../ir/graph.ts';
import { addSizes, ceilDivideSizes, floorDivideSizes, maxSize, multiplySizes, type Size } from '../../../ir/size.ts';
import type { AttentionSegment, VisibleRule } from '../../../ir/ops/attributes.ts';
import { PassError } from '../../pass-error.ts';
import { denseBelowTokens, readOneInput, type AttentionShape, type AttentionSite } from '../site.ts';
import type { Share } from '../share.ts';

/** One way of building principal keys: a row of the mode table. */
export interface AttentionMode {
  readonly name: string;
  /** What the principal keys are made from. */
  readonly space: string;
  /** Whether a causal model stays causal under it. */
  readonly causal: boolean;
  readonly error: 'exact' | 'approximate';
  /** Near-lossless without fine-tuning: the compiler may choose it on its own when it is cheaper. */
  readonly automatic: boolean;
  /** Whether heads of one layer may have different modes; not where keys of all heads come from one place. */
  readonly perHead: boolean;
  /** What a sequence keeps between steps, for causal use. */
  readonly state: string;
  /** Where the mode comes from. */
  readonly source: string;
  readonly summary: string;
  /** Keys that a query reads, of n tokens, where so many queries of a head choose together. */
  keysRead(share: Share, tokens: number, queriesPerChoice: number): number;
  /**
   * FLOPs of one sequence of n tokens over all heads of a layer, the work of the mode included; `gathered` are those that
   * read scattered keys one query at a time, which no target does at full rate; `saved` those of linear layers that the mode makes
   * smaller, none where it is not given.
   */
  flops(
    share: Share,
    tokens: number,
    shape: AttentionShape,
    queriesPerChoice: number,
  ): { readonly streamed: number; readonly gathered: number; readonly saved?: number };
  /** The attention of the site under this mode, f32 [b, H, n, ev]. Throws PassError where the model lacks what it needs. */
  build(site: AttentionSite, share: Share): Node;
}

const tokens: Size = 'tokens';

/** ceil(R n). */
export function countOf([numerator, denominator]: Share): Size {
  return ceilDivideSizes(multiplySizes(tokens, numerator), denominator);
}
/** One key per 2/R tokens: max(1, round(n R / 2)). */
export function expandKeysPerBlock([numerator, denominator]: Share): Size {
  return maxSize(1, floorDivideSizes(addSizes(multiplySizes(tokens, numerator), denominator), 2 * denominator));
}
/**
 * Expanded clusters a query: max(1, round(R^2 n / 4)). Queries that choose together agree on more, which gives the quality of a choice
 * of their own: docs/decisions/gpus-choose-clusters-per-tile.md.
 */
export function expandedClusters([numerator, denominator]: Share, queriesPerChoice: number): Size {
  const [times, over] = timesAsMany(queriesPerChoice);
  const divisor = 4 * over * denominator * denominator;
  const scaled = addSizes(multiplySizes(tokens, times * numerator * numerator), divisor / 2);
  return maxSize(1, floorDivideSizes(scaled, divisor));
}

/** Times as many clusters as a query by itself expands, as a fraction: measured for 1, 16 and 64 queries that choose together. */
function timesAsMany(queriesPerChoice: number): readonly [times: number, over: number] {
  if (queriesPerChoice === 1) return [1, 1];
  return queriesPerChoice <= 16 ? [3, 2] : [2, 1];
}

/** One segment with its inputs; rules that need an input bring it along. */
export interface SegmentInput {
  readonly keyOrScore: Node;
  readonly value: Node;
  readonly bias?: Node;
  readonly scored?: boolean;
  readonly visible: readonly { readonly rule: VisibleRule; readonly inputs: readonly Node[] }[];
}
export function attend(site: AttentionSite, segments: readonly SegmentInput[]): Node {
  const attributes = segments.map((segment): AttentionSegment => ({
    scored: segment.scored ?? false,
    bias: segment.bias !== undefined,
    visible: segment.visible.map(({ rule }) => rule),
  }));
  const inputs = segments.flatMap((segment) => [
    segment.keyOrScore,
    segment.value,
    ...(segment.bias ? [segment.bias] : []),
    ...segment.visible.flatMap((rule) => rule.inputs),
  ]);
  return site.make('attention', { scale: site.scale, segments: attributes }, [site.query, ...inputs]);
}

export const exactSegment = (site: AttentionSite): SegmentInput => ({
  keyOrScore: site.key,
  value: site.value,
  visible: [{ rule: { rule: 'padding' }, inputs: [site.mask] }],
});
/** The exact segment for sequences too short for principal keys. */
export function shortSegment(site: AttentionSite): SegmentInput {
  const exact = exactSegment(site);
  return { ...exact, visible: [...exact.visible, { rule: { rule: 'tokens', below: denseBelowTokens }, inputs: [site.tokens] }] };
}
/** The rule that a principal segment counts only for sequences that are long enough. */
export function longOnly(site: AttentionSite): SegmentInput['visible'][number] {
  return { rule: { rule: 'tokens', atLeast: denseBelowTokens }, inputs: [site.tokens] };
}

/** For modes that make keys and values of other rows. Throws PassError where they are not linear layers of one input. */
export function projectionsOfOneInput(
  { projections, layer }: AttentionSite,
  mode: string,
): NonNullable<AttentionSite['projections']> {
  if (projections && readOneInput(projections)) return projections;
  throw new PassError(
    'mode does not fit model',
    `Mode ${mode} needs keys and values that are linear layers of one input, and all heads of a layer; layer ${layer} has others.`,
  );
}

/** FLOPs of q . k and p v for each pair of query and key. */
export function pairFlops(shape: AttentionShape, queries: number, keys: number): number {
  return 2 * shape.queryHeads * queries * keys * (shape.headSize + shape.valueSize);
}
/** FLOPs of five k-means iterations over one block size; atp-modes.md: 5 * C * 2 e a token. */
export function clusterFlops(shape: AttentionShape, n: number, clustersPerBlock: number, iterations: number): number {
  return shape.kvHeads * n * iterations * clustersPerBlock * 2 * shape.headSize;
}
