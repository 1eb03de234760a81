/** docs/results.md: the tables with what they mean. */
import { code, table } from '../docs/markdown.ts';
import { headSizes } from '../../bench/attention.ts';
import type { Accuracy } from './accuracy.ts';
import { describeMachine, type Machine } from '../../bench/machine.ts';
import { measuredHeads } from './measured-model.ts';
import {
  accuracyTable,
  checksTable,
  principalRowsTable,
  similarityTable,
  timingTable,
  type Results,
  type Rows,
  type Timing,
} from './tables.ts';

const notice = '<!-- Written by `npm run results -- --write docs/results.md`: change scripts/results/, not this file. -->';

function markdown([head = [], ...rows]: Rows): string {
  return table(head, rows);
}
function on(machine: Machine): string {
  return `Measured on: ${describeMachine(machine)}.`;
}

/** Rates of dense attention, which the cost formula's constants are held against. */
function denseRate({ attention }: Timing, headSize: number): string {
  const rates = attention
    .filter(({ label, headSize: size, milliseconds }) => label === 'dense' && size === headSize && milliseconds !== null)
    .map(({ tokens, milliseconds }) => (4 * tokens * tokens * headSize) / ((milliseconds ?? 1) / 1000) / 1e9);
  return rates.length === 0
    ? ''
    : `${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)} GFLOP/s with heads of ${headSize}`;
}

/** How much of a run's time the attention can be: what the cheapest mode leaves of it. */
function attentionShare({ tokens, rows }: Accuracy): string {
  const time = (mode: string, keys: string | null): number | undefined =>
    rows.find(({ setting }) => setting.mode === mode && setting.keys === keys)?.milliseconds;
  const [whole, least] = [time('dense', null), time('segment', '1/4')];
  if (whole === undefined || least === undefined || least >= whole)
    return `At ${tokens} tokens attention is a small part of the model.`;
  return `At ${tokens} tokens attention is a small part of the model: reading a quarter of the keys with no work for choosing them (${code('segment')} 1/4) saves ${Math.round(100 * (1 - least / whole))} % of a run.`;
}

function accuracySection({ accuracy }: Results): string {
  if (!accuracy) return '';
  const { figures, machine } = accuracy;
  const { reviews, tokens, sample } = figures;
  return `## Accuracy: sentiment-mini on IMDB

${code('examples/sentiment/model')} (3 layers, 12 heads of 32) on the first ${reviews.toLocaleString('en-US')} reviews of the IMDB test file, cut at ${tokens} ids with [SEP] kept, no
fine-tuning. *Same decisions* are those equal to dense. *Keys read* is the share of an input's tokens that a query
attends to: for ${code('expand')}, cluster means plus the tokens of expanded clusters, counted for every query of ${measuredHeads} heads a layer, on the
activations of dense attention in the first ${sample} reviews (those under 64 tokens stay dense and are left out); for the other modes, the count
that defines them. *A review* is the mean time of one run of the model, tokenizing apart. The last row is
${code('examples/sentiment/model-atp')}, other weights, which were fine-tuned with literal ATP at 1/4.

${markdown(accuracyTable(figures))}

${on(machine)}

- The standard error of an accuracy is about one point, but all rows read the same reviews: *same decisions* tells more than a difference
  of accuracies.
- ${code('expand')} and ${code('topr')} need no fine-tuning. ${code('cluster')} (the means of ${code('expand')}, none expanded) and ${code('segment')} (means of neighbours)
  are shown to tell what choosing exact keys adds.
- **Literal ATP (${code('svd')}) fails on a model that was not tuned with it**: rows of a singular value decomposition have arbitrary signs and
  scales, and a softmax over them means nothing; even all rows do not give dense attention back. atpc refuses it there without ${code('--force')}.
  A model that was tuned with it in place, if only briefly, gets most of its accuracy back.
- **ATP does not pay at this length**: compare the times with dense. ${attentionShare(figures)} Without
  ${code('--attn')} the compiler keeps a model dense where it expects no gain, and says so.
- Accuracy is a weak test: a classifier survives losses that an embedding does not. Hence the next table.
`;
}

function similaritySection({ similarity }: Results): string {
  if (!similarity) return '';
  const { figures, machine } = similarity;
  return `## Similarity: MiniLM

all-MiniLM-L6-v2 (6 layers, 12 heads of 32; ${code('npm run fetch-models')}) on the first ${figures.texts} reviews that fill 512 ids, cut at 512 and at 256: the
cosine of each sentence embedding to the dense one. Two different reviews have a cosine of ${figures.unrelated.toFixed(2)} on average. Keys are counted on ${figures.sample} texts;
*a text* is the median time.

${markdown(similarityTable(figures))}

${on(machine)}

The model's own limit for sentences is 256 ids; its position table takes 512. Queries and keys of ${code('expand')} and ${code('cluster')} are in a
[balanced basis](decisions/keys-are-clustered-in-a-balanced-basis.md), without which ${code('expand')} misses its targets here.
`;
}

function timingSection({ timing }: Results): string {
  if (!timing) return '';
  const { figures, machine } = timing;
  const tables = headSizes.map((headSize) => `### One head of ${headSize}\n\n${markdown(timingTable(figures, headSize))}`);
  const rates = headSizes.map((headSize) => denseRate(figures, headSize)).filter((text) => text !== '');
  return `## Time of attention alone

One head, one sequence without padding, random queries, keys and values; the median of 3 to 7 runs (fewer where a run takes seconds), on one core,
clustering and ranking counted. In brackets, how many times faster than dense; under 1 is slower. *16 clusters of 8* expands 16 clusters a
query at any length, instead of a share of them that grows with it: the cost then grows with the number of cluster means, an eighth of the
tokens. From ${code('bench/attention.ts')}.

${tables.join('\n\n')}

${on(machine)}

Dense attention runs at ${rates.join(' and ')} (4 FLOPs a pair of tokens and dimension). The cost formula that chooses a
plan uses the constants of ${code('compiler/codegen/wasm/target.ts')}, for streamed and for gathered keys; they are rounded from tables like these.

${code('svd')} works on the hidden states of a layer and not on a head, and its eigenvectors are found in float64 with cubic work; it is left out above. The
principal rows of one layer alone, a quarter of the tokens:

${markdown(principalRowsTable(figures))}

What the tables mean for a whole model: attention is 10 to 30 % of a BERT layer's FLOPs at 512 tokens, so that no mode makes such a model
much faster. The modes are for long inputs.
`;
}

export function resultsPage(results: Results): string {
  return `${notice}

# Results

Figures that take long to measure, or are times. All of them go through the whole compiler and the WebAssembly kernels, in one process on one
core. To measure them again (about a quarter of an hour on an idle machine with two cores):

\`\`\`sh
npm run fetch-models
npm run results -- --data DATA
\`\`\`

DATA is a folder that holds ${code('imdb-test-2000.jsonl')}: reviews of the IMDB test set (Maas et al. 2011), a line each,
${code('{"text": ..., "label": 0 | 1}')}. With ${code('--only accuracy|similarity|timing')} one part is measured, with ${code('--limit N')} fewer reviews are read.

## Targets

${markdown(checksTable(results))}

${[accuracySection(results), similaritySection(results), timingSection(results)].filter((section) => section !== '').join('\n')}`;
}
