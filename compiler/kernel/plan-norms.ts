/**
 * Which norms vanish as kernels: those that all their readers, products, take in (row-norm.ts). A group of one norm is removed where the
 * target's table says so of every product that reads it, and there are statistics of its rows where products do not compute them.
 */
import { graphNodes, isOp, tensorOf, type Graph, type Node } from '../../ir/graph.ts';
import { elementCount, type Size } from '../../ir/size.ts';
import { isGemm, type Boundary, type Group } from '../../passes/fuse/groups.ts';
import type { Stage } from '../../passes/pass.ts';
import type { Target } from '../codegen/target.ts';
import type { BlockFormat } from '../weights/block-format.ts';
import type { LeftNorm, Norm } from './row-norm.ts';

export type NormNode = Node<'layer_norm'> | Node<'rms_norm'>;
export const isNorm = (node: Node): node is NormNode & Node => isOp(node, 'layer_norm') || isOp(node, 'rms_norm');

/** A norm as the product sees it that takes it in. */
export interface TakenNorm extends LeftNorm {
  readonly node: NormNode & Node;
}
export interface NormPlan {
  /** By the node that is the left side of products. */
  readonly taken: ReadonlyMap<Node, TakenNorm>;
  /** By the node whose rows a product writes: the norm that it gathers statistics for. */
  readonly gathered: ReadonlyMap<Node, Norm>;
  /** Why a norm that products alone read is a kernel of its own. */
  readonly kept: ReadonlyMap<Node, Boundary>;
}

const none: NormPlan = { taken: new Map(), gathered: new Map(), kept: new Map() };

type FormatOf = (parameter: string) => BlockFormat | null;
export function planNorms({ graph, fusion }: Stage, target: Target, formatOf: FormatOf): NormPlan {
  const { leftNorm } = target;
  if (!leftNorm || !fusion) return none;
  const taken = new Map<Node, TakenNorm>();
  const gathered = new Map<Node, Norm>();
  const kept = new Map<Node, Boundary>();
  const groupOf = new Map(fusion.groups.map((group) => [group.root, group]));
  const readers = readersOf(graph);
  const outputs = new Set(graph.outputs.map(({ node }) => node));
  for (const { kind, root, nodes } of fusion.groups) {
    // An expression that only the norm reads is not in memory: it is evaluated once, with the norm.
    if (kind !== 'norm' || !isNorm(root) || nodes.length > 1 || outputs.has(root)) continue;
    const products = readers.get(root) ?? [];
    if (products.length === 0 || !products.every((product) => isGemm(product) && product.inputs[0] === root)) continue;
    const norm: Norm = root.op === 'layer_norm' ? 'layer' : 'rms';
    const ways = new Set(products.map((product) => leftNorm(plannedProduct(product, target, formatOf), norm)));
    const [statistics] = ways;
    if (statistics === undefined || statistics === null || ways.size > 1) {
      kept.set(root, 'norm costs the product more');
      continue;
    }
    const [x] = root.inputs as [Node];
    if (statistics === 'gathered') {
      if (!gathersRows(groupOf.get(x), target, formatOf, norm) || (gathered.get(x) ?? norm) !== norm) {
        kept.set(root, 'rows without statistics');
        continue;
      }
      gathered.set(x, norm);
    }
    taken.set(root, { node: root, norm, epsilon: root.attributes.epsilon, statistics });
  }
  return { taken, gathered, kept };
}

function readersOf(graph: Graph): ReadonlyMap<Node, readonly Node[]> {
  const readers = new Map<Node, Node[]>();
  for (const node of graphNodes(graph))
    for (const input of new Set(node.inputs)) readers.set(input, [...(readers.get(input) ?? []), node]);
  return readers;
}

/** As much of the kernel of a product as is known before memory is planned. */
export function plannedProduct(
  product: Node,
  target: Target,
  formatOf: FormatOf,
): Parameters<NonNullable<Target['leftNorm']>>[0] {
  const [x, weight] = product.inputs as [Node, Node<'parameter'> & Node];
  const { shape } = tensorOf(x);
  const [columns, format] = [Number(weight.attributes.shape[0]), formatOf(weight.attributes.name)];
  const sizes = [elementCount(shape.slice(0, -1)), columns, shape.at(-1) as Size] as const;
  return format
    ? { kind: 'block_gemm', format, schedule: target.blockGemmSchedule(...sizes) }
    : { kind: 'gemm', schedule: target.gemmSchedule(...sizes) };
}
/** Products that take in gathered statistics gather them too: their tiles are those of many rows. */
function gathersRows(group: Group | undefined, target: Target, formatOf: FormatOf, norm: Norm): boolean {
  const product = group?.kind === 'gemm' ? group.nodes.find(isGemm) : undefined;
  return product !== undefined && target.leftNorm?.(plannedProduct(product, target, formatOf), norm) === 'gathered';
}
