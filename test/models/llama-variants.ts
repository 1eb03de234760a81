import type { LlamaConfig } from '../../compiler/families/llama-config.ts';

/** What checkpoints of the family differ in. */
export const llamaVariants: Readonly<Record<string, Partial<LlamaConfig>>> = {
  'grouped heads, tied head': {},
  'as many key heads as query heads, own head': { kvHeads: 4, tiedEmbeddings: false },
  'one key head, heads of a size of their own': { kvHeads: 1, headSize: 12 },
  'biases in attention and MLP': { attentionBias: true, mlpBias: true },
  'scaled rope': { rope: { theta: 500_000, divisors: [1, 1, 2.5, 8] } },
  'another activation': { activation: 'gelu_tanh' },
};
