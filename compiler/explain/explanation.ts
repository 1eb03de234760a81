/**
 * explain.json of a package: what each dispatch of program.json computes, where in the model it comes from, why it ends where
 * it does, and what it costs. Sizes are expressions of the program's dims.
 */
import type { SizeExpression } from '../../runtime/format/expression.ts';
import type { KernelKind } from '../kernel/kernel.ts';
import type { Dispatch } from '../kernel/dispatch.ts';

export interface Explanation {
  readonly formatVersion: 1;
  readonly target: {
    readonly name: string;
    /** What the planner reckons with, for one core. */
    readonly flopsPerSecond: number;
    readonly gatheredFlopsPerSecond: number;
  };
  readonly sources: readonly ExplainedSource[];
  readonly nodes: readonly ExplainedNode[];
  /** One for each dispatch of `forward`, in order. */
  readonly steps: readonly ExplainedStep[];
}
export interface ExplainedSource {
  /** From the folder of the model file; `atpc/families/...` for a built-in family. */
  readonly file: string;
  /** Line number -> text, of the lines that nodes came from. */
  readonly lines: Readonly<Record<string, string>>;
}
export interface ExplainedNode {
  readonly op: string;
  readonly type: string;
  /** The variable of the model file, or a name derived from it. */
  readonly name?: string;
  /** Index into `sources`, line, column. */
  readonly at?: readonly [number, number, number];
  /** Module path of the parameters around it. */
  readonly scope?: string;
  /** Passes that made or rewrote it, oldest first. */
  readonly passes?: readonly string[];
  /** Inputs among the nodes here. */
  readonly inputs: readonly number[];
}
export type StepKind = KernelKind | 'copy';
export interface ExplainedStep {
  readonly label: string;
  /** Exported kernel that runs it. */
  readonly kernel: string;
  readonly kind: StepKind;
  /** Number in the module path, `encoder.layer.3` is 3; null outside of numbered layers. */
  readonly layer: number | null;
  /** What it computes, inputs before users; for a copy, what it copies. */
  readonly nodes: readonly number[];
  /** Nodes between those and memory that cost nothing: another way to look at it. */
  readonly views: readonly number[];
  readonly weights: readonly string[];
  /** Steps whose results it reads. */
  readonly from: readonly number[];
  /** Ports of the model that it reads and writes. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Why nothing more was fused into it. */
  readonly boundary: Dispatch['boundary'];
  /** Floating-point operations, a multiply-add counts 2; parts add up where their range of tokens holds. */
  readonly costs: readonly StepCost[];
  /** Read and written, every operand once. */
  readonly bytes: SizeExpression;
  /** Not run for fewer tokens. */
  readonly when?: TokenBounds;
  /** Runs so often in a call, with the dim `variable` counting from 0; once where it is missing. */
  readonly rounds?: { readonly variable: string; readonly count: SizeExpression };
}
export interface StepCost {
  readonly flops: SizeExpression;
  /** The part reads scattered keys, one query at a time. */
  readonly gathered?: true;
  readonly when?: TokenBounds;
}
/** atLeast <= tokens < below. */
export interface TokenBounds {
  readonly tokens: SizeExpression;
  readonly atLeast?: number;
  readonly below?: number;
}

/** Why a kernel ends, as a sentence. */
export const boundaryReasons: { readonly [K in Dispatch['boundary']]: string } = {
  'output of the model': 'Its result is an output of the model, which the caller reads.',
  'several users': 'Several kernels read its result: fused into each, it would be computed several times.',
  'user reads tiles': 'The product or attention that reads its result reads it more than once, from memory.',
  'user is a mode kernel': 'The kernel that reads its result builds principal keys or normalises, and takes it from memory.',
  'table in blocks': 'It reads rows of a table in blocks, and gives them as plain numbers to what uses them.',
  'rows without statistics':
    'The product that reads its result could normalise by itself, by statistics of the rows; no product writes these rows, which would gather them.',
  'norm costs the product more':
    'The product that reads its result could normalise by itself; on this target, in this form, that takes longer than a kernel for it.',
  'user moves data':
    'Its result is reshaped, transposed, sliced, joined or used as a table, which is free for values in memory and impossible inside a loop.',
  'appended to a cache': 'Its result is rows of a cache, which this call and later ones read from memory.',
  reduction:
    'It ends a product, sum, maximum or norm: a kernel has at most one, and the loop that reads its result needs the finished value.',
  layout: 'A copy: the value lies in memory in an order that strides cannot turn into what its reader needs.',
};

/** What the kinds of kernel do. */
export const kindWords: { readonly [K in StepKind]: string } = {
  gemm: 'matrix product with packed weights',
  block_gemm: 'matrix product with block-quantised weights',
  block_lookup: 'rows of a block-quantised table',
  map: 'loop',
  maps: 'several loops, side by side',
  norm: 'normalisation of rows',
  attention: 'attention, online softmax',
  cluster: 'clusters of keys',
  segment_means: 'means of segments of keys',
  principal_rows: 'principal rows',
  cluster_block: 'clusters of a block that left the window',
  evict: 'eviction by score',
  score_keys: 'scores of kept keys',
  copy: 'copy',
};
