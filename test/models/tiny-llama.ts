/** A small Llama with weights from a fixed seed: the real family, quick to interpret. */
import { loadFamily } from '../../compiler/model-file/index.ts';
import type { LlamaConfig } from '../../compiler/families/llama-config.ts';
import { buildGraph } from '../../compiler/model/build-graph.ts';
import { memorySource, type MemoryTensor, type TensorSource } from '../../compiler/weights/tensor-source.ts';
import { graphNodes, isOp, type Graph } from '../../ir/graph.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { randomNumbers } from '../ref/tensors.ts';

export const tinyLlamaConfig: LlamaConfig = {
  vocabSize: 64,
  hiddenSize: 32,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headSize: 8,
  intermediateSize: 64,
  trainedLength: 128,
  maxLength: 128,
  rmsNormEpsilon: 1e-5,
  activation: 'silu',
  rope: { theta: 10_000, divisors: [] },
  attentionBias: false,
  mlpBias: false,
  tiedEmbeddings: true,
};

export interface TinyLlama {
  readonly config: LlamaConfig;
  readonly graph: Graph;
  readonly weights: Readonly<Record<string, MemoryTensor>>;
  readonly source: TensorSource;
  readonly parameters: (name: string) => Tensor;
}
export async function tinyLlama(changes: Partial<LlamaConfig> = {}): Promise<TinyLlama> {
  const config = { ...tinyLlamaConfig, ...changes };
  const graph = buildGraph(await loadFamily('llama', config));
  const random = randomNumbers(4321);
  const weights: Record<string, MemoryTensor> = {};
  for (const node of graphNodes(graph)) {
    if (!isOp(node, 'parameter')) continue;
    const { name } = node.attributes;
    const shape = node.attributes.shape.map(Number);
    const length = shape.reduce((product, size) => product * size, 1);
    const [low, high] = name.includes('norm') ? [0.5, 1.5] : [-0.4, 0.4];
    weights[name] = { shape, data: Float32Array.from({ length }, () => low + (high - low) * random()) };
  }
  const source = memorySource(weights);
  const parameters = (name: string): Tensor => ({ elementType: 'f32', ...(weights[name] as MemoryTensor) });
  return { config, graph, weights, source, parameters };
}

export function tokenIds(count: number, vocabSize = tinyLlamaConfig.vocabSize): readonly number[] {
  const random = randomNumbers(77);
  return Array.from({ length: count }, () => Math.floor(random() * vocabSize));
}
export function llamaInputs(ids: readonly number[]): Record<string, Tensor> {
  return { input_ids: { elementType: 'i32', shape: [1, ids.length], data: Int32Array.from(ids) } };
}
/** The input that the cache pass adds. */
export function positionsTensor(past: number, count: number): Tensor {
  return { elementType: 'i32', shape: [count], data: Int32Array.from({ length: count }, (_, index) => past + index) };
}
