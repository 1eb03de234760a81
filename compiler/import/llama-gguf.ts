/**
 * What the metadata and tensor names of a GGUF file of architecture `llama` mean. Facts: conversion/llama.py and src/llama-model.cpp of
 * llama.cpp (https://github.com/ggml-org/llama.cpp).
 */
import { AtpcError } from '../../runtime/errors.ts';
import type { LlamaConfig } from '../families/llama-config.ts';
import { reorderedSource } from '../weights/reordered-source.ts';
import { formatShape, renamedSource, type TensorSource } from '../weights/tensor-source.ts';
import type { GgufFile } from './gguf.ts';
import type { GgufMetadata } from './gguf-metadata.ts';
import { llamaParameterNames } from './llama-checkpoint.ts';

const architecture = 'llama';
const embedding = 'model.embed_tokens.weight';

/** Names of a layer in the file and in Hugging Face's LlamaForCausalLM; each may have a weight and a bias. */
const layerParts: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
const topParts: Readonly<Record<string, string>> = {
  'token_embd.weight': embedding,
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};
/** Tensors whose rows are elements of query or key heads. */
const headRows = /\.self_attn\.([qk])_proj\.(?:weight|bias)$/;
/** Not a parameter: divisors of the rope frequencies (llama3 scaling). */
const ropeDivisors = 'rope_freqs.weight';

export interface LlamaGguf {
  readonly config: LlamaConfig;
  /** Under Hugging Face's names, with the rows of queries and keys in its order. */
  readonly tensors: TensorSource;
  /** Names of tensors that the model does not need: those of the file where they have no canonical name. */
  readonly unused: readonly string[];
}

/**
 * Throws ATPC-203 for another architecture, ATPC-202 for metadata that would compute something else than the family does,
 * ATPC-205 to ATPC-207 for tensors that are missing, that do not fit the heads, or of a type that is not read.
 */
export async function readLlamaGguf(file: GgufFile, maxLength?: number): Promise<LlamaGguf> {
  const { metadata } = file;
  requireLlama(metadata);
  const names = new Map(
    file.names().flatMap((name) => {
      const canonical = canonicalLlamaName(name);
      return canonical === undefined ? [] : [[canonical, name] as const];
    }),
  );
  const renamed = renamedSource(file, names);
  const config = await llamaConfig(file, renamed, maxLength);
  const needed = llamaParameterNames(config);
  // Throws for a name that is not there and for an element type that is not read.
  for (const name of needed) renamed.info(name);
  const used = new Set<string>([...needed.map((name) => names.get(name) ?? name), ropeDivisors]);
  const tensors = reorderedSource(renamed, headOrders(config, renamed));
  return {
    config,
    tensors,
    unused: file
      .names()
      .filter((name) => !used.has(name))
      .map((name) => canonicalLlamaName(name) ?? name),
  };
}

function requireLlama(metadata: GgufMetadata): void {
  const name = metadata.text('general.architecture');
  if (name === architecture) return;
  const found =
    name === undefined ? 'names no architecture (general.architecture)' : `has the architecture '${name}', which is not known`;
  throw new AtpcError('ATPC-203', `${metadata.file} ${found}.`, { hint: `Known architectures of GGUF files: ${architecture}.` });
}

/** `blk.3.attn_q.weight` as `model.layers.3.self_attn.q_proj.weight`; undefined for a tensor that has no such name. */
export function canonicalLlamaName(name: string): string | undefined {
  if (Object.hasOwn(topParts, name)) return topParts[name];
  const [, layer, part, kind] = /^blk\.(0|[1-9]\d*)\.([a-z_]+)\.(weight|bias)$/.exec(name) ?? [];
  if (layer === undefined || part === undefined || kind === undefined || !Object.hasOwn(layerParts, part)) return undefined;
  return `model.layers.${layer}.${layerParts[part]}.${kind}`;
}

/** Keys of the architecture that are read, or that say nothing of what is computed. Any other is refused. */
const knownKeys: ReadonlySet<string> = new Set([
  'context_length',
  'embedding_length',
  'block_count',
  'feed_forward_length',
  'vocab_size',
  'attention.head_count',
  'attention.head_count_kv',
  'attention.key_length',
  'attention.value_length',
  'attention.layer_norm_rms_epsilon',
  'attention.causal',
  'rope.dimension_count',
  'rope.freq_base',
  'rope.scale_linear',
  'rope.scaling.type',
  'rope.scaling.factor',
  'rope.scaling.original_context_length',
  'rope.scaling.finetuned',
  'expert_count',
  'expert_used_count',
  'tensor_data_layout',
]);

