/** Finding and describing the attention nodes of a model. */
import { graphNodes, isOp, tensorOf, type Graph, type Node } from '../../ir/graph.ts';
import type { OpAttributes, OpName } from '../../ir/ops/attributes.ts';
import type { Size } from '../../ir/size.ts';

export type MakeNode = <K extends OpName>(op: K, attributes: OpAttributes[K], inputs: readonly Node[]) => Node;

/** Sequences with fewer tokens stay dense: atp-modes.md, section 2 ("Encoders: ... dense below 64 tokens"). */
export const denseBelowTokens = 64;

/** One attention over some heads, ready to be rewritten by a mode. */
export interface AttentionSite {
  readonly layer: number;
  readonly make: MakeNode;
  /** f32 [b, H, n, e]. */
  readonly query: Node;
  /** f32 [b, G, s, e]. */
  readonly key: Node;
  /** f32 [b, G, s, ev]. */
  readonly value: Node;
  /** bool [b, s]. */
  readonly mask: Node;
  /** Unpadded tokens, i32 [b]. */
  readonly tokens: Node;
  readonly scale: number;
  /** Consecutive queries of a head that choose keys together: 1 where each chooses for itself. */
  readonly queriesPerChoice: number;
  /** The heads of the checkpoint that this site covers, in order, of all that the layer has. */
  readonly kvHeads: { readonly chosen: readonly number[]; readonly total: number };
  /** How key and value come from the hidden states; null where they do not come from one linear layer each. */
  readonly projections: { readonly key: Projection; readonly value: Projection } | null;
}

/** key = transpose(reshape(x W^T + b)): the linear layer behind a [b, heads, n, e] tensor. */
export interface Projection {
  readonly x: Node;
  /** [heads * e, d]. */
  readonly weight: Node;
  /** [heads * e]. */
  readonly bias: Node | null;
  readonly heads: number;
  readonly headSize: number;
}

const headsFirst = [0, 2, 1, 3];

/** The projection behind a tensor of heads, or null when the pattern does not match. */
export function projectionOf(node: Node): Projection | null {
  if (!isOp(node, 'transpose') || !node.attributes.permutation.every((axis, index) => axis === headsFirst[index])) return null;
  const split = node.inputs[0];
  if (!split || !isOp(split, 'reshape')) return null;
  const [heads, headSize] = split.attributes.shape.slice(2);
  const linear = split.inputs[0];
  if (!linear || typeof heads !== 'number' || typeof headSize !== 'number') return null;
  const bias = linear.op === 'add' ? (linear.inputs.find((input) => input.op === 'parameter') ?? null) : null;
  const product = linear.op === 'add' ? linear.inputs.find((input) => input.op === 'matmul') : linear;
  if (!product || !isOp(product, 'matmul') || !product.attributes.transposeRight || (linear.op === 'add' && !bias)) return null;
  const [x, weight] = product.inputs;
  if (!x || weight?.op !== 'parameter') return null;
  return { x, weight, bias, heads, headSize };
}

/** The projections behind keys and values; null where one of them has none. */
export function projectionsOf(keys: Node, values: Node): AttentionSite['projections'] {
  const [key, value] = [projectionOf(keys), projectionOf(values)];
  return key && value && { key, value };
}
export function readOneInput({ key, value }: NonNullable<AttentionSite['projections']>): boolean {
  return key.x === value.x;
}

/** Rebuilds heads from a projection, after its weights were changed. */
export function applyProjection(make: MakeNode, projection: Projection): Node {
  const { x, weight, bias, heads, headSize } = projection;
  const product = make('matmul', { transposeRight: true }, [x, weight]);
  const linear = bias ? make('add', {}, [product, bias]) : product;
  const [batch, tokens] = tensorOf(x).shape as [Size, Size];
  const split = make('reshape', { shape: [batch, tokens, heads, headSize] }, [linear]);
  return make('transpose', { permutation: headsFirst }, [split]);
}

/** Unpadded tokens of each sequence, i32 [b], from a mask bool [b, s]. */
export function countTokens(make: MakeNode, mask: Node): Node {
  const [batch] = tensorOf(mask).shape as [Size, Size];
  return make('reshape', { shape: [batch] }, [make('reduce_sum', { axis: 1 }, [make('cast', { to: 'i32' }, [mask])])]);
}

/** The attention nodes of a model, one a layer, inputs before users: their index is the layer of a plan. */
export function attentionNodes(graph: Graph): readonly Node<'attention'>[] {
  return graphNodes(graph).filter((node) => isOp(node, 'attention'));
}

/** Every key/value head of a layer. */
export function allHeads({ kvHeads }: Pick<AttentionShape, 'kvHeads'>): readonly number[] {
  return Array.from({ length: kvHeads }, (_, head) => head);
}

export interface AttentionShape {
  readonly layer: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly valueSize: number;
  /** The one key segment is masked by padding and nothing else: an encoder's attention, which the modes can rewrite. */
  readonly encoder: boolean;
}
export function attentionShape(node: Node<'attention'>, layer: number): AttentionShape {
  const [query, key, value] = node.inputs.map((input) => tensorOf(input).shape);
  const numbers = [query?.[1], key?.[1], query?.[3], value?.[3]].map((size) => (typeof size === 'number' ? size : 0));
  const [queryHeads = 0, kvHeads = 0, headSize = 0, valueSize = 0] = numbers;
  const [segment, ...others] = node.attributes.segments;
  const encoder =
    others.length === 0 &&
    segment !== undefined &&
    !segment.bias &&
    !segment.scored &&
    segment.visible.length === 1 &&
    segment.visible[0]?.rule === 'padding';
  return { layer, queryHeads, kvHeads, headSize, valueSize, encoder };
}
