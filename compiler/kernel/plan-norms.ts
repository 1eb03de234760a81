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
  /** By the node that is the left side of products, or a residual. */
  readonly taken: ReadonlyMap<Node, TakenNorm>;
  /** By the node whose rows a product writes: the norm that it gathers statistics for. */
  readonly gathered: ReadonlyMap<Node, Norm>;
  /** Why a norm that products alone read is a kernel of its own. */
  readonly kept: ReadonlyMap<Node, Boundary>;
}

const none: NormPlan = { taken: new Map(), gathered: new Map(), kept: new Map() };

type FormatOf = (parameter: string) => BlockFormat | null;
export function planNorms({ graph, fusion }: Stage, target: Target, formatOf: FormatOf): NormPlan {
  if (!target.leftNorm || !fusion) return none;
  const taken = new Map<Node, TakenNorm>();
  const gathered = new Map<Node, Norm>();
  const kept = new Map<Node, Boundary>();
  const places = new Places(fusion.groups, target, formatOf);
  const readers = readersOf(graph);
  const outputs = new Set(graph.outputs.map(({ node }) => node));
  for (const { kind, root, nodes } of fusion.groups) {
    // An expression that only the norm reads is not in memory: it is evaluated once, with the norm.
    if (kind !== 'norm' || !isNorm(root) || nodes.length > 1 || outputs.has(root)) continue;
    const norm: Norm = root.op === 'layer_norm' ? 'layer' : 'rms';
    const own = (readers.get(root) ?? []).map((reader) => places.of(root, reader, norm));
    if (own.length === 0 || own.includes('elsewhere')) continue;
    const [statistics] = new Set(own);
    if (!statistics || statistics === 'elsewhere' || own.some((other) => other !== statistics)) {
      kept.set(root, 'norm costs the product more');
      continue;
    }
    const [x] = root.inputs as [Node];
    if (statistics === 'gathered') {
      if (!places.gathers(x) || (gathered.get(x) ?? norm) !== norm) {
        kept.set(root, 'rows without statistics');
        continue;
      }
      gathered.set(x, norm);
    }
    places.take(root);
    taken.set(root, { node: root, norm, epsilon: root.attributes.epsilon, statistics });
  }
  return { taken, gathered, kept };
}

/** Where products read the result of a norm. */
class Places {
  readonly #target: Target;
  readonly #formatOf: FormatOf;
  readonly #groupOf = new Map<Node, Group>();
  /** Residuals that are normed, by the product: at most one of each. */
  readonly #residuals = new Map<Group, Node>();

  constructor(groups: readonly Group[], target: Target, formatOf: FormatOf) {
    this.#target = target;
    this.#formatOf = formatOf;
    for (const group of groups) if (group.kind === 'gemm') for (const node of group.nodes) this.#groupOf.set(node, group);
  }

  /** How a reader comes by statistics, as its left side or as a residual; null where it would cost more, `elsewhere` if it is neither. */
  of(root: Node, reader: Node, norm: Norm): LeftNorm['statistics'] | 'elsewhere' | null {
    const group = this.#groupOf.get(reader);
    if (!group) return 'elsewhere';
    const { schedule, depth } = this.#product(group);
    if (isGemm(reader)) return reader.inputs[0] === root ? (this.#target.leftNorm?.(norm, schedule, depth) ?? null) : 'elsewhere';
    // A kernel has the vectors and statistics of one residual; few rows would have to be read for it alone.
    const [read] = this.#addends(group, root);
    if (read === undefined || this.#addends(group, root).length > 1 || (this.#residuals.get(group) ?? root) !== root)
      return 'elsewhere';
    const way = this.#target.leftNorm?.(norm, schedule, tensorOf(reader).shape.at(-1) as Size) ?? null;
    return way === 'gathered' ? way : 'elsewhere';
  }
  take(root: Node): void {
    for (const group of new Set(this.#groupOf.values()))
      if (this.#addends(group, root).length > 0) this.#residuals.set(group, root);
  }
  /** Each place where a product adds a node to its sums. */
  #addends({ nodes }: Group, root: Node): readonly Node[] {
    return nodes.flatMap((node) => (node.op === 'add' ? node.inputs.filter((input) => input === root) : []));
  }
  /** Tiles of products that could take in gathered statistics can gather them too. */
  gathers(x: Node): boolean {
    const group = this.#groupOf.get(x);
    return group?.root === x && !('threads' in this.#product(group).schedule);
  }

  /** As much of a product as is known before memory is planned. */
  #product({ nodes }: Group): { readonly schedule: GemmKernel['schedule'] | BlockGemmKernel['schedule']; readonly depth: Size } {
    const [x, weight] = (nodes.find(isGemm) as Node).inputs as [Node, Node<'parameter'> & Node];
    const { shape } = tensorOf(x);
    const depth = shape.at(-1) as Size;
    const sizes = [elementCount(shape.slice(0, -1)), Number(weight.attributes.shape[0]), depth] as const;
    const inBlocks = this.#formatOf(weight.attributes.name) !== null;
    return { schedule: inBlocks ? this.#target.blockGemmSchedule(...sizes) : this.#target.gemmSchedule(...sizes), depth };
  }
}

function readersOf(graph: Graph): ReadonlyMap<Node, readonly Node[]> {
  const readers = new Map<Node, Node[]>();
  for (const node of graphNodes(graph))
    for (const input of new Set(node.inputs)) readers.set(input, [...(readers.get(input) ?? []), node]);
  return readers;
}
