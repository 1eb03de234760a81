/**
 * Llama once more, in plain loops over float64 and with nothing of the compiler: token by token, as modeling_llama.py of
 * transformers describes it. Slow, and for comparing only.
 */
import type { LlamaConfig } from '../../compiler/families/llama-config.ts';
import type { MemoryTensor } from '../../compiler/weights/tensor-source.ts';

type Vector = readonly number[];
type Weights = Readonly<Record<string, MemoryTensor>>;

const activations: { readonly [K in LlamaConfig['activation']]: (x: number) => number } = {
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => Math.max(0, x),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  gelu: () => {
    throw new Error('The error function is tested elsewhere.');
  },
};

/** Logits of every position. */
export function plainLlama(config: LlamaConfig, weights: Weights, ids: readonly number[]): readonly Vector[] {
  const { heads, kvHeads, headSize } = config;
  const tensor = (name: string): MemoryTensor => {
    const found = weights[name];
    if (!found) throw new Error(`No weight ${name}.`);
    return found;
  };
  const row = ({ data, shape }: MemoryTensor, index: number): Vector => {
    const width = shape[1] as number;
    return Array.from(data.subarray(index * width, (index + 1) * width));
  };
  const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
  const add = (a: Vector, b: Vector): Vector => a.map((value, i) => value + (b[i] as number));
  const linear = (x: Vector, name: string, bias: boolean): Vector => {
    const weight = tensor(`${name}.weight`);
    const product = Array.from({ length: weight.shape[0] as number }, (_, i) => dot(x, row(weight, i)));
    return bias ? add(product, Array.from(tensor(`${name}.bias`).data)) : product;
  };
  const norm = (x: Vector, name: string): Vector => {
    const meanSquare = dot(x, x) / x.length;
    const scale = tensor(`${name}.weight`).data;
    return x.map((value, i) => (value / Math.sqrt(meanSquare + config.rmsNormEpsilon)) * (scale[i] as number));
  };
  const split = (x: Vector): readonly Vector[] =>
    Array.from({ length: x.length / headSize }, (_, head) => x.slice(head * headSize, (head + 1) * headSize));
  /** rotate_half: element i turns with element i + headSize / 2. */
  const turn = (x: Vector, position: number): Vector =>
    x.map((value, index) => {
      const half = headSize / 2;
      const i = index % half;
      const angle = (position * config.rope.theta ** ((-2 * i) / headSize)) / (config.rope.divisors[i] ?? 1);
      const partner = index < half ? -(x[index + half] as number) : (x[index - half] as number);
      return value * Math.cos(angle) + partner * Math.sin(angle);
    });
  const past: { readonly keys: Vector[][]; readonly values: Vector[][] }[] = Array.from({ length: config.layers }, () => ({
    keys: [],
    values: [],
  }));

  return ids.map((id, position) => {
    let x = row(tensor('model.embed_tokens.weight'), id);
    past.forEach(({ keys, values }, layer) => {
      const name = `model.layers.${layer}`;
      const normed = norm(x, `${name}.input_layernorm`);
      const project = (kind: string): readonly Vector[] =>
        split(linear(normed, `${name}.self_attn.${kind}_proj`, config.attentionBias));
      const queries = project('q').map((head) => turn(head, position));
      keys.push(project('k').map((head) => turn(head, position)));
      values.push([...project('v')]);
      const context = queries.flatMap((query, head) => {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const scores = keys.map((tokenKeys) => dot(query, tokenKeys[kvHead] as Vector) / Math.sqrt(headSize));
        const largest = Math.max(...scores);
        const masses = scores.map((score) => Math.exp(score - largest));
        const total = masses.reduce((sum, mass) => sum + mass, 0);
        return Array.from({ length: headSize }, (_, i) =>
          masses.reduce((sum, mass, token) => sum + (mass / total) * ((values[token]?.[kvHead] as Vector)[i] as number), 0),
        );
      });
      x = add(x, linear(context, `${name}.self_attn.o_proj`, config.attentionBias));
      const fed = norm(x, `${name}.post_attention_layernorm`);
      const gate = linear(fed, `${name}.mlp.gate_proj`, config.mlpBias).map(activations[config.activation]);
      const up = linear(fed, `${name}.mlp.up_proj`, config.mlpBias);
      x = add(
        x,
        linear(
          gate.map((value, i) => value * (up[i] as number)),
          `${name}.mlp.down_proj`,
          config.mlpBias,
        ),
      );
    });
    return linear(norm(x, 'model.norm'), config.tiedEmbeddings ? 'model.embed_tokens' : 'lm_head', false);
  });
}
