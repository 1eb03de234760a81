/**
 * Measures atpc beside its peers. `npm run bench`; --help lists the options. Prints tables, or with --json the figures; exit
 * code 1 where outputs differ or something is missing.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { integerList } from '../compiler/cli/bench-flags.ts';
import { formatTable } from '../compiler/cli/table.ts';
import { usageError } from '../compiler/cli/usage-error.ts';
import { benchmarksPage, keptSectionsOf, type BenchFigures } from './benchmarks-page.ts';
import { comparePeers, type Comparison, type Extent } from './compare-peers.ts';
import { coreOfOneThread, enoughOfACore, limitWords, ratesTable, threadsTable, timesTable, type Rows } from './compare-tables.ts';
import { measureKernelRates } from './kernel-rates.ts';
import { thisMachine } from './machine.ts';
import { miniLmFiles } from './model-files.ts';
import { runCommand } from './run-command.ts';

const sharedFolder = fileURLToPath(new URL('../../shared', import.meta.url));
const page = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
const parts = ['peers', 'kernels'] as const;
/** Where products are long enough to be held against the limit, up to the most that MiniLM takes. */
const kernelTokens = [256, 512] as const;

const usage = `Usage: npm run bench -- [options]
  --shared FOLDER       the project's shared data, whose onnx/ holds the graph (default: ../shared beside the checkout)
  --tokens LIST         tokens of each sequence (default: 128,512)
  --batch LIST          sequences a run (default: 1,16)
  --threads LIST        threads of every peer (default: 1,2)
  --only peers|kernels  measure one part (default: both)
  --write               write docs/benchmarks.md
  --json                print the figures as one JSON document
`;

function progress(text: string): void {
  const { stderr } = process;
  stderr.write(stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
}
function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}
function print(title: string, rows: Rows): void {
  const columns = (rows[0] ?? []).map((_, column) => column);
  process.stdout.write(`\n${title}\n\n${formatTable(rows, columns)}\n`);
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      shared: { type: 'string', default: sharedFolder },
      tokens: { type: 'string', default: '128,512' },
      batch: { type: 'string', default: '1,16' },
      threads: { type: 'string', default: '1,2' },
      only: { type: 'string' },
      write: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const extent = {
    tokens: integerList('--tokens', values.tokens),
    batch: integerList('--batch', values.batch),
    threads: integerList('--threads', values.threads),
  };
  const { only } = values;
  if (only !== undefined && !parts.some((part) => part === only)) {
    throw usageError(`--only takes ${parts.join(' or ')}, and is '${only}'.`, 'Without it, both parts are measured.');
  }
  const wanted = (part: (typeof parts)[number]): boolean => only === undefined || only === part;
  const measured = wanted('peers') ? await measurePeers(path.resolve(values.shared), extent) : null;
  const kernels = wanted('kernels') ? await measureKernelRates(kernelTokens, extent.threads, progress) : null;
  const figures: BenchFigures = { machine: thisMachine(), comparison: measured, kernels };
  endProgress();
  const core = measured ? coreOfOneThread(measured) : null;
  if (core && core[0] < enoughOfACore) {
    const share = core[0].toFixed(2);
    process.stderr.write(
      `A peer with one thread had ${share} of a core: other programs disturb this, measure again without them.\n`,
    );
  }
  if (values.json) process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);
  else printFigures(figures);
  if (values.write) {
    const style = await resolveConfig(page);
    const kept = existsSync(page) ? keptSectionsOf(await readFile(page, 'utf8')) : '';
    await writeFile(page, await format(benchmarksPage(figures, kept), { ...style, parser: 'markdown' }));
  }
}

async function measurePeers(shared: string, extent: Extent): Promise<Comparison> {
  progress('compiling MiniLM');
  return comparePeers(await miniLmFiles(shared), extent, progress);
}

function printFigures({ comparison, kernels }: BenchFigures): void {
  if (comparison) {
    print('MiniLM, dense: median of the runs (fastest to slowest)', timesTable(comparison));
    const threads = threadsTable(comparison);
    if (threads) print('What threads give', threads);
  }
  if (kernels) print(`Kernels beside the SIMD limit of a core: ${limitWords(kernels)}`, ratesTable(kernels));
}

await runCommand(main, usage);