type LlamaSizes = Pick<LlamaConfig, 'heads' | 'kvHeads' | 'headSize' | 'layers'>;

async function llamaConfig(file: GgufFile, tensors: TensorSource, maxLength: number | undefined): Promise<LlamaConfig> {
  const { metadata } = file;
  refuseVariants(metadata);
  const size = (key: string, value = metadata.integer(`${architecture}.${key}`)): number => {
    const known = metadata.required(`${architecture}.${key}`, value);
    if (known > 0 && known < 2 ** 31) return known;
    throw new AtpcError('ATPC-202', `${metadata.file} has ${architecture}.${key} ${known}, and a size is needed.`);
  };
  const hiddenSize = size('embedding_length');
  const heads = size('attention.head_count');
  const kvHeads = size('attention.head_count_kv', metadata.integer(`${architecture}.attention.head_count_kv`) ?? heads);
  const headSize = size('attention.key_length', metadata.integer(`${architecture}.attention.key_length`) ?? hiddenSize / heads);
  if (!Number.isInteger(headSize) || headSize % 2 !== 0 || heads % kvHeads !== 0) {
    throw new AtpcError(
      'ATPC-202',
      `${metadata.file} has ${heads} heads of ${headSize} elements and ${kvHeads} key/value heads: heads have an even size, and their number is a multiple of that of the key/value heads.`,
    );
  }
  for (const key of ['attention.value_length', 'rope.dimension_count']) {
    const value = metadata.integer(`${architecture}.${key}`) ?? headSize;
    if (value !== headSize)
      throw new AtpcError(
        'ATPC-202',
        `${metadata.file} has ${architecture}.${key} ${value}, and only the size of a head, ${headSize}, is supported.`,
      );
  }
  const layers = size('block_count');
  requireHeads(file, tensors, { heads, kvHeads, headSize, layers });
  const [vocabSize = 0] = tensors.info(embedding).shape;
  const trainedLength = size('context_length');
  const epsilon = metadata.number(`${architecture}.attention.layer_norm_rms_epsilon`);
  return {
    vocabSize,
    hiddenSize,
    layers,
    heads,
    kvHeads,
    headSize,
    intermediateSize: size('feed_forward_length'),
    trainedLength,
    maxLength: maxLength ?? trainedLength,
    rmsNormEpsilon: metadata.required(`${architecture}.attention.layer_norm_rms_epsilon`, epsilon),
    activation: 'silu',
    rope: { theta: metadata.number(`${architecture}.rope.freq_base`) ?? 10_000, divisors: await ropeDivisorsOf(file, headSize) },
    attentionBias: tensors.has('model.layers.0.self_attn.q_proj.bias'),
    mlpBias: tensors.has('model.layers.0.mlp.gate_proj.bias'),
    tiedEmbeddings: !tensors.has('lm_head.weight'),
  };
}

function refuseVariants(metadata: GgufMetadata): void {
  const prefix = `${architecture}.`;
  const unknown = metadata.keys().find((key) => key.startsWith(prefix) && !knownKeys.has(key.slice(prefix.length)));
  if (unknown !== undefined)
    throw new AtpcError(
      'ATPC-202',
      `${metadata.file} has the metadata ${unknown}, which is not known: it may change what the model computes.`,
    );
  const experts = metadata.integer(`${prefix}expert_count`) ?? 0;
  if (experts > 0)
    throw new AtpcError('ATPC-202', `${metadata.file} has ${experts} experts, and mixtures of experts are not supported.`);
  if (metadata.flag(`${prefix}attention.causal`) === false)
    throw new AtpcError(
      'ATPC-202',
      `${metadata.file} has ${prefix}attention.causal false, and only causal attention is supported.`,
    );
  const layout = metadata.text(`${prefix}tensor_data_layout`);
  if (layout !== undefined && layout !== 'Meta AI original pth')
    throw new AtpcError('ATPC-202', `${metadata.file} has ${prefix}tensor_data_layout '${layout}', which is not known.`);
}

