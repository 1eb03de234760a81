/**
 * What another attention in the place of a dense one would change: the relative squared error of a head's contribution to the residual
 * stream (atp-modes.md, section 3), by layer and KV head.
 */
import { graphNodes, isOp, tensorOf, type Graph, type Node } from '../../ir/graph.ts';
import type { AttentionShape } from '../../passes/atp/site.ts';
import type { FloatTensor } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';

/** The nodes that read a node. */
export function usersOf(graph: Graph): ReadonlyMap<Node, readonly Node[]> {
  const users = new Map<Node, Node[]>();
  for (const node of graphNodes(graph)) {
    for (const input of new Set(node.inputs)) users.set(input, [...(users.get(input) ?? []), node]);
  }
  return users;
}

/** The linear layer that an attention goes into, and the residual stream that its result is added to. */
export function outputLayer(
  layer: number,
  attention: Node,
  users: ReadonlyMap<Node, readonly Node[]>,
): { readonly weight: string; readonly residual: Node } {
  let weight: string | undefined;
  for (let node = attention; ;) {
    const [user, ...others] = users.get(node) ?? [];
    if (user === undefined || others.length > 0) break;
    const [first, second] = user.inputs;
    if (weight === undefined && isOp(user, 'matmul') && user.attributes.transposeRight && second && isOp(second, 'parameter')) {
      weight = second.attributes.name;
    } else if (weight !== undefined && user.op === 'add') {
      const other = first === node ? second : first;
      if (other && other.op !== 'parameter' && tensorOf(other).shape.length === tensorOf(node).shape.length) {
        return { weight, residual: other };
      }
    } else if (weight !== undefined || (user.op !== 'transpose' && user.op !== 'reshape')) break;
    node = user;
  }
  throw new AtpcError(
    'ATPC-311',
    `The output of the attention of layer ${layer} does not go through one linear layer into a residual stream, where its error would be measured.`,
    { hint: 'Write the plan file by hand (docs/guide/attention.md).' },
  );
}

/** Outputs of one sequence: of both attentions, f32 [1, heads, rows, value size], and the residual stream before they are added to it. */
export interface ComparedOutputs {
  readonly dense: FloatTensor;
  readonly other: FloatTensor;
  readonly residual: FloatTensor;
}
/** Sums the errors of the heads of one layer. */
export class LayerErrors {
  readonly #shape: AttentionShape;
  /** By KV head: lower triangle, row by row, of Wo^T Wo over the columns of the head's queries, diagonal halved. */
  readonly #grams: readonly Float64Array[];
  readonly #sums: Float64Array;
  #positions = 0;

  /** `weight` is Wo [hidden, queryHeads * valueSize]. */
  constructor(shape: AttentionShape, weight: Float32Array) {
    this.#shape = shape;
    const { kvHeads, queryHeads, valueSize } = shape;
    const size = (queryHeads / kvHeads) * valueSize;
    const columns = queryHeads * valueSize;
    this.#sums = new Float64Array(kvHeads);
    this.#grams = Array.from({ length: kvHeads }, (_, head) => halfGram(weight, columns, head * size, size));
  }

  /** Adds the rows that count. */
  add({ dense, other, residual }: ComparedOutputs, counts: (row: number) => boolean): void {
    const { kvHeads, queryHeads, valueSize } = this.#shape;
    const share = queryHeads / kvHeads;
    const [, , rows = 0] = dense.shape;
    const hidden = residual.data.length / rows;
    const difference = new Float64Array(share * valueSize);
    for (let row = 0; row < rows; row++) {
      if (!counts(row)) continue;
      let norm = 0;
      for (let i = row * hidden; i < (row + 1) * hidden; i++) norm += (residual.data[i] as number) ** 2;
      for (let head = 0; head < kvHeads; head++) {
        for (let part = 0; part < share; part++) {
          const from = ((head * share + part) * rows + row) * valueSize;
          for (let i = 0; i < valueSize; i++)
            difference[part * valueSize + i] = (other.data[from + i] as number) - (dense.data[from + i] as number);
        }
        const squares = quadraticForm(this.#grams[head] as Float64Array, difference);
        this.#sums[head] = (this.#sums[head] as number) + squares / norm;
      }
      this.#positions++;
    }
  }
  means(): readonly number[] {
    return Array.from(this.#sums, (sum) => sum / Math.max(1, this.#positions));
  }
}

function halfGram(weight: Float32Array, columns: number, first: number, size: number): Float64Array {
  const gram = new Float64Array((size * (size + 1)) / 2);
  for (let row = 0; row < weight.length; row += columns) {
    for (let i = 0, at = 0; i < size; i++) {
      const left = weight[row + first + i] as number;
      for (let j = 0; j <= i; j++, at++) gram[at] = (gram[at] as number) + left * (weight[row + first + j] as number);
    }
  }
  for (let i = 0, at = 0; i < size; at += ++i + 1) gram[at] = (gram[at] as number) / 2;
  return gram;
}
/** x^T G x = |Wo x|^2. */
function quadraticForm(gram: Float64Array, x: Float64Array): number {
  let sum = 0;
  for (let i = 0, at = 0; i < x.length; i++) {
    let product = 0;
    for (let j = 0; j <= i; j++, at++) product += (gram[at] as number) * (x[j] as number);
    sum += product * (x[i] as number);
  }
  return Math.max(0, 2 * sum);
}
