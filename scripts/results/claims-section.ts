/** The section of docs/results.md that holds the paper's claims against the figures, in words as its figures are. */
import { code, table } from '../docs/markdown.ts';
import { accuracyLost, causalClaimsTable, claims, encoderClaimsTable, untunedModes } from './claims.ts';
import type { Accuracy } from './accuracy.ts';
import { windowTokens } from './language-model.ts';
import type { Results, Rows } from './tables.ts';

function markdown([head = [], ...rows]: Rows): string {
  return table(head, rows);
}
/** `a`, `b` and `c`. */
function listed(names: readonly string[]): string {
  const words = names.map(code);
  return words.length < 2 ? (words[0] ?? 'no mode') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}
/** `28.5 points at 1/2 and 31.0 at 1/4`. */
function lostBy(figures: Accuracy, tuned: boolean): string {
  const lost = claims.flatMap(({ keys }) => {
    const share = accuracyLost(figures, { mode: 'svd', tuned }, { keys });
    return share === undefined ? [] : [`${(100 * share).toFixed(1)} points at ${keys}`];
  });
  return lost.length === 0 ? 'was not measured' : `loses ${lost.join(' and ')}`;
}

function encoders({ accuracy, similarity }: Results): string {
  if (!accuracy) return '';
  const { figures } = accuracy;
  const { asClaimed, others } = untunedModes(figures);
  const standardError = Math.max(...figures.rows.map((row) => row.standardError));
  const [half, quarter] = claims.map(({ points }) => 100 * points);
  return `### BERT

${markdown(encoderClaimsTable(figures, similarity?.figures))}

*Accuracy lost* against dense attention, and *same decisions*, are those of sentiment-mini on ${figures.reviews.toLocaleString('en-US')} [IMDB reviews](#accuracy-sentiment-mini-on-imdb), with a
standard error of ${(100 * standardError).toFixed(1)} points at most; *cosine* is that of [MiniLM's embeddings](#similarity-minilm) to the dense ones, on its longest texts. *As claimed* takes the claims
for at most ${String(half)} point lost at 1/2 and at most ${String(quarter)} at 1/4. What ${code('--keys')} means to each mode is in [attention.md](guide/attention.md#how-many-keys).

- **Literal ATP without fine-tuning ${lostBy(figures, false)}**: of two labels, half are right by chance. atpc refuses it (ATPC-305)
  without ${code('--force')}.
- **Literal ATP on weights that were tuned with it ${lostBy(figures, true)}.** [The checkpoint](../examples/sentiment/model-atp/README.md) was tuned at 1/4, for a few hundred
  steps; the paper's fine-tuning is not known here. The figures are what so little tuning gives back, and no refutation.
- **Without fine-tuning, the claims hold of ${listed(asClaimed)}**, and not of ${listed(others)}. This is not what the paper does: ${code('expand')} and ${code('topr')} choose
  keys for each query and read them exactly.
`;
}

function generators({ language, retrieval }: Results): string {
  if (!language) return '';
  return `### Llama

Literal ATP is not causal. A row of the decomposition of a text's hidden states is a sum over all of its tokens: attention to such rows mixes later tokens
into earlier ones, and a next token would be predicted from itself. ${code('--attn svd')}, or a plan with it, is an error for models that generate (ATPC-302), also with
${code('--force')}; so the paper's claim for Llama is neither confirmed nor refuted here. What the causal modes lose instead, on SmolLM2-135M:

${markdown(causalClaimsTable(language.figures, retrieval?.figures))}

*Keys kept* is the share of the keys of ${windowTokens.toLocaleString('en-US')} tokens that the state has room for, mean of the KV heads; modes with principal keys keep a mean for every 8 tokens besides. *KL* against dense
attention is in nats, on three windows of [WikiText-2](#language-model-smollm2-on-wikitext-2); *pass keys* found are [below](#what-lies-far-back-smollm2). A state that keeps a quarter of the keys
reads ordinary text nearly as dense attention does (w1, w2), and loses what lies far back (w0, pass keys): an average over ordinary text hides that.
`;
}

export function claimsSection(results: Results): string {
  const parts = [encoders(results), generators(results)].filter((part) => part !== '');
  if (parts.length === 0) return '';
  return `## What the paper claims, and what was found

Niu, Prakash and Avestimehr, [*ATP: Enabling Fast LLM Serving via Attention on Top Principal Keys*](https://arxiv.org/abs/2403.02352) (2024), claim in their abstract that
on models such as BERT and Llama "ATP barely loses accuracy with only 1/2 principal keys, and only incurs around 2% accuracy drops with 1/4 principal keys".
The abstract is all of the paper that this comparison, and literal ATP as mode ${code('svd')}, go by. The models are small ones of the same families, not those of the paper.

${parts.join('\n')}`;
}
