/**
 * Measures SmolLM2 in packages of atpc beside llama.cpp and wllama: reading texts, and decoding after them. `npm run bench:llama`; --help
 * lists the options. Exit code 1 where peers say other things or something is missing.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { integerList } from '../compiler/cli/bench-flags.ts';
import { readPackageManifest } from '../compiler/cli/package-manifest.ts';
import { usageError } from '../compiler/cli/usage-error.ts';
import { TextTokenizer } from '../runtime/tokenizer.ts';
import { benchmarksPage, withSection } from './benchmarks-page.ts';
import { compareGenerationPeers } from './compare-generation-peers.ts';
import { generationPeerNames, type GenerationFiles, type Prompt } from './generation-peers.ts';
import { peersSection, peersTitle, readingTable, timesPlot, type GenerationPeersFigures } from './generation-peers-page.ts';
import { thisMachine } from './machine.ts';
import { atpc, BenchError } from './model-files.ts';
import { printTable } from './print-table.ts';
import { runCommand } from './run-command.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const gguf = path.join(checkout, '.cache/models/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf');
const page = path.join(checkout, 'docs/benchmarks.md');
const plot = path.join(checkout, 'docs/generation-times.svg');
/** What a session holds: the longest text, and what is decoded after it. */
const longest = 33 * 1024;

const usage = `Usage: npm run bench:llama -- [options]
  --shared FOLDER    the project's shared data, whose data/tiny-shakespeare.txt is read (default: ../shared beside the checkout)
  --peers LIST       some of ${generationPeerNames.join(', ')} (default: all)
  --tokens LIST      lengths of the text, up to 32768 (default: 2048,8192,32768)
  --threads N        threads of every peer (default: 2)
  --packages FOLDER  takes the packages FOLDER/dense and FOLDER/hybrid if they are there, and compiles them there if not
  --json FILE        write the figures
  --show             measure nothing, print the figures of --json FILE
  --write            write the section of docs/benchmarks.md and its plot
`;

async function compilePackages(folder: string, keep: boolean): Promise<GenerationFiles['packages']> {
  if (!existsSync(gguf)) throw new BenchError(`There is no ${path.relative('.', gguf)}: run npm run fetch-models first.`);
  const flags = { dense: ['--attn', 'dense'], hybrid: ['--plan', path.join(checkout, 'examples/chat/plan.yaml')] } as const;
  const out = { dense: path.join(folder, 'dense'), hybrid: path.join(folder, 'hybrid') };
  for (const name of ['dense', 'hybrid'] as const) {
    if (keep && existsSync(path.join(out[name], 'manifest.json'))) continue;
    const length = ['--max-seq', String(longest), '--beyond-trained-context', '-t', targets.join(',')];
    await atpc(['compile', gguf, '-o', out[name], '--force', '--quiet', ...length, ...flags[name]], `Compiling ${name}`);
  }
  return out;
}
const targets = ['wasm', 'native'];

/** Prompts from the start of a text, of the most characters that are at most so many tokens: a session holds no more. */
async function promptsOf(packageFolder: string, text: string): Promise<(tokens: number) => Prompt> {
  const { tokenizer } = await readPackageManifest(packageFolder);
  if (!tokenizer) throw new BenchError(`The package in ${packageFolder} has no tokenizer.`);
  const read = async (name: string): Promise<object> =>
    JSON.parse(await readFile(path.join(packageFolder, name), 'utf8')) as object;
  const encoder = new TextTokenizer(await read(tokenizer.file), await read(tokenizer.config), Infinity);
  return (tokens) => {
    let [characters, beyond] = [0, Math.min(text.length, mostCharactersPerToken * tokens)];
    while (beyond - characters > 1) {
      const middle = (characters + beyond) >> 1;
      if (encoder.idsOf(text.slice(0, middle), false).length <= tokens) characters = middle;
      else beyond = middle;
    }
    return { text: text.slice(0, characters), ids: encoder.idsOf(text.slice(0, characters), false) };
  };
}
/** Of English text, over any length that is measured. */
const mostCharactersPerToken = 8;

async function measure(values: {
  readonly shared: string;
  readonly peers: string;
  readonly tokens: string;
  readonly threads: string;
  readonly packages: string | undefined;
}): Promise<GenerationPeersFigures> {
  const lengths = integerList('--tokens', values.tokens);
  const tooLong = lengths.find((tokens) => tokens > 32_768);
  if (tooLong !== undefined)
    throw usageError(`--tokens takes lengths up to 32768, and has ${tooLong}.`, 'The default is 2048,8192,32768.');
  const [threads = 2] = integerList('--threads', values.threads);
  const peers = values.peers.split(',').map((name) => {
    const found = generationPeerNames.find((candidate) => candidate === name);
    if (found) return found;
    throw usageError(
      `--peers takes a list of ${generationPeerNames.join(', ')}, and has '${name}'.`,
      'Without it, all are measured.',
    );
  });
  const textFile = path.join(values.shared, 'data/tiny-shakespeare.txt');
  if (!existsSync(textFile)) throw new BenchError(`There is no ${textFile}: --shared FOLDER says where it is.`);
  const text = (await readFile(textFile, 'utf8')).slice(0, 8 * longest);
  const progress = (words: string): void => void process.stderr.write(`${words}\n`);
  progress('compiling');
  const packages = await compilePackages(
    values.packages ?? path.join(checkout, '.cache/bench/peers'),
    values.packages !== undefined,
  );
  const promptOf = await promptsOf(packages.dense, text);
  const comparison = await compareGenerationPeers({ gguf, packages, longest }, promptOf, { peers, lengths, threads }, progress);
  return { machine: thisMachine(), comparison };
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      shared: { type: 'string', default: path.join(checkout, '../shared') },
      peers: { type: 'string', default: generationPeerNames.join(',') },
      tokens: { type: 'string', default: '2048,8192,32768' },
      threads: { type: 'string', default: '2' },
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
  if (values.show && values.json === undefined) throw usageError('--show prints the figures of a file.', 'Add --json FILE.');
  const figures =
    values.show && values.json !== undefined
      ? (JSON.parse(await readFile(values.json, 'utf8')) as GenerationPeersFigures)
      : await measure({ ...values, packages: values.packages });
  if (values.json !== undefined && !values.show) await writeFile(values.json, JSON.stringify(figures, null, 1));
  const { processor, cores, node } = figures.machine;
  process.stdout.write(`${processor}, ${cores} cores, Node ${node}, ${figures.comparison.threads} threads\n`);
  printTable('Reading, ms a token (fastest to slowest turn)', readingTable(figures.comparison, 'prefill'));
  printTable('Decoding after it, ms a token', readingTable(figures.comparison, 'decode'));
  if (values.write) {
    await writeFile(plot, await timesPlot(figures.comparison));
    const old = existsSync(page)
      ? await readFile(page, 'utf8')
      : benchmarksPage({ machine: figures.machine, comparison: null, kernels: null }, '');
    const style = await resolveConfig(page);
    const section = peersSection(figures, path.basename(plot));
    await writeFile(page, await format(withSection(old, peersTitle, section), { ...style, parser: 'markdown' }));
  }
}

await runCommand(main, usage);
