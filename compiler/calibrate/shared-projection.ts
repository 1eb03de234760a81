/**
 * The projection of hidden states in which mode `shared` clusters tokens (atp-modes.md, cluster in a shared projection): tokens lie
 * close where neither the scores nor the output of the layer would tell them apart. With C_h = E[q q^T] of a query head,
 *
 *     M = sum_h Wk_h^T C_h Wk_h,  N = sum_h Wv_h^T Wo_h^T Wo_h Wv_h,  S = M / tr M + N / tr N,
 *
 * the rows of the projection are the eigenvectors of S with the largest eigenvalues, each times the root of its eigenvalue.
 */
import { eigenSymmetric, signOfLargest } from '../../ir/eigen.ts';
import { isOp, type Graph, type Node } from '../../ir/graph.ts';
import { sharedDirections } from '../../passes/atp/modes/shared.ts';
import { attentionNodes, projectionsOf, type Projection } from '../../passes/atp/site.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { MemoryTensor, TensorSource } from '../weights/tensor-source.ts';
import type { CapturedLayer } from './capture.ts';
import { outputLayer, usersOf } from './residual-errors.ts';
import { addOuter, secondMoments } from './second-moments.ts';

/** Of layers whose activations are kept, as they are where several plans of a model are tried: an eigendecomposition takes a second. */
const known = new WeakMap<CapturedLayer, Promise<MemoryTensor>>();

/** The projection of a layer, f32 [p, d]. `captured` and `tensors` belong to the same weights. Throws ATPC-311 for another kind of layer. */
export function sharedProjection(
  graph: Graph,
  layer: number,
  tensors: TensorSource,
  captured: readonly CapturedLayer[],
): Promise<MemoryTensor> {
  const [first] = captured;
  const made = (first && known.get(first)) ?? projectionFrom(graph, layer, tensors, captured);
  if (first) known.set(first, made);
  return made;
}

async function projectionFrom(
  graph: Graph,
  layer: number,
  tensors: TensorSource,
  captured: readonly CapturedLayer[],
): Promise<MemoryTensor> {
  const attention = attentionNodes(graph)[layer] as Node;
  const [, key, value] = attention.inputs as readonly [Node, Node, Node];
  const projections = projectionsOf(key, value);
  if (!projections) {
    throw new AtpcError(
      'ATPC-311',
      `Keys and values of layer ${layer} do not come from one linear layer each: mode shared has nothing to project.`,
      { hint: 'Use expand.' },
    );
  }
  const { key: keys, value: values } = projections;
  const output = outputLayer(layer, attention, usersOf(graph)).weight;
  const [keyWeight, valueWeight] = [await weightOf(keys, tensors), await weightOf(values, tensors)];
  const outputWeight = await tensors.readFloat32(output);
  const [, queryHeads = 0] = captured[0]?.query.shape ?? [];
  const perGroup = queryHeads / keys.heads;
  const queries = captured.map(({ query }) => query);
  const width = keyWeight.length / (keys.heads * keys.headSize);
  // Query heads that share a key head share its weights.
  const groups = Array.from({ length: keys.heads }, (_, head) =>
    Array.from({ length: perGroup }, (__, index) => head * perGroup + index),
  );
  const queryMoments = groups.map((heads) => secondMoments(queries, heads, keys.headSize));
  const columns = queryHeads * values.headSize;
  const outputGrams = groups.map((heads) => columnGram(outputWeight, columns, heads, values.headSize));
  const keyPart = normalized(quadraticForms(keyWeight, width, keys, queryMoments), width);
  const valuePart = normalized(quadraticForms(valueWeight, width, values, outputGrams), width);
  const sum = keyPart.map((value, index) => value + (valuePart[index] as number));
  const { values: eigenvalues, vectors } = eigenSymmetric(sum, width);
  const kept = sharedDirections(width);
  const data = new Float32Array(kept * width);
  for (let row = 0; row < kept; row += 1) {
    const vector = vectors[row] as Float64Array;
    const factor = signOfLargest(vector) * Math.sqrt(Math.max(0, eigenvalues[row] as number));
    for (let column = 0; column < width; column += 1) data[row * width + column] = factor * (vector[column] as number);
  }
  return { shape: [kept, width], data };
}

async function weightOf({ weight }: Projection, tensors: TensorSource): Promise<Float32Array> {
  if (!isOp(weight, 'parameter')) throw new AtpcError('ATPC-399', 'The weight of a projection is no parameter.');
  return await tensors.readFloat32(weight.attributes.name);
}

/** The sum of Wo_h^T Wo_h over some heads, from Wo [hidden, columns] with `size` columns a head. */
function columnGram(weight: Float32Array, columns: number, heads: readonly number[], size: number): Float64Array {
  const sums = new Float64Array(size * size);
  for (const head of heads) {
    for (let start = head * size; start < weight.length; start += columns) addOuter(sums, weight, start, size);
  }
  return sums;
}

/** The sum over heads of W_h^T G_h W_h, [width, width], W of [heads * size, width]. */
function quadraticForms(
  weight: Float32Array,
  width: number,
  { heads, headSize }: Pick<Projection, 'heads' | 'headSize'>,
  grams: readonly Float64Array[],
): Float64Array {
  const result = new Float64Array(width * width);
  const product = new Float64Array(width);
  for (let head = 0; head < heads; head += 1) {
    const gram = grams[head] as Float64Array;
    for (let i = 0; i < headSize; i += 1) {
      // Row i of G_h W_h.
      product.fill(0);
      for (let j = 0; j < headSize; j += 1) {
        const factor = gram[i * headSize + j] as number;
        const start = (head * headSize + j) * width;
        for (let column = 0; column < width; column += 1)
          product[column] = (product[column] as number) + factor * (weight[start + column] as number);
      }
      const own = (head * headSize + i) * width;
      for (let row = 0; row < width; row += 1) {
        const factor = weight[own + row] as number;
        const at = row * width;
        for (let column = 0; column < width; column += 1)
          result[at + column] = (result[at + column] as number) + factor * (product[column] as number);
      }
    }
  }
  return result;
}
function normalized(matrix: Float64Array, width: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < width; i += 1) trace += matrix[i * width + i] as number;
  return trace > 0 ? matrix.map((value) => value / trace) : matrix;
}
