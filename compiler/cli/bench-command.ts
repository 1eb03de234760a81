import type { Model, ModelInfo, StepTime } from '../../runtime/api.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { workOf } from '../explain/costs.ts';
import type { Explanation } from '../explain/explanation.ts';
import { benchDefaults, type BenchFlags } from './bench-flags.ts';
import { executionOptions, loadModel } from './load-model.ts';
import { dimsFor, inputsFor, measure, ProfileRecorder, stepMedians, textCall, tokenDim } from './measure.ts';
import type { Dims, Spread } from './measure.ts';
import { readExplanation } from './package-explanation.ts';
import { packageTarget, readPackageManifest, readPackageProgram } from './package-manifest.ts';
import { limitOfBuild, limitText, measureCoreLimit, type CoreLimit } from './simd-limit.ts';
import { formatTable } from './table.ts';
import { count, formatFlops, formatMilliseconds, type Terminal } from './terminal.ts';
import { writeTrace } from './trace-file.ts';
import { usageError } from './usage-error.ts';

interface BenchCase {
  /** Tokens of each sequence; null for texts, whose tokens differ. */
  readonly tokens: number | null;
  readonly batch: number;
  /** Null for texts: they may take several runs of the program. */
  readonly dims: Dims | null;
  call(model: Model): Promise<unknown>;
}
export interface KernelProfile {
  readonly kernel: string;
  readonly kind: string | null;
  /** Dispatches of a run. */
  readonly dispatches: number;
  /** Sum of the medians of its dispatches. */
  readonly milliseconds: number;
  /** Of the sum over all kernels. */
  readonly share: number;
  /** Null where the package or the case does not say. */
  readonly flops: number | null;
  readonly gflopsPerSecond: number | null;
  /** Of what the cores that computed it can do at most; null for kernels that multiply-adds do not bound. */
  readonly shareOfLimit: number | null;
}
export interface BenchResult {
  readonly tokens: number | null;
  readonly batch: number;
  readonly runs: number;
  readonly milliseconds: Spread;
  readonly sequencesPerSecond: number;
  readonly profile?: readonly KernelProfile[];
}
export interface BenchReport {
  readonly package: string;
  readonly backend: string;
  readonly why: string;
  readonly threads: ModelInfo['threads'];
  readonly warmup: number;
  /** Of one core; only with a profile. */
  readonly simdLimit?: CoreLimit;
  readonly results: readonly BenchResult[];
}

/** Kernels that are little else than multiply-adds; the others wait for memory or compute other functions. */
const boundByMultiplyAdds: ReadonlySet<string | null> = new Set(['gemm', 'attention']);

/** `atpc bench`. */
export async function runBench(terminal: Terminal, folder: string, flags: BenchFlags): Promise<void> {
  if (flags.text !== undefined && flags.tokens !== undefined) {
    throw usageError('Texts (--text) and lengths (--tokens) exclude each other.', 'A text has the tokens that it has.');
  }
  const manifest = await readPackageManifest(folder);
  const cases = casesOf(manifest, flags, terminal.signal);
  const profiles = flags.profile === true || flags.trace !== undefined;
  const recorder = profiles ? new ProfileRecorder() : null;
  const model = await loadModel(terminal, folder, {
    ...executionOptions(flags),
    ...(recorder === null ? {} : { onProfile: recorder.onProfile }),
  });
  try {
    const { runs = benchDefaults.runs, warmup = benchDefaults.warmup } = flags;
    const { backend, why, threads, device } = model.info();
    const target = packageTarget(manifest, backend);
    const explanation = profiles ? await readExplanation(folder, manifest, target) : null;
    const labels = profiles ? await readPackageProgram(folder, target) : [];
    const simdLimit = flags.profile ? await measureCoreLimit(target.name, device) : null;
    const gflopsLimit = simdLimit && limitOfBuild(simdLimit) * threads.used;
    const results: BenchResult[] = [];
    const traced: { readonly one: BenchCase; readonly runs: readonly (readonly StepTime[])[] }[] = [];
    for (const one of cases) {
      if (!terminal.json) terminal.say(terminal.colors.stderr.dim(`${caseName(one)}, ${warmup} + ${runs} runs ...`));
      const measured = await measure(() => one.call(model), recorder, { runs, warmup, signal: terminal.signal });
      traced.push({ one, runs: measured.runs });
      results.push({
        tokens: one.tokens,
        batch: one.batch,
        runs,
        milliseconds: measured.milliseconds,
        sequencesPerSecond: (one.batch * 1000) / measured.milliseconds.median,
        ...(flags.profile ? { profile: profileOf(measured.runs, labels, explanation, one.dims, gflopsLimit) } : {}),
      });
    }
    if (flags.trace !== undefined) {
      const trace = traced.map(({ one, runs: steps }) => ({
        name: caseName(one),
        runs: steps,
        describe: (step: number) => describeStep(step, labels, explanation, one.dims),
      }));
      await writeTrace(flags.trace, manifest.name, trace);
    }
    const limit = simdLimit ? { simdLimit } : {};
    const report: BenchReport = { package: manifest.name, backend, why, threads, warmup, ...limit, results };
    if (terminal.json) terminal.print(JSON.stringify(report, null, 2));
    else printReport(terminal, report, flags.trace);
  } finally {
    await model.dispose();
  }
}

