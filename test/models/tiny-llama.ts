/** A small Llama with weights from a fixed seed: the real family, quick to interpret. */
import type { LlamaConfig } from '../../compiler/families/llama-config.ts';
import { loadFamily } from '../../compiler/model-file/index.ts';
import { buildGraph } from '../../compiler/model/build-graph.ts';
import { graphNodes, isOp, type Graph } from '../../ir/graph.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { randomNumbers } from '../ref/tensors.ts';

export const tinyLlamaConfig: LlamaConfig = {
  vocabSize: 40,
  hiddenSize: 32,
  layers: 2,
  heads: 6,
  kvHeads: 3,
  headSize: 8,
  intermediateSize: 48,
  trainedLength: 120,
  maxLength: 120,
  rmsNormEpsilon: 1e-6,
  activation: 'silu',
  rope: { theta: 10000, divisors: [] },
  attentionBias: false,
  mlpBias: false,
  tiedEmbeddings: true,
};

export interface TinyLlama {
  readonly config: LlamaConfig;
  readonly graph: Graph;
  readonly parameters: (name: string) => Tensor;
}
export async function tinyLlama(changes: Partial<LlamaConfig> = {}): Promise<TinyLlama> {
  const config = { ...tinyLlamaConfig, ...changes };
  const graph = buildGraph(await loadFamily('llama', config));
  const random = randomNumbers(4711);
  const values = new Map<string, Tensor>();
  for (const node of graphNodes(graph)) {
    if (!isOp(node, 'parameter')) continue;
    const shape = node.attributes.shape.map(Number);
    const isNorm = node.attributes.name.endsWith('norm.weight');
    const data = Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () =>
      isNorm ? 0.5 + random() : 0.8 * (2 * random() - 1),
    );
    values.set(node.attributes.name, { elementType: 'f32', shape, data });
  }
  return { config, graph, parameters: (name) => values.get(name) as Tensor };
}

export function llamaTokens(count: number, seed = 5): readonly number[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => Math.floor(random() * tinyLlamaConfig.vocabSize));
}
export function idsTensor(ids: readonly number[]): Tensor {
  return { elementType: 'i32', shape: [1, ids.length], data: Int32Array.from(ids) };
}
export function positionsTensor(past: number, count: number): Tensor {
  return { elementType: 'i32', shape: [count], data: Int32Array.from({ length: count }, (_, index) => past + index) };
}
