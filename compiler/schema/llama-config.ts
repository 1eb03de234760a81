/** config.json and generation_config.json of a Llama checkpoint, as transformers writes them. */
import { AtpcError } from '../../runtime/errors.ts';
import { refuseUnknownKeys } from './transformers-config.ts';
import { validator } from './validator.ts';

/** Scaling of the rope frequencies; `type` is the older spelling of `rope_type`. */
export interface RopeScalingFile {
  readonly rope_type?: string;
  readonly type?: string;
  readonly rope_theta?: number;
  readonly factor?: number;
  readonly low_freq_factor?: number;
  readonly high_freq_factor?: number;
  readonly original_max_position_embeddings?: number;
}

export interface LlamaConfigFile {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads?: number | null;
  readonly head_dim?: number | null;
  readonly intermediate_size: number;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps?: number;
  readonly hidden_act?: string;
  readonly attention_bias?: boolean;
  readonly mlp_bias?: boolean;
  readonly tie_word_embeddings?: boolean;
  readonly pad_token_id?: number | null;
  readonly eos_token_id?: TokenIds;
  readonly rope_theta?: number;
  readonly rope_scaling?: RopeScalingFile | null;
  /** transformers 5: rope_theta and rope_scaling in one. */
  readonly rope_parameters?: RopeScalingFile | null;
  readonly quantization_config?: { readonly quant_method?: string } | null;
}
type TokenIds = number | readonly number[] | null;

const positive = { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 };
const above = { type: 'number', exclusiveMinimum: 0 };
const text = { type: 'string' };
const flag = { type: 'boolean' };
const tokenIds = {
  anyOf: [
    { type: ['integer', 'null'], minimum: 0 },
    { type: 'array', items: { type: 'integer', minimum: 0 }, minItems: 1 },
  ],
};
const ropeScaling = {
  type: ['object', 'null'],
  properties: {
    rope_type: text,
    type: text,
    rope_theta: above,
    factor: above,
    low_freq_factor: above,
    high_freq_factor: above,
    original_max_position_embeddings: positive,
    partial_rotary_factor: { const: 1 },
  },
};

const keysThatCount = {
  architectures: { type: 'array', items: text },
  model_type: { const: 'llama' },
  vocab_size: positive,
  hidden_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
  num_key_value_heads: { ...positive, type: ['integer', 'null'] },
  head_dim: { ...positive, type: ['integer', 'null'] },
  intermediate_size: positive,
  max_position_embeddings: positive,
  rms_norm_eps: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
  hidden_act: text,
  attention_bias: flag,
  mlp_bias: flag,
  tie_word_embeddings: flag,
  pad_token_id: { type: ['integer', 'null'] },
  eos_token_id: tokenIds,
  rope_theta: above,
  rope_scaling: ropeScaling,
  rope_parameters: ropeScaling,
  quantization_config: { type: ['object', 'null'], properties: { quant_method: text } },
  // Variants of the architecture that transformers' Llama does not compute, or not so: only their plain values.
  partial_rotary_factor: { const: 1 },
  rope_interleaved: { const: false },
  sliding_window: { const: null },
  use_sliding_window: { const: false },
} as const;

/** Of training (pretraining_tp cuts products into parts that sum to the same), and marks of exporters. */
const keysWithoutEffect = ['attention_dropout', 'is_llama_config', 'pretraining_tp', 'transformers.js_config', 'unsloth_fixed'];

const validate = validator<LlamaConfigFile>({
  type: 'object',
  properties: keysThatCount,
  required: [
    'architectures',
    'vocab_size',
    'hidden_size',
    'num_hidden_layers',
    'num_attention_heads',
    'intermediate_size',
    'max_position_embeddings',
  ],
});

/** Throws ATPC-202 with a sentence that names the file and the key. */
export function validateLlamaConfig(file: string, value: unknown): LlamaConfigFile {
  const config = validate(value, (fault) => new AtpcError('ATPC-202', `${file} is not valid: ${fault}.`));
  refuseUnknownKeys(file, config, [...Object.keys(keysThatCount), ...keysWithoutEffect]);
  return config;
}

/** generation_config.json is about sampling, which is the caller's; only what ends a text is read. */
export const validateGenerationConfig = validator<{ readonly eos_token_id?: TokenIds }>({
  type: 'object',
  properties: { eos_token_id: tokenIds },
});

export function tokenIdList(ids: TokenIds | undefined): readonly number[] {
  return ids === undefined || ids === null ? [] : typeof ids === 'number' ? [ids] : ids;
}