function casesOf(manifest: Manifest, { text, tokens, batch }: BenchFlags, signal: AbortSignal): readonly BenchCase[] {
  if (text !== undefined) {
    return (batch ?? [text.length]).map((count) => {
      const texts = Array.from({ length: count }, (_, index) => text[index % text.length] ?? '');
      return { tokens: null, batch: count, dims: null, call: (model) => textCall(model, manifest, texts, signal)() };
    });
  }
  const longest = tokenDim(manifest)?.max ?? 1;
  const lengths = tokens ?? [...new Set(benchDefaults.tokens.map((length) => Math.min(length, longest)))];
  return lengths.flatMap((length) =>
    (batch ?? [benchDefaults.batch]).map((count): BenchCase => {
      const dims = dimsFor(manifest, length, count);
      const inputs = inputsFor(manifest, dims);
      return { tokens: length, batch: count, dims, call: (model) => model.run(inputs, { signal }) };
    }),
  );
}

const caseName = ({ tokens, batch }: BenchCase): string =>
  tokens === null ? `${batch} texts` : `${tokens} tokens, batch ${batch}`;

interface StepLabel {
  readonly kernel: string;
  readonly label: string;
}

/** `limit`: GFLOP/s of all threads together; null where it is not known. */
function profileOf(
  runs: readonly (readonly StepTime[])[],
  labels: readonly StepLabel[],
  explanation: Explanation | null,
  dims: Dims | null,
  limit: number | null,
): readonly KernelProfile[] {
  const medians = stepMedians(runs);
  const total = [...medians.values()].reduce((sum, { median }) => sum + median, 0);
  const kernels = new Map<string, { kind: string | null; dispatches: number; milliseconds: number; flops: number | null }>();
  for (const [step, { median }] of medians) {
    const kernel = labels[step]?.kernel ?? unknownStep(step);
    const explained = explanation?.steps[step];
    const known = kernels.get(kernel) ?? { kind: explained?.kind ?? null, dispatches: 0, milliseconds: 0, flops: 0 };
    known.dispatches += 1;
    known.milliseconds += median;
    if (explained === undefined || explanation === null || dims === null) known.flops = null;
    else if (known.flops !== null) known.flops += workOf(explained, explanation.target, dims).flops;
    kernels.set(kernel, known);
  }
  return [...kernels]
    .map(([kernel, { kind, dispatches, milliseconds, flops }]) => {
      const gflopsPerSecond = flops === null || milliseconds === 0 ? null : flops / milliseconds / 1e6;
      return {
        kernel,
        kind,
        dispatches,
        milliseconds,
        share: total === 0 ? 0 : milliseconds / total,
        flops,
        gflopsPerSecond,
        shareOfLimit:
          gflopsPerSecond === null || limit === null || !boundByMultiplyAdds.has(kind) ? null : gflopsPerSecond / limit,
      };
    })
    .sort((a, b) => b.milliseconds - a.milliseconds);
}

/** What has no label: a call on a device without timestamps has one time for all of it (StepTime). */
const unknownStep = (step: number): string => (step < 0 ? 'the whole call (no timestamps here)' : `step ${step}`);

function describeStep(step: number, labels: readonly StepLabel[], explanation: Explanation | null, dims: Dims | null) {
  const { label, kernel } = labels[step] ?? { label: unknownStep(step), kernel: 'unknown' };
  const explained = explanation?.steps[step];
  const work = explained && explanation && dims ? workOf(explained, explanation.target, dims) : null;
  const values = { kernel, ...(work ? { flops: work.flops, bytes: work.bytes } : {}) };
  return { name: label, category: explained?.kind ?? 'kernel', values };
}

function printReport(
  terminal: Terminal,
  { package: name, backend, threads, simdLimit, results }: BenchReport,
  trace: string | undefined,
): void {
  const { bold } = terminal.colors.stdout;
  terminal.print(`${bold(name)} on ${backend}, ${count(threads.used, 'thread')} (${threads.why}), milliseconds a run`);
  const rows = results.map(({ tokens, batch, runs, milliseconds: { median, min, max }, sequencesPerSecond }) => [
    tokens === null ? 'texts' : String(tokens),
    String(batch),
    String(runs),
    ...[median, min, max].map(formatMilliseconds),
    sequencesPerSecond >= 100 ? String(Math.round(sequencesPerSecond)) : sequencesPerSecond.toPrecision(3),
  ]);
  terminal.print(
    formatTable([['tokens', 'batch', 'runs', 'median', 'min', 'max', 'sequences/s'], ...rows], [0, 1, 2, 3, 4, 5, 6]),
  );
  if (simdLimit) terminal.print(`\nSIMD limit of a core: ${limitText(simdLimit)}`);
  for (const { tokens, batch, profile } of results) {
    if (profile === undefined) continue;
    const what = tokens === null ? `${batch} texts` : `${tokens} tokens, batch ${batch}`;
    terminal.print(`\n${bold(what)}: the medians of every kernel's dispatches, added up`);
    const lines = profile.map(({ kernel, dispatches, milliseconds, share, flops, gflopsPerSecond, shareOfLimit }) => [
      kernel,
      String(dispatches),
      formatMilliseconds(milliseconds),
      `${(share * 100).toFixed(1)} %`,
      flops === null ? '-' : formatFlops(flops),
      gflopsPerSecond === null ? '-' : gflopsPerSecond.toFixed(1),
      shareOfLimit === null ? '-' : `${(shareOfLimit * 100).toFixed(0)} %`,
    ]);
    const head = ['kernel', 'dispatches', 'ms', 'share', 'work', 'GFLOP/s', '% of SIMD limit'];
    terminal.print(formatTable([head, ...lines], [1, 2, 3, 4, 5, 6]));
  }
  if (trace !== undefined) terminal.print(`\nTrace written to ${trace}: open it in about:tracing or ui.perfetto.dev`);
}
