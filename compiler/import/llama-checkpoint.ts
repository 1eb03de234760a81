/** What config.json and the tensor names of a Llama checkpoint mean. */
import { AtpcError } from '../../runtime/errors.ts';
import type { LlamaConfig } from '../families/llama-config.ts';
import type { LlamaConfigFile } from '../schema/llama-config.ts';
import { renamedSource, type TensorSource } from '../weights/tensor-source.ts';
import { activationNamed } from './activation.ts';
import { contextLength, type ContextOptions } from './context-length.ts';
import { ropeOf } from './rope-scaling.ts';

export const llamaArchitectures = ['LlamaForCausalLM'] as const;

/** Throws ATPC-202 for what would compute something else than the family does, and ATPC-301 for a length out of range. */
export function llamaConfig(file: string, raw: LlamaConfigFile, options: ContextOptions): LlamaConfig {
  refuseQuantised(file, raw);
  const { hidden_size: hiddenSize, num_attention_heads: heads, max_position_embeddings: trainedLength } = raw;
  const kvHeads = raw.num_key_value_heads ?? heads;
  const headSize = raw.head_dim ?? hiddenSize / heads;
  if (!Number.isInteger(headSize)) {
    throw new AtpcError(
      'ATPC-202',
      `${file} has hidden_size ${hiddenSize}, which is not a multiple of num_attention_heads ${heads}, and no head_dim.`,
    );
  }
  if (headSize % 2 !== 0)
    throw new AtpcError(
      'ATPC-202',
      `${file} has heads of ${headSize} elements: rope turns pairs of them, and needs an even size.`,
    );
  if (heads % kvHeads !== 0) {
    throw new AtpcError(
      'ATPC-202',
      `${file} has num_attention_heads ${heads}, which is not a multiple of num_key_value_heads ${kvHeads}.`,
    );
  }
  return {
    vocabSize: raw.vocab_size,
    hiddenSize,
    layers: raw.num_hidden_layers,
    heads,
    kvHeads,
    headSize,
    intermediateSize: raw.intermediate_size,
    trainedLength,
    maxLength: contextLength(trainedLength, options),
    rmsNormEpsilon: raw.rms_norm_eps ?? 1e-6,
    activation: activationNamed(file, raw.hidden_act ?? 'silu'),
    rope: ropeOf(file, raw, headSize),
    attentionBias: raw.attention_bias ?? false,
    mlpBias: raw.mlp_bias ?? false,
    tiedEmbeddings: raw.tie_word_embeddings ?? false,
  };
}

function refuseQuantised(file: string, { quantization_config: quantised }: LlamaConfigFile): void {
  if (!quantised) return;
  throw new AtpcError(
    'ATPC-202',
    `${file} says that the weights are quantised (${quantised.quant_method ?? 'by a method that it does not name'}), and such safetensors are not read.`,
    { hint: 'Compile the original weights with -q q8 or -q q4, or a GGUF file.' },
  );
}

/** The tensors without the buffers of old checkpoints (frequencies, which follow from the configuration). */
export function canonicalLlamaTensors(tensors: TensorSource): TensorSource {
  const names = tensors.names().filter((name) => !name.endsWith('.rotary_emb.inv_freq'));
  return renamedSource(tensors, new Map(names.map((name) => [name, name])));
}

/** Names of the parameters that the model needs. */
export function llamaParameterNames({ layers, attentionBias, mlpBias, tiedEmbeddings }: LlamaConfig): readonly string[] {
  const linear = (names: readonly string[], bias: boolean): readonly string[] =>
    names.flatMap((name) => [`${name}.weight`, ...(bias ? [`${name}.bias`] : [])]);
  const layer = [
    ...linear(['input_layernorm', 'post_attention_layernorm'], false),
    ...linear(
      ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((name) => `self_attn.${name}`),
      attentionBias,
    ),
    ...linear(
      ['gate_proj', 'up_proj', 'down_proj'].map((name) => `mlp.${name}`),
      mlpBias,
    ),
  ];
  return [
    'model.embed_tokens.weight',
    ...Array.from({ length: layers }, (_, index) => layer.map((name) => `model.layers.${index}.${name}`)).flat(),
    'model.norm.weight',
    ...(tiedEmbeddings ? [] : ['lm_head.weight']),
  ];
}
