/** The small models as folders that the compiler imports: config.json and model.safetensors, without a tokenizer. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeSafetensors } from '../../compiler/weights/safetensors-layout.ts';
import { graphNodes, isOp, type Graph } from '../../ir/graph.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { tinyBert, tinyBertConfig } from './tiny-bert.ts';
import { tinyLlama, tinyLlamaConfig } from './tiny-llama.ts';

interface Model {
  readonly graph: Graph;
  readonly parameters: (name: string) => Tensor;
}
async function writeModel(folder: string, config: object, { graph, parameters }: Model): Promise<string> {
  const names = graphNodes(graph).flatMap((node) => (isOp(node, 'parameter') ? [node.attributes.name] : []));
  const tensors = [...new Set(names)].map((name) => {
    const { shape, data } = parameters(name);
    return { name, shape: shape.map(Number), storage: 'F32' as const, data: Float32Array.from(data) };
  });
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(path.join(folder, 'model.safetensors'), encodeSafetensors(tensors));
  return folder;
}

export async function writeTinyBert(folder: string): Promise<string> {
  const { vocabSize, hiddenSize, layers, heads, intermediateSize, maxPositions, typeVocabSize } = tinyBertConfig;
  const config = {
    architectures: ['BertModel'],
    model_type: 'bert',
    vocab_size: vocabSize,
    hidden_size: hiddenSize,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: intermediateSize,
    max_position_embeddings: maxPositions,
    type_vocab_size: typeVocabSize,
    layer_norm_eps: tinyBertConfig.layerNormEpsilon,
    hidden_act: tinyBertConfig.activation,
  };
  return writeModel(folder, config, await tinyBert());
}
export async function writeTinyLlama(folder: string, maxLength = tinyLlamaConfig.maxLength): Promise<string> {
  const { vocabSize, hiddenSize, layers, heads, kvHeads, intermediateSize, rmsNormEpsilon, activation } = tinyLlamaConfig;
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabSize,
    hidden_size: hiddenSize,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    intermediate_size: intermediateSize,
    max_position_embeddings: maxLength,
    rms_norm_eps: rmsNormEpsilon,
    hidden_act: activation,
    tie_word_embeddings: true,
    eos_token_id: 2,
  };
  return writeModel(folder, config, await tinyLlama({ trainedLength: maxLength, maxLength }));
}
