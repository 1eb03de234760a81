/**
 * Fusion: which nodes become one kernel. The result is data beside the graph; what a kernel looks like is the next level's
 * business.
 */
import { graphNodes, isOp, tensorOf, useCounts, type Graph, type Node } from '../../ir/graph.ts';
import type { OpName } from '../../ir/ops/attributes.ts';
import { shapesEqual, sizesEqual } from '../../ir/size.ts';
import type { Pass, PassContext } from '../pass.ts';

export type GroupKind =
  'gemm' | 'lookup' | 'map' | 'norm' | 'attention' | 'cached_attention' | 'cluster' | 'segment_means' | 'principal_rows';

/** Why a kernel ends where it does. */
export type Boundary =
  | 'output of the model'
  | 'several users'
  | 'user reads tiles' // a gemm or attention kernel reads its input more than once
  | 'user is a mode kernel'
  | 'table in blocks' // rows of a block-quantised table: a kernel of its own reads blocks
  | 'rows without statistics' // a norm whose rows no product writes that could gather their statistics
  | 'norm costs the product more' // the target plans a norm apart from a product of this kind
  | 'user moves data' // reshape, transpose, slice or concat of a computed value: the view needs memory to look at
  | 'appended to a cache'
  | 'reduction';

export interface Group {
  readonly kind: GroupKind;
  /** The node whose value the kernel writes (a tuple for the mode kernels). */
  readonly root: Node;
  /**
   * All nodes that the kernel computes, inputs before users. Of attention over a cache: what is computed where it is appended, then
   * the attention and its result.
   */
  readonly nodes: readonly Node[];
  readonly boundary: Boundary;
}
export interface FusionPlan {
  /** In an order in which every group comes after those that it reads. */
  readonly groups: readonly Group[];
}

export type Role =
  /** Lies in memory already. */
  | 'source'
  /** Costs nothing to compute again wherever it is used. */
  | 'free'
  /** Another way to look at memory. */
  | 'view'
  /** Part of whatever loop uses it, when it has one user. */
  | 'loop'
  /** Computed inside the attention kernel that uses it. */
  | 'inside attention'
  | Exclude<GroupKind, 'map'>
  | 'matmul'
  | 'reduction';

export const roles = {
  input: 'source',
  parameter: 'source',
  state: 'source',
  constant: 'free',
  iota: 'free',
  add: 'loop',
  subtract: 'loop',
  multiply: 'loop',
  divide: 'loop',
  maximum: 'loop',
  minimum: 'loop',
  less: 'loop',
  equal: 'loop',
  negate: 'loop',
  exp: 'loop',
  log: 'loop',
  sqrt: 'loop',
  tanh: 'loop',
  erf: 'loop',
  sin: 'loop',
  cos: 'loop',
  relu: 'loop',
  gelu: 'loop',
  gelu_tanh: 'loop',
  silu: 'loop',
  cast: 'loop',
  where: 'loop',
  reshape: 'view',
  transpose: 'view',
  broadcast: 'view',
  slice: 'view',
  concat: 'view',
  get: 'view',
  gather: 'loop',
  reduce_sum: 'reduction',
  reduce_max: 'reduction',
  matmul: 'matmul',
  layer_norm: 'norm',
  rms_norm: 'norm',
  softmax: 'reduction',
  rope: 'loop',
  attention: 'attention',
  cached_attention: 'cached_attention',
  select_clusters: 'inside attention',
  rank_keys: 'inside attention',
  cluster: 'cluster',
  segment_means: 'segment_means',
  principal_rows: 'principal_rows',
} as const satisfies { readonly [K in OpName]: Role };

/** Activations that a gemm applies to its accumulators. */
export const gemmActivations = ['gelu', 'gelu_tanh', 'relu', 'silu', 'tanh'] as const;
export type GemmActivation = (typeof gemmActivations)[number];

