/** A small Llama as a GGUF file: two layers, four query and two key heads of 16 elements, hidden size 64. */
import { f32Tensor, type GgufEntry, type GgufSpec, type GgufTensorSpec } from './gguf-files.ts';

export const tinySizes = {
  layers: 2,
  hidden: 64,
  heads: 4,
  kvHeads: 2,
  headSize: 16,
  intermediate: 96,
  vocabulary: 300,
} as const;

/** The values of a tensor, other ones for each name: multiples of 1/64 in [-1, 1). */
export function tinyValues(name: string, length: number): Float32Array {
  let state = [...name].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 16) % 128) / 64 - 1;
  });
}

export const tinyShapes: Readonly<Record<string, readonly number[]>> = (() => {
  const { layers, hidden, heads, kvHeads, headSize, intermediate, vocabulary } = tinySizes;
  const layer = {
    'attn_norm.weight': [hidden],
    'attn_q.weight': [heads * headSize, hidden],
    'attn_k.weight': [kvHeads * headSize, hidden],
    'attn_v.weight': [kvHeads * headSize, hidden],
    'attn_output.weight': [hidden, heads * headSize],
    'ffn_norm.weight': [hidden],
    'ffn_gate.weight': [intermediate, hidden],
    'ffn_up.weight': [intermediate, hidden],
    'ffn_down.weight': [hidden, intermediate],
  };
  return {
    'token_embd.weight': [vocabulary, hidden],
    ...Object.fromEntries(
      Array.from({ length: layers }, (_, index) =>
        Object.entries(layer).map(([part, shape]) => [`blk.${index}.${part}`, shape] as const),
      ).flat(),
    ),
    'output_norm.weight': [hidden],
  };
})();

export const tinyMetadata: Readonly<Record<string, GgufEntry>> = {
  'general.architecture': ['string', 'llama'],
  'general.license': ['string', 'mit'],
  'llama.block_count': ['u32', tinySizes.layers],
  'llama.context_length': ['u32', 256],
  'llama.embedding_length': ['u32', tinySizes.hidden],
  'llama.feed_forward_length': ['u32', tinySizes.intermediate],
  'llama.attention.head_count': ['u32', tinySizes.heads],
  // Some writers use 64-bit integers.
  'llama.attention.head_count_kv': ['u64', tinySizes.kvHeads],
  'llama.attention.layer_norm_rms_epsilon': ['f32', 1e-5],
  'llama.rope.freq_base': ['f32', 10000],
  'llama.rope.dimension_count': ['u32', tinySizes.headSize],
  'llama.vocab_size': ['u32', tinySizes.vocabulary],
};

export interface TinyChanges {
  /** Entries that are added, changed or (null) left out. */
  readonly metadata?: Readonly<Record<string, GgufEntry | null>>;
  readonly shapes?: Readonly<Record<string, readonly number[] | null>>;
  readonly tensors?: readonly GgufTensorSpec[];
}

export function tinyLlama({ metadata = {}, shapes = {}, tensors = [] }: TinyChanges = {}): GgufSpec {
  const replaced = new Set(tensors.map(({ name }) => name));
  return {
    metadata: present({ ...tinyMetadata, ...metadata }),
    tensors: [
      ...Object.entries(present({ ...tinyShapes, ...shapes }))
        .filter(([name]) => !replaced.has(name))
        .map(([name, shape]) =>
          f32Tensor(
            name,
            shape,
            tinyValues(
              name,
              shape.reduce((product, size) => product * size, 1),
            ),
          ),
        ),
      ...tensors,
    ],
  };
}

function present<T>(entries: Readonly<Record<string, T | null>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(entries).flatMap(([key, value]) => (value === null ? [] : [[key, value] as const])));
}
