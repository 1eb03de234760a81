/** What a model costs: FLOPs of the graph at given dims, attention apart. */
import { graphNodes, type Graph, type Node } from '../ir/graph.ts';
import { ops } from '../ir/ops/table.ts';
import type { OpName } from '../ir/ops/attributes.ts';
import { evaluateSize } from '../ir/size.ts';
import { modes } from './atp/modes/table.ts';
import { isDense, type HeadGroup } from './atp/plan.ts';
import { denseBelowTokens, type AttentionShape } from './atp/site.ts';

export function nodeFlops<K extends OpName>(node: Node<K>, dims: Readonly<Record<string, number>>): number {
  const cost = ops[node.op].cost(
    node.attributes,
    node.inputs.map((input) => input.type),
    node.type,
  );
  return evaluateSize(cost.flops, dims);
}

/** FLOPs of everything but attention, for a graph as written. */
export function flopsBesideAttention(graph: Graph, dims: Readonly<Record<string, number>>): number {
  return graphNodes(graph).reduce((sum, node) => (node.op === 'attention' ? sum : sum + nodeFlops(node, dims)), 0);
}

/** FLOPs of a group of heads for one sequence; `gathered` and `saved` as in the mode table. */
export interface AttentionWork {
  readonly streamed: number;
  readonly gathered: number;
  readonly saved: number;
}
/** The work of some heads of a layer under their mode: short sequences stay dense, except under literal ATP. */
export function attentionWork(
  shape: AttentionShape,
  { mode, keys, kvHeads }: Pick<HeadGroup, 'mode' | 'keys' | 'kvHeads'>,
  tokens: number,
  queriesPerChoice: number,
): AttentionWork {
  const heads = { ...shape, kvHeads: kvHeads.length, queryHeads: (shape.queryHeads * kvHeads.length) / shape.kvHeads };
  const dense = isDense({ mode, keys }) || (tokens < denseBelowTokens && mode !== 'svd');
  return { saved: 0, ...modes[dense ? 'dense' : mode].flops(keys, tokens, heads, queriesPerChoice) };
}
