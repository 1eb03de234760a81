/**
 * Measures quality and time of the attention modes on real weights, through the WASM target, and holds the figures against
 * their targets. `npm run results -- --data FOLDER`; --help lists the options. Prints tables; exit code 1 if a target is missed.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { attentionLengths, headSizes, measureAttention, measurePrincipalRows } from '../bench/attention.ts';
import { formatTable } from '../compiler/cli/table.ts';
import { measureAccuracy } from './results/accuracy.ts';
import { measureBounded } from './results/bounded.ts';
import { causalModel } from './results/causal-model.ts';
import { claimsTables } from './results/claims.ts';
import { measureLanguage, wikiTextFile } from './results/language-model.ts';
import { describeMachine, thisMachine } from '../bench/machine.ts';
import { resultsPage } from './results/page.ts';
import { measureRetrieval } from './results/retrieval.ts';
import { readReviews, reviewsFile } from './results/reviews.ts';
import { runScript, sideBySide } from './results/side-by-side.ts';
import { measureSimilarity } from './results/similarity.ts';
import {
  accuracyTable,
  boundedTable,
  checksOf,
  checksTable,
  languageTable,
  principalRowsTable,
  retrievalTable,
  similarityTable,
  timingTable,
  type Measured,
  type Results,
  type Rows,
} from './results/tables.ts';
import { passes } from './results/targets.ts';

const usage = `Usage: npm run results -- --data FOLDER [options]
  --data FOLDER    holds ${reviewsFile} and ${wikiTextFile}; not needed for the timing part
  --only PARTS     of accuracy, similarity, language, retrieval, bounded and timing, one or several with commas (default: all of them)
  --limit N        reviews of the accuracy part (default 1000)
  --json FILE      write the figures; parts that FILE holds and that are not measured now are kept and shown
  --write PAGE     write docs/results.md
`;

/** Something wrong with the call; printed as one sentence. */
class UsageError extends Error {}

const checkout = fileURLToPath(new URL('..', import.meta.url));
const sentiment = path.join(checkout, 'examples/sentiment');
const miniLm = path.join(checkout, '.cache/models/all-MiniLM-L6-v2');
const smolLm2 = path.join(checkout, '.cache/models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf');

