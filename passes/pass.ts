/**
 * Passes are values: a name, what they need, what they give, and a function from one stage of a model to the next. The
 * pipeline is a list of them (pipeline.ts).
 */
import type { Graph, Node } from '../ir/graph.ts';
import type { AttentionPlan } from './atp/plan.ts';
import type { FusionPlan } from './fuse/groups.ts';

/** What a pass may rely on, and what it leaves behind. */
export type Property =
  /** Composite ops that the target lacks are decomposed; no redundant movement. */
  | 'canonical'
  /** Every attention node has the mode that the plan gives it. */
  | 'attention planned'
  /** No node depends on parameters alone: such nodes are parameters of their own, with their origin in `derived`. */
  | 'parameters folded'
  /** Nodes are grouped into kernels. */
  | 'grouped';

/** A model on its way through the pipeline. */
export interface Stage {
  readonly graph: Graph;
  /** Parameters computed from others at compile time: name -> the node that gives the value. */
  readonly derived: ReadonlyMap<string, Node>;
  readonly properties: ReadonlySet<Property>;
  readonly fusion: FusionPlan | null;
}

export interface PassContext {
  readonly plan: AttentionPlan;
  /** Consecutive queries of a head that choose keys together, where nothing is causal: 1 where each chooses for itself. */
  readonly queriesPerChoice: number;
  /** Composite ops that the target has kernels for; the others are decomposed. */
  readonly nativeOps: ReadonlySet<string>;
  /**
   * How the values of a parameter are kept: null as plain numbers, else in blocks, with a key that is the same for the same
   * format. Without it all are plain numbers.
   */
  readonly storageOf?: (parameter: string) => string | null;
}

export interface Pass {
  readonly name: string;
  readonly requires: readonly Property[];
  readonly ensures: readonly Property[];
  /** How results may differ from the model's: not at all, by rounding only, or as an approximation that the manifest names. */
  readonly error: 'exact' | 'rounding' | 'approximate';
  run(stage: Stage, context: PassContext): Stage;
}