/** A product that runs on packed weights: [..., K] x [N, K]^T with the right side a parameter. */
export function isGemm(node: Node): boolean {
  return (
    isOp(node, 'matmul') &&
    node.attributes.transposeRight &&
    node.inputs[1]?.op === 'parameter' &&
    tensorOf(node.inputs[1]).shape.length === 2
  );
}
function isBias(node: Node, width: Node): boolean {
  const [shape, last] = [tensorOf(node).shape, tensorOf(width).shape.at(-1)];
  return node.op === 'parameter' && shape.length === 1 && last !== undefined && sizesEqual(shape[0] ?? 0, last);
}

/** The chain of users that a gemm can apply to its accumulators, the product first. */
function gemmChain(product: Node, userOf: (node: Node) => Node | undefined): readonly Node[] {
  const chain = [product];
  for (let last = product; ;) {
    const user = userOf(last);
    const other = user?.op === 'add' ? user.inputs.find((input) => input !== last) : undefined;
    const bias = other && isBias(other, last);
    const residual = other && !bias && other.op !== 'constant' && shapesEqual(tensorOf(other).shape, tensorOf(last).shape);
    const activation = user && (gemmActivations as readonly string[]).includes(user.op);
    if (!user || !(bias || residual || activation) || !shapesEqual(tensorOf(user).shape, tensorOf(product).shape)) return chain;
    chain.push(user);
    last = user;
  }
}

/** The result of attention over a cache; the other elements of its tuple are the cache itself. */
function isCachedResult(node: Node): boolean {
  return isOp(node, 'get') && node.attributes.index === 0 && node.inputs[0]?.op === 'cached_attention';
}

/** Joins or cuts [b, heads, n, size] along another axis than that of the rows. */
export function isHeadView(node: Node): node is (Node<'concat'> | Node<'slice'>) & Node {
  return (isOp(node, 'concat') || isOp(node, 'slice')) && tensorOf(node).shape.length === 4 && node.attributes.axis !== 2;
}

/** Rows of a table [N, K] in blocks by ids of any shape: an embedding. */
function isLookup(node: Node, storageOf: NonNullable<PassContext['storageOf']>): boolean {
  if (!isOp(node, 'gather') || node.attributes.batchAxes !== 0) return false;
  const table = node.inputs[0];
  return table !== undefined && isOp(table, 'parameter') && storageOf(table.attributes.name) !== null;
}