/** Factor of linear scaling times the file's own divisors; empty where neither is there. */
async function ropeDivisorsOf(file: GgufFile, headSize: number): Promise<readonly number[]> {
  const { metadata } = file;
  const scaling = metadata.text(`${architecture}.rope.scaling.type`) ?? 'linear';
  if (scaling !== 'linear' && scaling !== 'none') {
    throw new AtpcError(
      'ATPC-202',
      `${metadata.file} has ${architecture}.rope.scaling.type '${scaling}', which is not supported.`,
      {
        hint: 'Supported: none, linear, and frequency divisors as a tensor (rope_freqs.weight).',
      },
    );
  }
  // Old files give the factor alone; a factor of 0 means none, as in llama.cpp.
  const given =
    metadata.number(`${architecture}.rope.scaling.factor`) ?? metadata.number(`${architecture}.rope.scale_linear`) ?? 0;
  const factor = scaling === 'none' || given === 0 ? 1 : given;
  if (!(factor > 0)) throw new AtpcError('ATPC-202', `${metadata.file} scales the rope frequencies by the factor ${factor}.`);
  const pairs = headSize / 2;
  if (!file.has(ropeDivisors)) return factor === 1 ? [] : Array.from({ length: pairs }, () => factor);
  const divisors = await file.readFloat32(ropeDivisors);
  if (divisors.length !== pairs) {
    throw new AtpcError(
      'ATPC-206',
      `The tensor '${ropeDivisors}' has ${divisors.length} elements, and heads of ${headSize} elements have ${pairs} frequencies.`,
    );
  }
  const wrong = divisors.findIndex((divisor) => !(divisor > 0 && Number.isFinite(divisor)));
  if (wrong >= 0)
    throw new AtpcError(
      'ATPC-202',
      `${metadata.file} divides rope frequency ${wrong} by ${divisors[wrong]} ('${ropeDivisors}').`,
    );
  return Array.from(divisors, (divisor) => divisor * factor);
}

/**
 * llama.cpp rotates neighbouring elements of a head, Hugging Face's Llama element i with element i + headSize / 2; its
 * converter moved the rows of queries and keys accordingly (LlamaModel.permute). This is the way back: row p * headSize / 2 + i
 * of a head is row 2 i + p of the file.
 */
export function ropeRowOrder(heads: number, headSize: number): readonly number[] {
  const pairs = headSize / 2;
  return Array.from({ length: heads * headSize }, (_, row) => {
    const inHead = row % headSize;
    return row - inHead + 2 * (inHead % pairs) + Math.floor(inHead / pairs);
  });
}

/** Row orders of the projections of queries and keys; ATPC-206 where one of them does not have the rows of all heads. */
function headOrders(config: LlamaConfig, tensors: TensorSource): ReadonlyMap<string, readonly number[]> {
  const { heads, kvHeads, headSize } = config;
  const orders = { q: ropeRowOrder(heads, headSize), k: ropeRowOrder(kvHeads, headSize) };
  return new Map(
    tensors.names().flatMap((name) => {
      const [, projection] = headRows.exec(name) ?? [];
      if (projection !== 'q' && projection !== 'k') return [];
      return [[name, orders[projection]] as const];
    }),
  );
}

/**
 * Before anything of the size of heads or layers is allocated: the rows of queries and keys must be those of all heads, and a
 * layer has tensors.
 */
function requireHeads(file: GgufFile, tensors: TensorSource, { heads, kvHeads, headSize, layers }: LlamaSizes): void {
  const count = file.names().length;
  if (layers > count)
    throw new AtpcError(
      'ATPC-202',
      `${file.metadata.file} has ${architecture}.block_count ${layers}, and ${count} tensors in all.`,
    );
  for (const name of tensors.names()) {
    const [, projection] = headRows.exec(name) ?? [];
    if (projection === undefined) continue;
    const count = projection === 'q' ? heads : kvHeads;
    const { shape } = tensors.info(name);
    if (shape[0] === count * headSize) continue;
    throw new AtpcError(
      'ATPC-206',
      `The tensor '${name}' has the shape ${formatShape(shape)}, and ${count} heads of ${headSize} elements have ${count * headSize} rows.`,
    );
  }
}
