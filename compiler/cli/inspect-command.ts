import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import type { PlanReport } from '../compile-options.ts';
import { ownApproximations } from '../package/own-approximations.ts';
import type { CompileFlags } from './compile-flags.ts';
import { compileSettings } from './compile-settings.ts';
import { attentionLines, describeTask, percent, portType } from './describe-package.ts';
import type { RooflineFlags } from './roofline-flags.ts';
import { printRoofline } from './roofline-text.ts';
import { checkPackageFiles, readPackageManifest } from './package-manifest.ts';
import { withDownloads } from './downloads.ts';
import { formatTable } from './table.ts';
import { count, formatBytes, formatFlops, formatMilliseconds, formatPairs } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** `atpc inspect model`. */
export async function runInspectModel(terminal: Terminal, source: string, weights: string | undefined): Promise<void> {
  const { inspectModel } = await import('../index.ts');
  const report = await withDownloads(terminal, (download) =>
    inspectModel(source, { ...download, ...(weights === undefined ? {} : { weights }) }),
  );
  if (terminal.json) {
    terminal.print(JSON.stringify(report, null, 2));
    return;
  }
  terminal.print(terminal.colors.stdout.bold(report.name));
  terminal.print(
    formatPairs([
      ['family', report.family],
      ['task', report.task],
      ['parameters', `${report.parameters.toLocaleString('en-US')} (${formatBytes(report.weightBytes)} in the checkpoint)`],
      ['attention', `${count(report.layers, 'layer')} of ${count(report.heads, 'head')}`],
      ['longest input', `${report.maxLength} tokens`],
      ['tokenizer', report.tokenizer ?? 'none: tensors only'],
      ...report.inputs.map(({ name, type }): [string, string] => ['input', `${name} ${type}`]),
      ...report.outputs.map(({ name, type }): [string, string] => ['output', `${name} ${type}`]),
      ...report.unusedTensors.map((name): [string, string] => ['unused tensor', name]),
    ]),
  );
}

/** `atpc inspect plan`. */
export async function runInspectPlan(
  terminal: Terminal,
  source: string | undefined,
  { lengths, device, ptxas, ...flags }: CompileFlags & RooflineFlags & { readonly lengths?: readonly number[] },
): Promise<void> {
  const settings = await compileSettings(source, flags);
  const about = {
    ...(lengths === undefined ? {} : { lengths: [...lengths] }),
    ...(device === undefined ? {} : { device }),
    ...(ptxas === undefined ? {} : { ptxas: await readPtxas(ptxas) }),
  };
  const { inspectPlan } = await import('../index.ts');
  const report = await withDownloads(terminal, (download) => inspectPlan({ ...settings, ...download }, about));
  if (terminal.json) terminal.print(JSON.stringify(report, null, 2));
  else printPlan(terminal, report);
}

function printPlan(terminal: Terminal, report: PlanReport): void {
  const { reason, totals, sessionTokens } = report;
  const { bold, dim } = terminal.colors.stdout;
  terminal.print(reason);
  terminal.print(`\n${bold('Attention, a layer and a length')} (work of both products and of the mode)`);
  const head = ['layer', 'heads', 'mode', 'keys', 'tokens', 'dense', 'plan', 'plan / dense'];
  const attention = attentionRows(report);
  // Caches count tokens; a share of the keys is what models without state have.
  const shown = [head, ...attention].map((row) => row.filter((_, column) => sessionTokens === undefined || column !== 3));
  const right = sessionTokens === undefined ? [0, 3, 4, 5, 6, 7] : [0, 3, 4, 5, 6];
  terminal.print(formatTable(shown, right));
  terminal.print(`\n${bold('Whole model')} (predicted, not measured)`);
  const whole = totals.map((total) => [
    String(total.tokens),
    formatFlops(total.modelDenseFlops),
    formatFlops(total.modelPlanFlops),
    `${formatMilliseconds(total.predictedDenseMilliseconds)} ms`,
    `${formatMilliseconds(total.predictedPlanMilliseconds)} ms`,
    ratio(total.predictedPlanMilliseconds, total.predictedDenseMilliseconds),
    ...[total.peakBytes, total.denseStateBytes, total.planStateBytes].flatMap((bytes) =>
      bytes === undefined ? [] : [formatBytes(bytes)],
    ),
  ]);
  const memory = totals[0]?.peakBytes === undefined ? ['dense state', 'plan state'] : ['peak memory'];
  const wholeHead = ['tokens', 'dense', 'plan', 'dense time', 'plan time', 'plan / dense', ...memory];
  terminal.print(
    formatTable(
      [wholeHead, ...whole],
      wholeHead.map((_, column) => column),
    ),
  );
  if (sessionTokens !== undefined && totals.some(({ tokens }) => tokens > sessionTokens)) {
    terminal.print(dim(`A session holds ${sessionTokens} tokens; --max-seq makes it longer.`));
  }
  if (report.roofline) printRoofline(terminal, report.roofline);
}

