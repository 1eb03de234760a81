import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { explainReport, type ExplainInput, type ExplainReport } from '../explain/report.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import type { CompileFlags } from './compile-flags.ts';
import { compileSettings } from './compile-settings.ts';
import { withDownloads } from './downloads.ts';
import { explainDefaults, type ExplainFlags } from './explain-flags.ts';
import { explainText } from './explain-text.ts';
import { executionOptions, loadModel } from './load-model.ts';
import { dimsFor, inputsFor, measure, ProfileRecorder, stepMedians, tokenDim } from './measure.ts';
import { readExplanation } from './package-explanation.ts';
import { packageTarget, readPackageManifest } from './package-manifest.ts';
import { count } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { usageError } from './usage-error.ts';

/** Options that say how a model is compiled, and nothing to a package. */
const modelFlags = [
  'weights',
  'attn',
  'keys',
  'typicalLength',
  'plan',
  'calibrate',
  'maxSeq',
  'beyondTrainedContext',
  'precision',
  'activations',
  'config',
  'force',
] as const;
type AllFlags = ExplainFlags & Pick<CompileFlags, (typeof modelFlags)[number]>;

/** `atpc explain`. */
export async function runExplain(terminal: Terminal, source: string, flags: AllFlags): Promise<void> {
  const report = await reportOf(terminal, source, flags);
  if (flags.html !== undefined) {
    const { explainPage } = await import('../explain/page.ts');
    await writeFile(flags.html, await explainPage(report)).catch((cause: unknown) => {
      throw new AtpcError('ATPC-312', `The page cannot be written to ${flags.html ?? ''}: ${String(cause)}.`, { cause });
    });
    terminal.say(`Page written to ${flags.html}`);
  }
  if (terminal.json) terminal.print(JSON.stringify(report, null, 2));
  else if (flags.html === undefined) terminal.print(explainText(report, terminal.colors.stdout));
}

async function reportOf(terminal: Terminal, source: string, flags: AllFlags): Promise<ExplainReport> {
  if (existsSync(path.join(source, 'manifest.json'))) {
    const chosen = modelFlags.find((flag) => flags[flag] !== undefined);
    if (chosen !== undefined) {
      const option = `--${chosen.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      throw usageError(`${option} is for models: the package ${source} is compiled.`, `Leave ${option} out, or name the model.`);
    }
    return explainReport(await packageInput(terminal, source, flags));
  }
  const settings = await compileSettings(source, flags);
  if (flags.profile !== true)
    return explainReport(await withDownloads(terminal, (download) => modelInput({ ...settings, ...download }, flags)));
  const folder = await mkdtemp(path.join(tmpdir(), 'atpc-explain-'));
  try {
    const { compile } = await import('../index.ts');
    const out = path.join(folder, 'package');
    await compile({ ...settings, out, name: 'explained', signal: terminal.signal });
    return explainReport(await packageInput(terminal, out, flags));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A package says how it was compiled. */
async function packageInput(terminal: Terminal, folder: string, flags: ExplainFlags): Promise<ExplainInput> {
  const manifest = await readPackageManifest(folder);
  const target = packageTarget(manifest, flags.target?.[0]);
  const explanation = await readExplanation(folder, manifest, target);
  if (explanation === null) {
    throw new AtpcError('ATPC-401', `The package ${folder} has no explain.json: an earlier atpc wrote it.`, {
      hint: 'Compile the model again, or explain the model itself: atpc explain MODEL',
    });
  }
  const { name, attention } = manifest;
  const { approximations = manifest.approximations } = target;
  const dims = dimsOf(manifest, flags);
  return { name, explanation, attention, approximations, dims, measured: await profile(terminal, folder, target, flags) };
}

async function profile(
  terminal: Terminal,
  folder: string,
  { name }: ManifestTarget,
  flags: ExplainFlags,
): Promise<ExplainInput['measured']> {
  if (flags.profile !== true) return null;
  const manifest = await readPackageManifest(folder);
  const recorder = new ProfileRecorder();
  const model = await loadModel(terminal, folder, {
    ...executionOptions({ ...flags, backend: name }),
    onProfile: recorder.onProfile,
  });
  try {
    const inputs = inputsFor(manifest, dimsOf(manifest, flags));
    const { signal } = terminal;
    const { runs = explainDefaults.runs } = flags;
    const measured = await measure(() => model.run(inputs, { signal }), recorder, { runs, warmup: 3, signal });
    const { backend, threads } = model.info();
    const how = `${count(runs, 'run')} after 3 to warm up, on ${backend} with ${count(threads.used, 'thread')}, Node ${process.versions.node}`;
    return { steps: stepMedians(measured.runs), run: measured.milliseconds, how };
  } finally {
    await model.dispose();
  }
}

/** A model as `atpc compile` would compile it, without its weights. */
async function modelInput(
  settings: Awaited<ReturnType<typeof compileSettings>>,
  flags: ExplainFlags,
): Promise<Omit<ExplainInput, 'measured'> & { readonly measured: null }> {
  const { explainModel } = await import('../inspect.ts');
  const { name, dims, ...input } = await explainModel(settings);
  return { ...input, name, dims: dimsOf({ name, dims }, flags), measured: null };
}

function dimsOf(
  manifest: Parameters<typeof dimsFor>[0] & { readonly state?: Manifest['state'] },
  { tokens, batch }: ExplainFlags,
): ExplainInput['dims'] {
  const length = tokens ?? Math.min(explainDefaults.tokens, tokenDim(manifest)?.max ?? 1);
  const dims = dimsFor(manifest, length, batch ?? explainDefaults.batch);
  // A session that has read nothing: the manifest of a package leaves out what a session counts by itself.
  return manifest.state ? { past: 0, ...dims } : dims;
}
