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
import type { BlockGemmKernel, GemmKernel } from './kernel.ts';
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
  const wayOf = (product: Node, norm: Norm): LeftNorm['statistics'] | null => {
    const { depth, schedule } = plannedProduct(product, target, formatOf);
    return leftNorm(norm, schedule, depth);
  };
  // Tiles of products that could take in gathered statistics can gather them too.
  const gathers = (group: Group | undefined): boolean => {
    const product = group?.kind === 'gemm' ? group.nodes.find(isGemm) : undefined;
    return product !== undefined && !('threads' in plannedProduct(product, target, formatOf).schedule);
  };
  const outputs = new Set(graph.outputs.map(({ node }) => node));
  for (const { kind, root, nodes } of fusion.groups) {
    // An expression that only the norm reads is not in memory: it is evaluated once, with the norm.
    if (kind !== 'norm' || !isNorm(root) || nodes.length > 1 || outputs.has(root)) continue;
    const products = readers.get(root) ?? [];
    if (products.length === 0 || !products.every((product) => isGemm(product) && product.inputs[0] === root)) continue;
    const norm: Norm = root.op === 'layer_norm' ? 'layer' : 'rms';
    const ways = new Set(products.map((product) => wayOf(product, norm)));
    const [statistics] = ways;
    if (statistics === undefined || statistics === null || ways.size > 1) {
      kept.set(root, 'norm costs the product more');
      continue;
    }
    const [x] = root.inputs as [Node];
    if (statistics === 'gathered') {
      if (!gathers(groupOf.get(x)) || (gathered.get(x) ?? norm) !== norm) {
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

/** As much of a product as is known before memory is planned. */
function plannedProduct(
  product: Node,
  target: Target,
  formatOf: FormatOf,
): { readonly schedule: GemmKernel['schedule'] | BlockGemmKernel['schedule']; readonly depth: Size } {
  const [x, weight] = product.inputs as [Node, Node<'parameter'> & Node];
  const { shape } = tensorOf(x);
  const depth = shape.at(-1) as Size;
  const sizes = [elementCount(shape.slice(0, -1)), Number(weight.attributes.shape[0]), depth] as const;
  const inBlocks = formatOf(weight.attributes.name) !== null;
  return { schedule: inBlocks ? target.blockGemmSchedule(...sizes) : target.gemmSchedule(...sizes), depth };
}