/** Throws ATPC-301 for a file that cannot be read. */
async function readPtxas(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new AtpcError('ATPC-301', `The file ${file} (--ptxas) cannot be read.`, { cause });
  }
}

/** A row a run of layers of one plan and a length. */
function attentionRows({ rows }: PlanReport): readonly (readonly string[])[] {
  const runs: { first: number; last: number; text: string; lines: readonly (readonly string[])[] }[] = [];
  const layers = new Map<number, (readonly string[])[]>();
  for (const { layer, mode, heads, keys, atLengths } of rows) {
    const lines = atLengths.map(({ tokens, denseFlops, planFlops }) => {
      const which = [formatHeads(heads), mode, percent(keys), String(tokens)];
      return [...which, formatFlops(denseFlops), formatFlops(planFlops), ratio(planFlops, denseFlops)];
    });
    layers.set(layer, [...(layers.get(layer) ?? []), ...lines]);
  }
  for (const [layer, lines] of layers) {
    const text = JSON.stringify(lines);
    const run = runs.at(-1);
    if (run !== undefined && run.last === layer - 1 && run.text === text) run.last = layer;
    else runs.push({ first: layer, last: layer, text, lines });
  }
  return runs.flatMap(({ first, last, lines }) => {
    const which = first === last ? String(first) : `${first}-${last}`;
    return lines.map((line) => [which, ...line]);
  });
}

/** `0-11`, `0, 3, 5`. */
function formatHeads(heads: readonly number[]): string {
  const consecutive = heads.every((head, index) => index === 0 || head === (heads[index - 1] ?? NaN) + 1);
  return consecutive && heads.length > 2 ? `${heads[0] ?? 0}-${heads.at(-1) ?? 0}` : heads.join(', ');
}

function ratio(part: number, whole: number): string {
  return whole === 0 ? '-' : (part / whole).toFixed(2);
}

/** `atpc inspect package`. */
export async function runInspectPackage(terminal: Terminal, folder: string): Promise<void> {
  const manifest = await readPackageManifest(folder);
  await checkPackageFiles(folder, manifest, terminal.signal);
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const memory = memoryAtLengths(manifest);
  if (terminal.json) {
    terminal.print(JSON.stringify({ folder, filesChecked: manifest.files.length, bytes, memory, manifest }, null, 2));
    return;
  }
  const { compiler, runtime, source, tokenizer } = manifest;
  terminal.print(`${terminal.colors.stdout.bold(manifest.name)} (${path.normalize(folder)})`);
  terminal.print(
    formatPairs([
      ['family', manifest.family],
      ['task', describeTask(manifest.task)],
      [
        'targets',
        manifest.targets
          .flatMap(({ name, variants }) =>
            variants.length === 0 ? [`${name}, as text alone`] : variants.map(({ features }) => [name, ...features].join(' + ')),
          )
          .join(', '),
      ],
      ['written by', `${compiler.name} ${compiler.version}, format ${manifest.formatVersion}, runtime ${runtime.version}`],
      ['model', `SHA-256 ${manifest.modelHash}, licence ${source.license ?? 'not stated'}`],
      ['files', `${manifest.files.length}, ${formatBytes(bytes)}, every SHA-256 as written`],
      ['tokenizer', tokenizer === null ? 'none: tensors only' : `${tokenizer.file}, at most ${tokenizer.maxLength} tokens`],
      ...manifest.inputs.map((port): [string, string] => ['input', `${port.name} ${portType(port)}${optional(port.default)}`]),
      ...manifest.outputs.map((port): [string, string] => ['output', `${port.name} ${portType(port)}`]),
      ['attention', manifest.attention.reason],
      ...attentionLines(manifest.attention).map((line): [string, string] => ['', line]),
      ...manifest.approximations.map((sentence): [string, string] => ['approximation', sentence]),
      ...ownApproximations(manifest).map(({ target, sentence }): [string, string] => [`approximation, ${target}`, sentence]),
      ...memory.map(({ target, dims, bytes: peak }): [string, string] => [
        manifest.targets.length > 1 ? `peak memory, ${target}` : 'peak memory',
        `${formatBytes(peak)} at ${dims}`,
      ]),
    ]),
  );
}

function optional(value: number | undefined): string {
  return value === undefined ? '' : ` (may be left out: ${value})`;
}

interface MemoryAtLength {
  readonly target: string;
  readonly dims: string;
  readonly bytes: number;
}
/** Peak bytes with every dim at its least and at its most. */
function memoryAtLengths({ targets, dims: all }: Manifest): readonly MemoryAtLength[] {
  return targets.flatMap(({ name, memory }) =>
    (['min', 'max'] as const).map((bound): MemoryAtLength => {
      const values = Object.fromEntries(all.map((dim) => [dim.name, dim[bound]]));
      const dims = Object.entries(values).map(([dim, value]) => `${dim} ${value}`);
      return { target: name, dims: dims.join(', '), bytes: evaluateExpression(memory.total, values) };
    }),
  );
}