function planGroups(graph: Graph, storageOf: NonNullable<PassContext['storageOf']>): FusionPlan {
  const nodes = graphNodes(graph);
  const uses = useCounts(graph);
  const outputs = new Set(graph.outputs.map((output) => output.node));
  const users = new Map<Node, Node[]>();
  for (const node of nodes) for (const input of node.inputs) users.set(input, [...(users.get(input) ?? []), node]);
  const onlyUser = (node: Node): Node | undefined =>
    uses.get(node) === 1 && !outputs.has(node) ? users.get(node)?.[0] : undefined;

  // Nodes that a gemm's epilogue takes, by the last node of the chain.
  const gemmByRoot = new Map<Node, readonly Node[]>();
  const inGemm = new Set<Node>();
  for (const node of nodes) {
    if (!isGemm(node)) continue;
    // A residual that is itself a product ends up in only one of the two chains: the first one that reaches the sum.
    const chain = gemmChain(node, (last) => {
      const user = onlyUser(last);
      return user && !inGemm.has(user) ? user : undefined;
    });
    chain.forEach((member) => inGemm.add(member));
    gemmByRoot.set(chain.at(-1) as Node, chain);
  }

  const role = (node: Node): Role => (isLookup(node, storageOf) ? 'lookup' : roles[node.op]);
  /** The loop that takes a node in, or why none does. */
  const boundaryOf = (node: Node): Boundary | null => {
    if (outputs.has(node)) return 'output of the model';
    if (role(node) === 'lookup') return 'table in blocks';
    const user = onlyUser(node);
    if (!user) return 'several users';
    const tiled: readonly Role[] = ['attention', 'cached_attention', 'inside attention', 'matmul'];
    if (inGemm.has(user) || tiled.includes(role(user))) return 'user reads tiles';
    if (role(user) === 'view') return 'user moves data';
    const isTable = user.op === 'gather' && user.inputs[0] === node;
    const isLoopInput = role(user) === 'loop' || role(user) === 'reduction' || (role(user) === 'norm' && user.inputs[0] === node);
    return isLoopInput && !isTable ? null : isTable ? 'user moves data' : 'user is a mode kernel';
  };

  /** A node and what is computed in the same loop below it. */
  const inlined = (root: Node): Node[] => {
    const members: Node[] = [];
    const visit = (node: Node): void => {
      for (const input of node.inputs) {
        const takenIn = role(input) === 'free' || (role(input) === 'loop' && !inGemm.has(input) && boundaryOf(input) === null);
        if (takenIn && !members.includes(input)) visit(input);
      }
      members.push(node);
    };
    visit(root);
    return members;
  };
  /** Whether all that becomes of a value are rows of caches. */
  const isAppended = (node: Node): boolean => {
    const readers = users.get(node) ?? [];
    const isAppendedBy = (user: Node): boolean => {
      if (isHeadView(user)) return isAppended(user);
      return isOp(user, 'cached_attention') && user.inputs.every((input, index) => input !== node || index === 1 || index === 2);
    };
    return !outputs.has(node) && readers.length > 0 && readers.every(isAppendedBy);
  };
  /** A loop that no kernel runs by itself: who appends the value computes it in its place, from any row on. */
  const isComputedInPlace = (node: Node): boolean =>
    role(node) === 'loop' && !inGemm.has(node) && isAppended(node) && !inlined(node).some((member) => member.op === 'iota');
  const appendedBy = (attention: Node): Node[] => {
    const visit = (node: Node): Node[] => {
      if (isHeadView(node)) return node.inputs.flatMap(visit);
      return isComputedInPlace(node) ? inlined(node) : [];
    };
    return [...new Set(attention.inputs.slice(1, 3).flatMap(visit))];
  };
  const insideAttention = (root: Node): Node[] => {
    const inside = root.inputs
      .map((input) => (input.op === 'get' ? (input.inputs[0] as Node) : input))
      .filter((input) => role(input) === 'inside attention');
    return [...new Set(inside), root];
  };

  const groups: Group[] = [];
  for (const node of nodes) {
    const chain = gemmByRoot.get(node);
    const boundary = boundaryOf(node) ?? 'reduction';
    if (chain) groups.push({ kind: 'gemm', root: node, nodes: chain, boundary });
    else if (inGemm.has(node)) continue;
    else {
      const is = role(node);
      if (is === 'attention') groups.push({ kind: is, root: node, nodes: insideAttention(node), boundary });
      else if (is === 'lookup') groups.push({ kind: is, root: node, nodes: [node], boundary });
      else if (isCachedResult(node)) {
        const attention = node.inputs[0] as Node;
        groups.push({ kind: 'cached_attention', root: node, nodes: [...appendedBy(attention), attention, node], boundary });
      } else if (is === 'cluster' || is === 'segment_means' || is === 'principal_rows') {
        groups.push({ kind: is, root: node, nodes: [node], boundary: 'user is a mode kernel' });
      } else if (is === 'norm') groups.push({ kind: is, root: node, nodes: inlined(node), boundary });
      else if (is === 'matmul') groups.push({ kind: 'map', root: node, nodes: [node], boundary });
      else if (is === 'reduction') groups.push({ kind: 'map', root: node, nodes: inlined(node), boundary });
      else if (is === 'loop' && boundaryOf(node) !== null && !isComputedInPlace(node))
        groups.push({ kind: 'map', root: node, nodes: inlined(node), boundary });
    }
  }
  return { groups };
}

export const group: Pass = {
  name: 'group',
  requires: ['attention planned', 'parameters folded'],
  ensures: ['grouped'],
  error: 'exact',
  run: (stage, { storageOf = () => null }) => ({ ...stage, fusion: planGroups(stage.graph, storageOf) }),
};
