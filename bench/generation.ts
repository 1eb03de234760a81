/**
 * Measures SmolLM2 with a long text, for each way of keeping it: time a token of reading and of decoding, bytes of state, peak
 * bytes. `npm run bench:generation`; --help lists the options.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { integerList } from '../compiler/cli/bench-flags.ts';
import { usageError } from '../compiler/cli/usage-error.ts';
import { benchmarksPage, generationSection, generationTitle, withSection } from './benchmarks-page.ts';
import {
  decodeTable,
  generationModes,
  memoryTable,
  prefillTable,
  profileTables,
  type GenerationFigures,
  type GenerationMode,
} from './generation-tables.ts';
import { measureGeneration, stretchTokens } from './generation-times.ts';
import { thisMachine } from './machine.ts';
import { atpc, BenchError } from './model-files.ts';
import { printTable } from './print-table.ts';
import { runCommand } from './run-command.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const model = path.join(checkout, '.cache/models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf');
const page = path.join(checkout, 'docs/benchmarks.md');
const longest = 32_768;

const usage = `Usage: npm run bench:generation -- [options]
  --shared FOLDER      the project's shared data, whose data/tiny-shakespeare.txt is read (default: ../shared beside the checkout)
  --plan FILE          the plan of hybrid (default: examples/chat/plan.yaml)
  --only LIST          some of ${generationModes.join(', ')} (default: all)
  --tokens N           length of the text, a multiple of ${stretchTokens} (default: ${longest})
  --threads N          threads (default: 2)
  --profile            times of the kernels too
  --packages FOLDER    takes the packages FOLDER/dense, ... if they are there, and compiles them there if not
  --json FILE          write the figures; modes that FILE holds and that are not measured now are kept and shown
  --show               measure nothing, print the figures of --json FILE
  --write              write the section on generation of docs/benchmarks.md
`;
const measures = [
  ['milliseconds', 'time that passed'],
  ['processorMilliseconds', 'processor time of all threads'],
] as const;
const compileFlags: { readonly [K in GenerationMode]: (plan: string) => readonly string[] } = {
  dense: () => ['--attn', 'dense'],
  hybrid: (plan) => ['--plan', plan],
  stream: () => ['--attn', 'stream'],
};

async function packageOf(mode: GenerationMode, plan: string, folder: string, keep: boolean): Promise<string> {
  const out = path.join(folder, mode);
  if (keep && existsSync(path.join(out, 'manifest.json'))) return out;
  if (!existsSync(model)) throw new BenchError(`There is no ${path.relative('.', model)}: run npm run fetch-models first.`);
  await rm(out, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const length = ['--max-seq', String(longest), '--beyond-trained-context'];
  await atpc(['compile', model, '-o', out, '--quiet', ...length, ...compileFlags[mode](plan)], `Compiling ${mode}`);
  return out;
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      shared: { type: 'string', default: path.join(checkout, '../shared') },
      plan: { type: 'string', default: path.join(checkout, 'examples/chat/plan.yaml') },
      only: { type: 'string', default: generationModes.join(',') },
      tokens: { type: 'string', default: String(longest) },
      threads: { type: 'string', default: '2' },
      profile: { type: 'boolean', default: false },
      packages: { type: 'string' },
      json: { type: 'string' },
      show: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const [tokens = longest] = integerList('--tokens', values.tokens);
  const [threads = 2] = integerList('--threads', values.threads);
  if (tokens % stretchTokens !== 0 || tokens > longest)
    throw usageError(
      `--tokens takes a multiple of ${stretchTokens} up to ${longest}, and is ${tokens}.`,
      'Without it, all is measured.',
    );
  const wanted = values.only.split(',').map((name) => {
    const mode = generationModes.find((candidate) => candidate === name);
    if (mode) return mode;
    throw usageError(`--only takes a list of ${generationModes.join(', ')}, and has '${name}'.`, 'Without it, all are measured.');
  });
  let figures: GenerationFigures = { machine: thisMachine(), tokens, modes: {} };
  if (values.json !== undefined && existsSync(values.json))
    figures = JSON.parse(await readFile(values.json, 'utf8')) as GenerationFigures;
  if (!values.show) {
    const textFile = path.join(values.shared, 'data/tiny-shakespeare.txt');
    if (!existsSync(textFile)) throw new BenchError(`There is no ${textFile}: --shared FOLDER says where it is.`);
    const text = (await readFile(textFile, 'utf8')).slice(0, 8 * longest);
    const folder = values.packages ?? path.join(checkout, '.cache/bench/generation');
    for (const mode of wanted) {
      const progress = (words: string): void => void process.stderr.write(`${mode}: ${words}\n`);
      progress('compiling');
      const compiled = await packageOf(mode, values.plan, folder, values.packages !== undefined);
      const times = await measureGeneration(compiled, { threads, profile: values.profile, text, tokens, progress });
      figures = { machine: thisMachine(), tokens, modes: { ...figures.modes, [mode]: times } };
      if (values.json !== undefined) await writeFile(values.json, JSON.stringify(figures));
    }
  }
  const { processor, cores, node } = figures.machine;
  process.stdout.write(`${processor}, ${cores} cores, Node ${node}\n`);
  for (const [measure, what] of measures) {
    printTable(`Reading a text, ${what}`, prefillTable(figures, measure));
    printTable(`Decoding, ${what}`, decodeTable(figures, measure));
  }
  printTable('Memory', memoryTable(figures));
  if (values.write) {
    const old = existsSync(page)
      ? await readFile(page, 'utf8')
      : benchmarksPage({ machine: figures.machine, comparison: null, kernels: null }, '');
    const style = await resolveConfig(page);
    const written = withSection(old, generationTitle, generationSection(figures));
    await writeFile(page, await format(written, { ...style, parser: 'markdown' }));
  }
  if (values.profile) for (const { title, rows } of profileTables(figures)) printTable(title, rows);
}

await runCommand(main, usage);
