/** A small BERT with weights from a fixed seed: the real family, quick to interpret. */
import { loadFamily } from '../../compiler/model-file/index.ts';
import type { BertConfig } from '../../compiler/families/bert-config.ts';
import { buildGraph } from '../../compiler/model/build-graph.ts';
import { memorySource, type MemoryTensor, type TensorSource } from '../../compiler/weights/tensor-source.ts';
import { graphNodes, isOp, type Graph } from '../../ir/graph.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { randomNumbers } from '../ref/tensors.ts';

export const tinyBertConfig: BertConfig = {
  vocabSize: 50,
  hiddenSize: 32,
  layers: 2,
  heads: 4,
  intermediateSize: 48,
  maxPositions: 160,
  typeVocabSize: 2,
  layerNormEpsilon: 1e-12,
  activation: 'gelu',
  head: { kind: 'embedding', pooling: 'mean', normalize: true },
};

export interface TinyBert {
  readonly graph: Graph;
  readonly parameters: (name: string) => Tensor;
}
export async function tinyBert(config: Partial<BertConfig> = {}): Promise<TinyBert> {
  const graph = buildGraph(await loadFamily('bert', { ...tinyBertConfig, ...config }));
  const random = randomNumbers(12345);
  const values = new Map<string, Tensor>();
  for (const node of graphNodes(graph)) {
    if (!isOp(node, 'parameter')) continue;
    const shape = node.attributes.shape.map(Number);
    const scale = node.attributes.name.endsWith('LayerNorm.weight') ? 1 : 0.5;
    const data = Float32Array.from(
      { length: shape.reduce((product, size) => product * size, 1) },
      () => scale * (2 * random() - 1),
    );
    values.set(node.attributes.name, { elementType: 'f32', shape, data });
  }
  return { graph, parameters: (name) => values.get(name) as Tensor };
}

/** The weights of a small BERT, as a checkpoint has them. */
export function bertSource(model: TinyBert): TensorSource {
  const names = graphNodes(model.graph).flatMap((node) => (isOp(node, 'parameter') ? [node.attributes.name] : []));
  const tensors = names.map((name): [string, MemoryTensor] => {
    const { shape, data } = model.parameters(name);
    return [name, { shape, data: Float32Array.from(data) }];
  });
  return memorySource(Object.fromEntries(tensors));
}

/** Token ids of sequences with the given numbers of tokens, padded at the end to `length`. */
export function bertInputs(lengths: readonly number[], length: number): Record<string, Tensor> {
  const random = randomNumbers(99);
  const ids = lengths.flatMap((tokens) =>
    Array.from({ length }, (_, index) => (index < tokens ? 1 + Math.floor(random() * 49) : 0)),
  );
  const mask = lengths.flatMap((tokens) => Array.from({ length }, (_, index) => (index < tokens ? 1 : 0)));
  const tensor = (values: readonly number[]): Tensor => ({
    elementType: 'i32',
    shape: [lengths.length, length],
    data: Int32Array.from(values),
  });
  return { input_ids: tensor(ids), attention_mask: tensor(mask), token_type_ids: tensor(mask.map(() => 0)) };
}
