/** Llama (Touvron et al. 2023, arXiv 2302.13971; GQA: arXiv 2307.09288). Parameters are named as in Hugging Face's LlamaForCausalLM. */
import { defineModel, dim, input, nn, type Tensor } from 'atpc';
import type { LlamaConfig } from './llama-config.ts';

const activations = { silu: nn.silu, gelu: nn.gelu, gelu_tanh: nn.geluTanh, relu: nn.relu };
/** The longest piece of a prompt that one call reads: products run at full speed from 64 rows on, and memory grows with it. */
const chunk = 128;
type Hidden = Tensor<'f32', ['sequence', 'seq', 'hidden']>;

export default function llama(config: LlamaConfig) {
  const sequence = dim('sequence', 1);
  const seq = dim('seq', { min: 1, max: Math.min(chunk, config.maxLength) });
  const [hidden, intermediate] = [dim('hidden', config.hiddenSize), dim('intermediate', config.intermediateSize)];
  const [heads, kvHeads, headSize] = [
    dim('heads', config.heads),
    dim('kvHeads', config.kvHeads),
    dim('headSize', config.headSize),
  ];
  const [queries, keys] = [dim('queries', heads.size * headSize.size), dim('keys', kvHeads.size * headSize.size)];
  const vocab = dim('vocab', config.vocabSize);
  const [attentionBias, mlpBias] = [{ bias: config.attentionBias }, { bias: config.mlpBias }];
  const norm = (x: Hidden, name: string) => nn.rmsNorm(x, hidden, { name, epsilon: config.rmsNormEpsilon });

  const ids = input('input_ids', 'i32', [sequence, seq]);
  return defineModel('llama', [ids], () => {
    const positions = nn.positions(seq);
    const rope = { ...config.rope, maxPositions: config.maxLength };
    const attend = (x: Hidden) => {
      const query = nn.splitHeads(nn.linear(x, hidden, queries, { name: 'q_proj', ...attentionBias }), heads, headSize);
      const key = nn.splitHeads(nn.linear(x, hidden, keys, { name: 'k_proj', ...attentionBias }), kvHeads, headSize);
      const value = nn.splitHeads(nn.linear(x, hidden, keys, { name: 'v_proj', ...attentionBias }), kvHeads, headSize);
      const turned = { query: nn.rope(query, positions, rope), key: nn.rope(key, positions, rope) };
      const context = nn.mergeHeads(nn.attention(turned.query, turned.key, value, { causal: true }), queries);
      return nn.linear(context, queries, hidden, { name: 'o_proj', ...attentionBias });
    };
    const feed = (x: Hidden) => {
      const gate = activations[config.activation](nn.linear(x, hidden, intermediate, { name: 'gate_proj', ...mlpBias }));
      const up = nn.linear(x, hidden, intermediate, { name: 'up_proj', ...mlpBias });
      return nn.linear(nn.multiply(gate, up), intermediate, hidden, { name: 'down_proj', ...mlpBias });
    };
    const block = (x: Hidden) => {
      const normed = norm(x, 'input_layernorm');
      const attended = nn.add(
        nn.scope('self_attn', () => attend(normed)),
        x,
      );
      const fed = norm(attended, 'post_attention_layernorm');
      return nn.add(
        nn.scope('mlp', () => feed(fed)),
        attended,
      );
    };
    const decode = () => {
      let x: Hidden = nn.embedding(ids, vocab, hidden, { name: 'embed_tokens' });
      for (let layer = 0; layer < config.layers; layer += 1) x = nn.scope(`layers.${layer}`, () => block(x));
      return norm(x, 'norm');
    };
    const x = nn.scope('model', decode);
    // A tied head multiplies with the embedding table itself.
    const head = config.tiedEmbeddings ? 'model.embed_tokens' : 'lm_head';
    return { logits: nn.linear(x, hidden, vocab, { name: head, bias: false }) };
  });
}
