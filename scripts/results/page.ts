/** docs/results.md: the tables with what they mean. */
import { code, table } from '../docs/markdown.ts';
import { headSizes } from '../../bench/attention.ts';
import { tunedKeys, type Accuracy } from './accuracy.ts';
import { heldOutFactor } from './bounded.ts';
import { claimsSection } from './claims-section.ts';
import { scoredTokens, wikiTextFile, windowNames, windowTokens } from './language-model.ts';
import { describeMachine, type Machine } from '../../bench/machine.ts';
import { measuredHeads } from './measured-model.ts';
import { copies, keyValueLists, passkeyDepths } from './retrieval.ts';
import { copyTokens } from '../../compiler/evaluate/retrieval-tasks.ts';
import {
  accuracyTable,
  boundedTable,
  checksTable,
  languageTable,
  principalRowsTable,
  retrievalTable,
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
  const shared = time('shared', '1/4');
  const saves = (milliseconds: number): string => `saves ${Math.round(100 * (1 - milliseconds / whole))} % of a run`;
  return (
    `At ${tokens} tokens attention is a small part of the model: reading a quarter of the keys with no work for choosing them (${code('segment')} 1/4) ${saves(least)}.` +
    (shared === undefined
      ? ''
      : ` ${code('shared')} 1/4, whose keys and values are projected from means, ${saves(shared)}, at the price above.`)
  );
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
that defines them. *A review* is the mean time of one run of the model, tokenizing apart. The last two rows are
${code('examples/sentiment/model-atp')}, other weights, which were fine-tuned with literal ATP at ${tunedKeys}.

${markdown(accuracyTable(figures))}

${on(machine)}

- The standard error of an accuracy is about one point, but all rows read the same reviews: *same decisions* tells more than a difference
  of accuracies.
- ${code('expand')} and ${code('topr')} need no fine-tuning. ${code('cluster')} (the means of ${code('expand')}, none expanded), ${code('shared')} (means of tokens that are clustered once for
  all heads) and ${code('segment')} (means of neighbours) are shown to tell what choosing exact keys adds.
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

function languageSection({ language }: Results): string {
  if (!language) return '';
  const { figures, machine } = language;
  const losses = windowNames.map((name) => `${figures.denseLoss[name].toFixed(3)} on ${name}`);
  return `## Language model: SmolLM2 on WikiText-2

SmolLM2-135M-Instruct (30 layers, 9 query and 3 KV heads of 64; ${code('npm run fetch-models')}), its weights multiplied as they are in the GGUF file.
${windowNames.length} windows of ${windowTokens.toLocaleString('en-US')} tokens of the WikiText-2 test file; the last ${scoredTokens.toLocaleString('en-US')} positions are scored. *KL* is the mean divergence of the
next-token distribution from the dense one, *loss* the change of the mean negative log-likelihood, both in nats. Dense has a loss of
${losses.join(', ')}. w0 repeats names and phrases from far back; w1 and w2 hardly do.

${markdown(languageTable(figures))}

${on(machine)}

- ${code('expand')} with its defaults (a cluster is expanded for a share of 0.001 and more) keeps all tokens and stays close to dense on all
  three.
- ${code('cluster')} is ${code('expand')} with no cluster expanded: what lies before the window is read by means alone.
- ${code('stream')} keeps a state of constant size. **It cannot copy from far back**: on w0, whose far repeats are gone from the state, it loses a
  third of a nat and more. On text without far repeats it loses little, which is why w1 and w2 alone
  would be a poor test.
- ${code('hybrid')} gives the heads that copy to ${code('expand')} (16 of 90: ${code('examples/chat/plan.yaml')}; 8: the worst of them) and streams the others with
  128 tokens each.
- The bounds are the figures of another implementation, give or take 15 % or 0.001 nats.
`;
}

function retrievalSection({ retrieval }: Results): string {
  if (!retrieval) return '';
  const { figures, machine } = retrieval;
  const { lists, pairs, asked } = keyValueLists;
  const whole = (count: number): string => count.toLocaleString('en-US');
  const texts = Object.entries(passkeyDepths).map(
    ([tokens, depths]) =>
      `at ${depths.map((depth) => `${Math.round(100 * depth)} %`).join(', ')} of ${whole(Number(tokens))} tokens`,
  );
  return `## What lies far back: SmolLM2

Texts from a seeded generator, the same for every cache. *Pass key*: a number of five digits in WikiText-2 text (${texts.join('; ')}),
asked for at the end; right if greedy decoding gives all its digits after "The pass key is ". Plain text without the chat template. *Key and value*:
${lists} lists of ${pairs} lines of a name and a number, ${asked} questions each; *their loss* is the mean over the digits of the right number, nats. *Far copy*:
${copyTokens.passage} tokens, ${copyTokens.between} others, and the ${copyTokens.passage} again; the mean loss on the repeat after its first ${copyTokens.unscored} tokens, of ${copies} texts, and its change against dense.

${markdown(retrievalTable(figures))}

${on(machine)}

- ${code('expand')} and ${code('hybrid')} with their defaults must find every pass key that dense finds.
- **${code('stream')} in all heads fails here**: when a token leaves the window nothing tells that it will be asked for, and what it finds it finds by
  luck. The compiler says so when ${code('stream')} is chosen for all heads.
- What dense itself gets wrong is the model's limit (135 million parameters), not the cache's.
`;
}

function boundedSection({ bounded }: Results): string {
  if (!bounded) return '';
  const { figures, machine } = bounded;
  const { bound } = figures;
  return `## Plans under a bound: ${code('--attn auto')}

What ${code(`atpc compile MODEL --attn auto --max-loss ${bound} --calibrate FILE --typical-length TOKENS`)} finds where FILE is the first part of a source, and what the plan
loses on documents of its last part, which nothing was fitted to (a thousand reviews each; 800,000 and 450,000 bytes of WikiText-2). *Attention* is what the cost formula predicts for one text of so many
tokens, dense and planned. *Loss* is the mean over documents with its 95 % interval, in the unit of the task: the part of FILE that the plan was
not searched on, then the held-out documents. The upper end is held against the bound in the first case, and against ${heldOutFactor} times the bound
in the second.

${markdown(boundedTable(figures))}

${on(machine)}

*Far repeats* is the loss of the same plan on held-out documents in which a passage of 640 tokens comes again 768 tokens later: no bound holds
there, and the package says what was measured.
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

const sections = [accuracySection, similaritySection, languageSection, retrievalSection, boundedSection, timingSection];

export function resultsPage(results: Results): string {
  return `${notice}

# Results

Figures that take long to measure, or are times. All of them go through the whole compiler and the WebAssembly kernels, each run on one core;
what holds times is measured alone. To measure them again (about 35 minutes on an idle machine with two cores):

\`\`\`sh
npm run fetch-models
npm run results -- --data DATA --write docs/results.md
\`\`\`

DATA is a folder that holds ${code('imdb-test-2000.jsonl')}: reviews of the IMDB test set (Maas et al. 2011), a line each,
${code('{"text": ..., "label": 0 | 1}')}; and ${code(wikiTextFile)}, the test file of WikiText-2 raw (Merity et al. 2016). With
${code('--only accuracy|similarity|language|retrieval|bounded|timing')} one part is measured, or several with commas, with ${code('--limit N')} fewer reviews are read.

${claimsSection(results)}
## Targets

${markdown(checksTable(results))}

${sections
  .map((section) => section(results))
  .filter((section) => section !== '')
  .join('\n')}`;
}
