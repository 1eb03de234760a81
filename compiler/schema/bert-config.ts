/** config.json of a BERT checkpoint, as transformers writes it: the keys that count, and the keys known to change nothing. */
import { AtpcError } from '../../runtime/errors.ts';
import { refuseUnknownKeys } from './transformers-config.ts';
import { validator } from './validator.ts';

/** Left by fine-tuning with literal ATP (mode svd): how the attention of the checkpoint was computed. */
export interface AtpBlockFile {
  readonly mode: 'svd';
  /** Share of the unpadded tokens that is kept as principal rows, rounded up. */
  readonly ratio: number;
  readonly min_keys?: number;
  readonly layers?: readonly number[];
}

export interface BertConfigFile {
  readonly architectures: readonly string[];
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly max_position_embeddings: number;
  readonly type_vocab_size?: number;
  readonly layer_norm_eps?: number;
  readonly hidden_act?: string;
  readonly pad_token_id?: number | null;
  readonly position_embedding_type?: string | null;
  readonly is_decoder?: boolean;
  readonly add_cross_attention?: boolean;
  readonly is_encoder_decoder?: boolean;
  readonly id2label?: Readonly<Record<string, string>> | null;
  readonly num_labels?: number;
  readonly problem_type?: string | null;
  readonly atp?: AtpBlockFile;
}

const positive = { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 };
const text = { type: 'string' };
// What the block says in words must be what mode svd does; a checkpoint tuned with something else is another model.
const atpBlock = {
  type: 'object',
  properties: {
    mode: { const: 'svd' },
    ratio: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
    min_keys: positive,
    layers: { type: 'array', items: { type: 'integer', minimum: 0 }, uniqueItems: true },
    rounding: { const: 'ceil' },
    log_mass: { const: false },
    budget_counts: { const: 'non-pad tokens' },
    scale: { const: '1/sqrt(head_dim)' },
    rows: text,
    sign: text,
    bias: text,
  },
  required: ['mode', 'ratio'],
  additionalProperties: false,
};

const keysThatCount = {
  architectures: { type: 'array', items: text },
  model_type: { const: 'bert' },
  vocab_size: positive,
  hidden_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
  intermediate_size: positive,
  max_position_embeddings: positive,
  type_vocab_size: positive,
  layer_norm_eps: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
  hidden_act: text,
  pad_token_id: { type: ['integer', 'null'], minimum: 0 },
  position_embedding_type: { type: ['string', 'null'] },
  is_decoder: { type: 'boolean' },
  add_cross_attention: { type: 'boolean' },
  is_encoder_decoder: { type: 'boolean' },
  id2label: { type: ['object', 'null'], additionalProperties: text },
  num_labels: positive,
  problem_type: { type: ['string', 'null'] },
  pruned_heads: { type: 'object', maxProperties: 0 },
  atp: atpBlock,
} as const;

/** Of the TensorFlow originals; nothing reads them. */
const keysWithoutEffect = [
  'directionality',
  'pooler_fc_size',
  'pooler_num_attention_heads',
  'pooler_num_fc_layers',
  'pooler_size_per_head',
  'pooler_type',
];

const validate = validator<BertConfigFile>({
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
export function validateBertConfig(file: string, value: unknown): BertConfigFile {
  const config = validate(value, (fault) => new AtpcError('ATPC-202', `${file} is not valid: ${fault}.`));
  refuseUnknownKeys(file, config, [...Object.keys(keysThatCount), ...keysWithoutEffect]);
  return config;
}
