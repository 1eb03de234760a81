/** What config.json and the tensor names of a BERT checkpoint mean. */
import { AtpcError } from '../../runtime/errors.ts';
import type { BertConfig, BertHead } from '../families/bert-config.ts';
import type { AtpBlockFile, BertConfigFile } from '../schema/bert-config.ts';
import { renamedSource, type TensorSource } from '../weights/tensor-source.ts';
import { activationNamed } from './activation.ts';

/** The classes of transformers whose checkpoints are read, and what follows the encoder in each. */
export const bertArchitectures = ['BertModel', 'BertForSequenceClassification'] as const;
export type BertArchitecture = (typeof bertArchitectures)[number];

/** A checkpoint that was fine-tuned with literal ATP attention (mode svd). */
export interface AtpBlock {
  readonly mode: 'svd';
  /** Principal rows as a share of the unpadded tokens, rounded up. */
  readonly ratio: number;
  readonly minKeys: number;
  readonly layers: readonly number[];
}

/** Everything of config.json but the head. Throws ATPC-202 for what would compute something else than the family does. */
export function bertConfig(file: string, raw: BertConfigFile, head: BertHead): BertConfig {
  refuseVariants(file, raw);
  const { hidden_size: hiddenSize, num_attention_heads: heads } = raw;
  if (hiddenSize % heads !== 0) {
    throw new AtpcError(
      'ATPC-202',
      `${file} has hidden_size ${hiddenSize}, which is not a multiple of num_attention_heads ${heads}.`,
    );
  }
  return {
    vocabSize: raw.vocab_size,
    hiddenSize,
    layers: raw.num_hidden_layers,
    heads,
    intermediateSize: raw.intermediate_size,
    maxPositions: raw.max_position_embeddings,
    typeVocabSize: raw.type_vocab_size ?? 2,
    layerNormEpsilon: raw.layer_norm_eps ?? 1e-12,
    activation: activationNamed(file, raw.hidden_act ?? 'gelu'),
    head,
  };
}

function refuseVariants(file: string, raw: BertConfigFile): void {
  const positions = raw.position_embedding_type ?? 'absolute';
  if (positions !== 'absolute') {
    throw new AtpcError('ATPC-202', `${file} has position_embedding_type '${positions}', and only 'absolute' is supported.`);
  }
  for (const key of ['is_decoder', 'add_cross_attention', 'is_encoder_decoder'] as const) {
    if (raw[key] === true) {
      throw new AtpcError(
        'ATPC-202',
        `${file} has ${key} true: the model is a decoder, and this architecture is read as an encoder only.`,
      );
    }
  }
}

/** Labels by the index of their logit; transformers' own names where config.json gives none. */
export function bertLabels(file: string, raw: BertConfigFile): readonly string[] {
  const count = raw.num_labels ?? 2;
  const byIndex = raw.id2label ?? Object.fromEntries(Array.from({ length: count }, (_, index) => [index, `LABEL_${index}`]));
  const keys = Object.keys(byIndex);
  return keys.map((_, index) => {
    const label = Object.hasOwn(byIndex, String(index)) ? byIndex[String(index)] : undefined;
    if (label !== undefined) return label;
    throw new AtpcError('ATPC-202', `${file} has an id2label with the keys ${keys.join(', ')}, and no label for ${index}.`);
  });
}

export function atpBlock(file: string, block: AtpBlockFile | undefined, layers: number): AtpBlock | null {
  if (block === undefined) return null;
  const beyond = block.layers?.find((layer) => layer >= layers);
  if (beyond !== undefined) {
    throw new AtpcError(
      'ATPC-202',
      `${file} has an atp block for layer ${beyond}, and the model has ${layers} layers, counted from 0.`,
    );
  }
  return {
    mode: block.mode,
    ratio: block.ratio,
    minKeys: block.min_keys ?? 1,
    layers: block.layers ?? Array.from({ length: layers }, (_, layer) => layer),
  };
}

/** `bert.encoder...LayerNorm.gamma` as `encoder...LayerNorm.weight`: without the prefix, with today's names. */
export function canonicalBertName(name: string): string {
  return name
    .replace(/^bert\./, '')
    .replace(/\bLayerNorm\.gamma$/, 'LayerNorm.weight')
    .replace(/\bLayerNorm\.beta$/, 'LayerNorm.bias');
}

/** Buffers that old checkpoints carry along: 0, 1, 2, ..., and zeros. */
const buffers: ReadonlySet<string> = new Set(['embeddings.position_ids', 'embeddings.token_type_ids']);

/** The tensors under canonical names, without buffers. Throws ATPC-204 where two tensors are one parameter. */
export function canonicalBertTensors(tensors: TensorSource): TensorSource {
  const names = new Map<string, string>();
  for (const stored of tensors.names()) {
    const name = canonicalBertName(stored);
    if (buffers.has(name)) continue;
    const other = names.get(name);
    if (other !== undefined) {
      throw new AtpcError(
        'ATPC-204',
        `The weights have both '${other}' and '${stored}', which are two names of one parameter, '${name}'.`,
      );
    }
    names.set(name, stored);
  }
  return renamedSource(tensors, names);
}

/** Canonical names of the parameters that the model needs. */
export function bertParameterNames(config: Pick<BertConfig, 'layers' | 'head' | 'pooler'>): readonly string[] {
  const affine = (name: string): readonly string[] => [`${name}.weight`, `${name}.bias`];
  return [
    ...['word', 'position', 'token_type'].map((kind) => `embeddings.${kind}_embeddings.weight`),
    ...affine('embeddings.LayerNorm'),
    ...Array.from({ length: config.layers }, (_, layer) =>
      [
        'attention.self.query',
        'attention.self.key',
        'attention.self.value',
        'attention.output.dense',
        'attention.output.LayerNorm',
        'intermediate.dense',
        'output.dense',
        'output.LayerNorm',
      ].flatMap((part) => affine(`encoder.layer.${layer}.${part}`)),
    ).flat(),
    ...(config.head.kind === 'classify' || (config.head.kind === 'hidden' && config.pooler) ? affine('pooler.dense') : []),
    ...(config.head.kind === 'classify' ? affine('classifier') : []),
  ];
}
