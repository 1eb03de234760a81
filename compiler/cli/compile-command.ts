import { compilePhases } from '../compile-options.ts';
import type { CompileReport } from '../compile-options.ts';
import type { CompileFlags } from './compile-flags.ts';
import { compileSettings } from './compile-settings.ts';
import { attentionLines, describeTask } from './describe-package.ts';
import { createProgress } from './progress.ts';
import { count, formatBytes, formatPairs, formatSeconds } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** `atpc compile`. */
export async function runCompile(terminal: Terminal, model: string | undefined, flags: CompileFlags): Promise<void> {
  const settings = await compileSettings(model, flags);
  const progress = await createProgress(terminal, compilePhases);
  let report: CompileReport;
  try {
    const { compile } = await import('../index.ts');
    report = await compile({
      ...settings,
      signal: terminal.signal,
      onProgress: ({ phase, fraction, detail }) => progress.at(phase, fraction, detail),
    });
  } catch (error) {
    await progress.end('failed');
    throw error;
  }
  await progress.end('done');
  if (terminal.json) terminal.print(JSON.stringify(report, null, 2));
  else if (!terminal.quiet) printReport(terminal, report);
}

function printReport(terminal: Terminal, report: CompileReport): void {
  const { manifest } = report;
  const { bold, cyan } = terminal.colors.stdout;
  terminal.print(`${bold(manifest.name)} compiled into ${bold(report.out)} in ${formatSeconds(report.seconds)}`);
  terminal.print(
    formatPairs([
      ['task', describeTask(manifest.task)],
      ['weights', formatBytes(report.weightBytes)],
      ['package', formatBytes(report.packageBytes)],
      ...report.programs.map(({ target, kernels, dispatches }): [string, string] => [
        report.programs.length > 1 ? `program, ${target}` : 'program',
        `${count(kernels, 'kernel')}, ${count(dispatches, 'dispatch').replace('dispatchs', 'dispatches')}`,
      ]),
      ['attention', manifest.attention.reason],
    ]),
  );
  for (const line of attentionLines(manifest.attention)) terminal.print(`             ${line}`);
  for (const note of report.notes.filter((sentence) => sentence !== manifest.attention.reason))
    terminal.print(`  ${terminal.colors.stdout.yellow('note')} ${note}`);
  terminal.print(`Try it: ${cyan(`npx atpc ${tryIt(report)}`)}`);
}

function tryIt({ out, manifest: { task, tokenizer } }: CompileReport): string {
  if (tokenizer === null || task.kind === 'tensors') return `run ${out} --inputs inputs.json`;
  if (task.kind !== 'generate') return `run ${out} --text "A text of yours."`;
  return task.chat ? `chat ${out}` : `run ${out} --prompt "A text to continue"`;
}
