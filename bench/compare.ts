/**
 * Measures atpc beside its peers. `npm run bench`; --help lists the options. Prints tables, or with --json the figures; exit
 * code 1 where outputs differ or something is missing.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { integerList } from '../compiler/cli/bench-flags.ts';
import { formatTable } from '../compiler/cli/table.ts';
import { AtpcError } from '../runtime/errors.ts';
import { comparePeers, type Comparison } from './compare-peers.ts';
import { threadsTable, timesTable, type Rows } from './compare-tables.ts';
import { thisMachine, type Machine } from './machine.ts';
import { BenchError, miniLmFiles } from './model-files.ts';

export interface BenchFigures {
  readonly machine: Machine;
  readonly comparison: Comparison | null;
}

const sharedFolder = fileURLToPath(new URL('../../shared', import.meta.url));
const usage = `Usage: npm run bench -- [options]
  --shared FOLDER     the project's shared data, whose onnx/ holds the graph (default: ../shared beside the checkout)
  --tokens LIST       tokens of each sequence (default: 128,512)
  --batch LIST        sequences a run (default: 1,16)
  --threads LIST      threads of every peer (default: 1,2)
  --json              print the figures as one JSON document
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
  progress('compiling MiniLM');
  const files = await miniLmFiles(path.resolve(values.shared));
  const figures: BenchFigures = { machine: thisMachine(), comparison: await comparePeers(files, extent, progress) };
  endProgress();
  if (values.json) {
    process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);
    return;
  }
  const { comparison } = figures;
  if (comparison) {
    print('MiniLM, dense: median of the runs (fastest to slowest)', timesTable(comparison));
    const threads = threadsTable(comparison);
    if (threads) print('What threads give', threads);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  endProgress();
  const misuse = error instanceof AtpcError || (error instanceof TypeError && 'code' in error);
  if (!misuse && !(error instanceof BenchError)) throw error;
  process.stderr.write(`bench: ${error.message}\n${misuse ? usage : ''}`);
  process.exitCode = misuse ? 2 : 1;
}
