import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { evaluationPhases, type EvaluationOptions, type EvaluationReport } from '../evaluate/evaluation.ts';
import { columnsOf, lossIsShare, numberText } from '../evaluate/report-words.ts';
import type { CompileFlags } from './compile-flags.ts';
import type { EvalFlags } from './eval-flags.ts';
import { createProgress } from './progress.ts';
import { formatTable } from './table.ts';
import { count, formatBytes, formatMilliseconds, formatPairs, type Terminal } from './terminal.ts';
import { usageError } from './usage-error.ts';

const formats = { milliseconds: formatMilliseconds, bytes: formatBytes };

export type AllEvalFlags = EvalFlags & Pick<CompileFlags, 'weights' | 'quant' | 'maxSeq' | 'beyondTrainedContext'>;

/** `atpc eval`. Exit code 1 where a loss is above `--max-loss`. */
export async function runEval(terminal: Terminal, source: string, flags: AllEvalFlags): Promise<void> {
  const options = await evaluationOptions(source, flags);
  const { evaluate } = await import('../index.ts');
  const progress = await createProgress(terminal, evaluationPhases);
  let report: EvaluationReport;
  try {
    report = await evaluate({
      ...options,
      signal: terminal.signal,
      onDownload: ({ file, bytes, totalBytes }) =>
        progress.at('read model', bytes / totalBytes, `${file}, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`),
      onProgress: ({ phase, fraction, detail }) => progress.at(phase, fraction, detail),
    });
  } catch (error) {
    await progress.end('failed');
    throw error;
  }
  await progress.end('done');
  if (flags.html !== undefined) {
    const { evaluationPage } = await import('../evaluate/page.ts');
    await writeFile(flags.html, evaluationPage(report, formats)).catch((cause: unknown) => {
      throw new AtpcError('ATPC-312', `The page cannot be written to ${flags.html ?? ''}: ${String(cause)}.`, { cause });
    });
    terminal.say(`Page written to ${flags.html}`);
  }
  if (terminal.json) terminal.print(JSON.stringify(report, null, 2));
  else printReport(terminal, report);
  if (report.maxLoss?.met === false) process.exitCode = 1;
}

async function evaluationOptions(source: string, flags: AllEvalFlags): Promise<EvaluationOptions> {
  const { data, task, attn, keys, plan, maxLoss, tokens, documents, model, weights, quant, maxSeq, beyondTrainedContext } = flags;
  if (data === undefined) {
    throw usageError('No data was given.', 'Example: atpc eval MODEL --data reviews.jsonl');
  }
  const shared = {
    data,
    ...(task !== undefined && { task }),
    ...(maxLoss !== undefined && { maxLoss }),
    ...(tokens !== undefined && { tokens }),
    ...(documents !== undefined && { documents }),
    ...(weights !== undefined && { weights }),
    ...(quant !== undefined && { storage: quant }),
    ...(maxSeq !== undefined && { maxLength: maxSeq }),
    ...(beyondTrainedContext === true && { beyondTrainedContext }),
  };
  if (!existsSync(path.join(source, 'manifest.json'))) {
    if (model !== undefined) {
      throw usageError(
        `--model goes with a compiled package, and ${source} is none.`,
        'Name the model alone: atpc eval MODEL --data FILE',
      );
    }
    return {
      ...shared,
      model: source,
      ...(attn !== undefined && { attention: attn }),
      ...(keys !== undefined && { keys }),
      ...(plan !== undefined && { plan }),
    };
  }
  const chosen = Object.entries({ attn, keys, plan }).find(([, value]) => value !== undefined);
  if (chosen) {
    throw usageError(
      `--${chosen[0]} is for models: the package ${source} has its plan.`,
      `Leave it out, or evaluate the model: atpc eval MODEL --${chosen[0]} ...`,
    );
  }
  if (model === undefined) {
    throw usageError(
      'A package holds its own plan alone, and dense attention is what it is held against.',
      'Name the model that it was compiled from: --model MODEL',
    );
  }
  const { readPackageManifest } = await import('./package-manifest.ts');
  return { ...shared, model, package: { ...(await readPackageManifest(source)), name: source } };
}

function printReport(terminal: Terminal, report: EvaluationReport): void {
  const { bold, yellow, red, green } = terminal.colors.stdout;
  const { model, task, data, loss, measures, rows, maxLoss, notes } = report;
  const columns = columnsOf(report, formats);
  terminal.print(`${bold(model)}, ${task}: ${count(data.documents, 'text')} of ${count(data.tokens, 'token')} from ${data.file}`);
  terminal.print('');
  const heads = columns.map(({ head }) => head);
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  terminal.print(
    formatTable(
      [heads, ...cells],
      columns.map((_, index) => index).filter((index) => index > 0),
    ),
  );
  terminal.print('');
  terminal.print(
    formatPairs([
      ...measures.map(({ name, summary }): [string, string] => [name, summary]),
      [loss.name, loss.summary],
      ['ms a text', 'median, on WebAssembly with one thread; in brackets how many times as fast as dense'],
    ]),
  );
  terminal.print('In brackets after a value: its 95 % interval.');
  for (const note of notes) terminal.print(`  ${yellow('note')} ${note}`);
  if (!maxLoss) return;
  const text = `--max-loss ${numberText(maxLoss.bound, lossIsShare(report))}`;
  terminal.print(
    maxLoss.met ? green(`The upper end of every loss is within ${text}.`) : red(`The upper end of a loss is above ${text}.`),
  );
}