function progress(text: string): void {
  const { stderr } = process;
  stderr.write(stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
}
function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

function options(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      only: { type: 'string' },
      limit: { type: 'string', default: '1000' },
      json: { type: 'string' },
      write: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const { data, only, json, write, help } = values;
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError(`--limit takes a number of reviews, and is '${values.limit}'.`);
  const named: readonly string[] = only?.split(',') ?? parts;
  const wanted = parts.filter((part) => named.includes(part));
  if (wanted.length < named.length) throw new UsageError(`--only takes ${parts.join(', ')}, and is '${only}'.`);
  if (!help && data === undefined && wanted.some((part) => part !== 'timing')) throw new UsageError('--data FOLDER is missing.');
  return { data: data ?? '', wanted, limit, json, write, help };
}

interface MeasureOptions {
  readonly data: string;
  readonly limit: number;
}
const here = <T>(figures: T): Measured<T> => ({ machine: thisMachine(), figures });
function existing(file: string, hint = ''): string {
  if (!existsSync(file)) throw new UsageError(`There is no ${file}${hint}.`);
  return file;
}
const fetched = (file: string): string => existing(file, ': run npm run fetch-models first');
const reviewsOf = (data: string) => readReviews(path.dirname(existing(path.join(data, reviewsFile))));
const textFolder = (data: string): string => path.dirname(existing(path.join(data, wikiTextFile)));

const measurements = {
  async accuracy({ data, limit }) {
    const reviews = await reviewsOf(data);
    const folders = { plain: path.join(sentiment, 'model'), tuned: path.join(sentiment, 'model-atp') };
    return { accuracy: here(await measureAccuracy(folders, reviews.slice(0, limit), progress)) };
  },
  async similarity({ data }) {
    return { similarity: here(await measureSimilarity(fetched(miniLm), await reviewsOf(data), progress)) };
  },
  async language({ data }) {
    return { language: here(await measureLanguage(await causalModel(fetched(smolLm2)), textFolder(data), progress)) };
  },
  async retrieval({ data }) {
    return { retrieval: here(await measureRetrieval(await causalModel(fetched(smolLm2)), textFolder(data), progress)) };
  },
  async bounded({ data }) {
    const models = { sentiment: path.join(sentiment, 'model'), miniLm: fetched(miniLm), smolLm2: fetched(smolLm2) };
    existing(path.join(data, reviewsFile));
    return { bounded: here(await measureBounded(models, textFolder(data), progress)) };
  },
  async timing() {
    const attention = await measureAttention(attentionLengths, progress);
    // The width of MiniLM; a decomposition's time depends on it and on the tokens alone.
    return { timing: here({ attention, principalRows: await measurePrincipalRows([128, 256, 512], 384, progress) }) };
  },
} satisfies { readonly [P in keyof Results]-?: (options: MeasureOptions) => Promise<Results> };
type Part = keyof typeof measurements;
const parts = Object.keys(measurements) as readonly Part[];
/** Figures that hold no times may be measured beside others. */
const holdsTimes: { readonly [P in Part]: boolean } = {
  accuracy: true,
  similarity: true,
  language: false,
  retrieval: false,
  bounded: false,
  timing: true,
};

/** Parts without times, in processes of their own, as many at a time as there are cores; the longest first. */
async function measureBeside(own: readonly Part[], { data, limit }: MeasureOptions): Promise<Results> {
  // What all of them need: a fault here is told of once.
  existing(path.join(data, wikiTextFile));
  fetched(smolLm2);
  const folder = await mkdtemp(path.join(tmpdir(), 'atpc-results-'));
  const run = async (part: Part, signal: AbortSignal): Promise<Results> => {
    const file = path.join(folder, `${part}.json`);
    const args = ['--data', data, '--limit', String(limit), '--only', part, '--json', file];
    // 1: a target was missed, which is said of all parts at the end.
    await runScript({ script: fileURLToPath(import.meta.url), args, expected: [0, 1], onLine: progress, signal });
    return JSON.parse(await readFile(file, 'utf8')) as Results;
  };
  try {
    const longestFirst = [...own].reverse();
    return Object.assign({}, ...(await sideBySide(longestFirst, availableParallelism(), run))) as Results;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const columnsOfNames: ReadonlySet<string> = new Set(['attention', 'weights']);
function print(title: string, rows: Rows): void {
  const columns = rows[0]?.length ?? 0;
  const right = Array.from({ length: columns }, (_, column) => column).filter(
    (column) => column > 0 && !columnsOfNames.has(rows[0]?.[column] ?? ''),
  );
  process.stdout.write(`\n${title}\n\n${formatTable(rows, right)}\n`);
}
function printResults(results: Results): void {
  const { accuracy, similarity, language, retrieval, bounded, timing } = results;
  if (accuracy) {
    print(
      `sentiment-mini, ${accuracy.figures.reviews} IMDB reviews, ${accuracy.figures.tokens} ids (${describeMachine(accuracy.machine)})`,
      accuracyTable(accuracy.figures),
    );
  }
  if (similarity)
    print(
      `MiniLM, ${similarity.figures.texts} long reviews (${describeMachine(similarity.machine)})`,
      similarityTable(similarity.figures),
    );
  if (language) {
    print(`SmolLM2 on WikiText-2, against dense, nats (${describeMachine(language.machine)})`, languageTable(language.figures));
  }
  if (retrieval) {
    print(`SmolLM2, what lies far back (${describeMachine(retrieval.machine)})`, retrievalTable(retrieval.figures));
  }
  if (bounded) {
    print(`Plans under a bound of ${bounded.figures.bound} (${describeMachine(bounded.machine)})`, boundedTable(bounded.figures));
  }
  if (timing) {
    for (const headSize of headSizes) {
      print(
        `Attention alone, one head of ${headSize} (${describeMachine(timing.machine)})`,
        timingTable(timing.figures, headSize),
      );
    }
    print('Principal rows of a layer (svd)', principalRowsTable(timing.figures));
  }
  for (const [models, rows] of claimsTables(results)) print(`What the paper claims, and what was found: ${models}`, rows);
  if (checksOf(results).length > 0) print('Targets', checksTable(results));
}

async function main(args: readonly string[]): Promise<number> {
  const { data, wanted, limit, json, write, help } = options(args);
  if (help) {
    process.stdout.write(usage);
    return 0;
  }
  let results: Results = json !== undefined && existsSync(json) ? (JSON.parse(await readFile(json, 'utf8')) as Results) : {};
  const add = async (measured: Results): Promise<void> => {
    results = { ...results, ...measured };
    if (json !== undefined) await writeFile(json, `${JSON.stringify(results, null, 1)}\n`);
  };
  const beside = wanted.filter((part) => !holdsTimes[part]);
  if (beside.length > 1) await add(await measureBeside(beside, { data, limit }));
  for (const part of wanted) {
    if (holdsTimes[part] || beside.length === 1) await add(await measurements[part]({ data, limit }));
  }
  endProgress();
  printResults(results);
  if (write !== undefined) {
    const style = await resolveConfig(path.resolve(write));
    await writeFile(write, await format(resultsPage(results), { ...style, parser: 'markdown' }));
  }
  return checksOf(results).every(passes) ? 0 : 1;
}

// Processes that measure parts end with this one (runScript stops them).
process.once('SIGTERM', () => process.exit(143));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  if (!known) throw error;
  process.stderr.write(`results: ${error.message}\n${usage}`);
  process.exitCode = 2;
}
