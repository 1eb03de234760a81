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
  /** Norms that are kernels of their own and have the statistics of their rows from the product that writes them. */
  readonly handed: ReadonlySet<Node>;
  /** Why a norm that products alone read is a kernel of its own. */
  readonly kept: ReadonlyMap<Node, Boundary>;
}

const none: NormPlan = { taken: new Map(), gathered: new Map(), handed: new Set(), kept: new Map() };

type FormatOf = (parameter: string) => BlockFormat | null;
export function planNorms({ graph, fusion }: Stage, target: Target, formatOf: FormatOf): NormPlan {
  if (!target.leftNorm || !fusion) return none;
  const taken = new Map<Node, TakenNorm>();
  const gathered = new Map<Node, Norm>();
  const kept = new Map<Node, Boundary>();
  const places = new Places(fusion.groups, target, formatOf);
  const readers = readersOf(graph);
  const outputs = new Set(graph.outputs.map(({ node }) => node));
  const handed = new Set<Node>();
  for (const { kind, root, nodes } of fusion.groups) {
    // An expression that only the norm reads is not in memory: it is evaluated once, with the norm.
    if (kind !== 'norm' || !isNorm(root) || nodes.length > 1) continue;
    const norm: Norm = root.op === 'layer_norm' ? 'layer' : 'rms';
    const [x] = root.inputs as [Node];
    // Rows of which two norms want different statistics have them for the first.
    const isGathered = places.gathers(x, norm) && (gathered.get(x) ?? norm) === norm;
    const own = (readers.get(root) ?? []).map((reader) => places.of(root, reader, norm));
    const [statistics = 'elsewhere'] = outputs.has(root) || own.includes('elsewhere') ? [] : own;
    const isTaken = statistics !== 'elsewhere' && statistics !== null && own.every((other) => other === statistics);
    if (isTaken && (statistics === 'computed' || isGathered)) {
      places.take(root);
      taken.set(root, { node: root, norm, epsilon: root.attributes.epsilon, statistics });
      if (statistics === 'gathered') gathered.set(x, norm);
      continue;
    }
    if (statistics !== 'elsewhere') kept.set(root, isTaken ? 'rows without statistics' : 'norm costs the product more');
    // A row has the same bits whether products read it or others do.
    if (!isGathered) continue;
    gathered.set(x, norm);
    handed.add(root);
  }
  return { taken, gathered, handed, kept };
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
  /** Whether a product writes the rows of a node whose tiles, of many rows, could take in the norm themselves, and so gather for it. */
  gathers(x: Node, norm: Norm): boolean {
    const group = this.#groupOf.get(x);
    const width = tensorOf(x).shape.at(-1) as Size;
    return group?.root === x && this.#target.leftNorm?.(norm, this.#product(group).schedule, width) === 'gathered';
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
