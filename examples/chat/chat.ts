/**
 * SmolLM2-135M-Instruct twice, with a dense cache and with a cache of principal keys, asked the same questions:
 * `npx tsx --conditions=atpc-source examples/chat/chat.ts "Why is the sky blue?"`.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatTable } from '../../compiler/cli/table.ts';
import { formatBytes } from '../../compiler/cli/terminal.ts';
import { compile, inspectPlan, loadPackage, type CompileOptions } from '../../compiler/index.ts';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const smollm2 = here('../../.cache/models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf');
const plan = here('plan.yaml');

type Attention = Pick<CompileOptions, 'attention' | 'plan'>;
const variants = [
  { name: 'dense', attention: 'dense' },
  { name: 'hybrid', plan },
] as const satisfies readonly (Attention & { readonly name: string })[];
type VariantName = (typeof variants)[number]['name'];
interface Row {
  readonly name: VariantName;
  readonly answers: readonly Answer[];
}

// The messenger's line has left the window of exact tokens, 256 to 384 of them, when the question comes.
const scene = `Here is a scene of a play.\n\n${readFileSync(here('scene.txt'), 'utf8')}\nWhat is the pass key of the gate?`;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Compiles a package, unless it is there: it brings its own runtime and does not age with the compiler. */
async function compiled(name: VariantName, attention: Attention, folder: string): Promise<string> {
  const out = path.join(folder, `smollm2-${name}`);
  if (existsSync(path.join(out, 'manifest.json'))) return out;
  if (!existsSync(smollm2)) throw new Error(`There is no ${path.relative('.', smollm2)}: run "npm run fetch-models" first.`);
  say(`compile ${name} ...`);
  await compile({ model: smollm2, out, ...attention });
  return out;
}

interface Answer {
  readonly question: string;
  readonly answer: string;
  readonly promptTokens: number;
  /** Tokens a second. */
  readonly readingRate: number;
  readonly writingRate: number;
}
interface Question {
  /** For people, who need not read the scene again. */
  readonly title: string;
  readonly content: string;
}
/** The answers of a package; each question is a conversation of its own. */
async function answers(folder: string, questions: readonly Question[]): Promise<readonly Answer[]> {
  const { load } = await loadPackage(folder);
  const model = await load();
  try {
    const given: Answer[] = [];
    for (const { title, content } of questions) {
      const { result } = model.chat([{ role: 'user', content }], { maxTokens: 40 });
      const { text, ids, promptTokens, prefillMilliseconds, decodeMilliseconds } = await result;
      const readingRate = (1000 * promptTokens) / prefillMilliseconds;
      const writingRate = (1000 * ids.length) / decodeMilliseconds;
      given.push({ question: title, answer: text.trim(), promptTokens, readingRate, writingRate });
    }
    return given;
  } finally {
    await model.dispose();
  }
}

interface StateSize {
  /** That a session can hold. */
  readonly tokens: number;
  /** Bytes of the session. */
  readonly dense: number;
  readonly hybrid: number;
}
async function stateSizes(): Promise<readonly StateSize[]> {
  // Longer than the model was trained for: sizes are known there too, answers are not.
  const { totals } = await inspectPlan({ model: smollm2, plan, maxLength: 32_768, beyondTrainedContext: true });
  return totals.map(({ tokens, denseStateBytes = 0, planStateBytes = 0 }) => {
    return { tokens, dense: denseStateBytes, hybrid: planStateBytes };
  });
}

function report(rows: readonly Row[], sizes: readonly StateSize[]): string {
  const [first] = rows;
  const conversations = (first?.answers ?? []).flatMap(({ question, promptTokens }, at) => [
    `${question} (${promptTokens} tokens)`,
    ...rows.map(({ name, answers: given }) => `  ${name.padEnd(6)}  ${given[at]?.answer.replaceAll(/\s+/g, ' ') ?? ''}`),
    '',
  ]);
  const rate = (answer: Answer | undefined, which: 'readingRate' | 'writingRate'): string => (answer?.[which] ?? 0).toFixed(0);
  const table = [
    ['', 'reads', 'writes', ...sizes.map(({ tokens }) => `state for ${tokens.toLocaleString('en')}`)],
    ...rows.map(({ name, answers: given }) => {
      const longest = given.at(-1);
      const rates = [`${rate(longest, 'readingRate')} tokens/s`, `${rate(longest, 'writingRate')} tokens/s`];
      return [name, ...rates, ...sizes.map((size) => formatBytes(size[name]))];
    }),
  ];
  return [...conversations, formatTable(table, [1, 2, 3, 4, 5])].join('\n');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packages: { type: 'string', default: here('../../.cache/examples/chat') },
    json: { type: 'boolean', default: false },
  },
});
const short = positionals.join(' ') || 'What is the capital of France?';
const questions: readonly Question[] = [
  { title: short, content: short },
  { title: 'A scene of a play, and: What is the pass key of the gate?', content: scene },
];
try {
  const rows: Row[] = [];
  for (const { name, ...attention } of variants) {
    const folder = await compiled(name, attention, values.packages);
    say(`ask ${name} ...`);
    rows.push({ name, answers: await answers(folder, questions) });
  }
  const sizes = await stateSizes();
  process.stdout.write(`${values.json ? JSON.stringify({ rows, sizes }) : report(rows, sizes)}\n`);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
