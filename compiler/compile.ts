/** `compile`: the whole path, from a model file or folder to a package on disk. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { attentionNodes, attentionShape, type AttentionShape } from '../passes/atp/site.ts';
import { evaluateExpression } from '../runtime/format/expression.ts';
import type { TargetName } from '../runtime/format/manifest.ts';
import { TextTokenizer } from '../runtime/tokenizer.ts';
import type { Encode } from './calibrate/calibrate.ts';
import type { TargetFile } from './codegen/target.ts';
import { targetsNamed } from './codegen/targets.ts';
import type { CompileOptions, CompilePhase, CompileReport } from './compile-options.ts';
import { explainProgram } from './explain/explain.ts';
import { packageNameOf } from './manifest-parts.ts';
import { checkPackage } from './package/check-package.ts';
import { checkOutputFolder } from './package/output-folder.ts';
import { ownApproximations } from './package/own-approximations.ts';
import { writePackage, type PackageParts, type PackageTarget, type PackageTokenizer } from './package/write.ts';
import { prepareForward } from './prepare-forward.ts';
import { prepareGenerator } from './prepare-generator.ts';
import type { Preparation, PreparedTarget } from './prepared-model.ts';
import { lossBoundOf } from './quality/quality-plan.ts';
import { openModel, type SourceModel } from './source-model.ts';
import { compilerVersion } from './version.ts';
import { writeWeights } from './weights/write.ts';

/** Compiles a model into a package. Throws AtpcError; what it was writing is removed then. */
export async function compile(options: CompileOptions): Promise<CompileReport> {
  const started = performance.now();
  const { signal } = options;
  const report = (phase: CompilePhase, fraction?: number, detail?: string): void => {
    signal?.throwIfAborted();
    options.onProgress?.({
      phase,
      ...(fraction === undefined ? {} : { fraction }),
      ...(detail === undefined ? {} : { detail }),
    });
  };
  const targets = targetsNamed(options.targets, options);
  // Before a model is read for nothing.
  lossBoundOf(options);
  await checkOutputFolder(options.out);

  report('read model');
  const source = await openModel(options.model, {
    ...options,
    onDownload: ({ file, bytes, totalBytes }) =>
      report('read model', bytes / totalBytes, downloadDetail(file, bytes, totalBytes)),
  });
  const encode = encoderOf(source);
  const stages = options.dump === undefined ? undefined : new Map<string, string>();
  const preparation: Preparation = {
    source,
    shapes: attentionShapes(source),
    targets,
    options,
    encode,
    dump: stages && ((name, text) => void stages.set(name, text)),
    report,
  };
  const prepared = await (source.context === null ? prepareForward : prepareGenerator)(preparation);
  if (stages && options.dump !== undefined) await writeStages(options.dump, stages);
  const { tensors, manifest: facts } = prepared;
  const parts: PackageParts = {
    ...facts,
    packageName: options.name ?? packageNameOf(source.name),
    packageVersion: '1.0.0',
    name: source.name,
    compiler: { name: 'atpc', version: compilerVersion() },
    targets: await Promise.all(prepared.targets.map((target) => packageTarget(target, modelFolder(options.model)))),
    // Packages for WebAssembly alone stay as small as they can be.
    browserCache: prepared.targets.some(({ target }) => target.name === 'webgpu'),
    modelHash: await source.hash(signal),
    storage: options.storage ?? null,
    family: source.family,
    task: source.task,
    source: {
      license: source.license?.name ?? null,
      description: `${source.family} model ${source.name}, compiled by atpc`,
    },
    tokenizer: encode && tokenizerParts(source, encode),
    licenseText: source.license?.text ?? null,
    writeWeights: (folder) =>
      writeWeights(folder, tensors, {
        ...(signal ? { signal } : {}),
        onProgress: ({ bytes, totalBytes }) => report('write weights', bytes / totalBytes),
      }),
  };
  report('write weights', 0);
  let run: readonly TargetName[] = [];
  const { manifest, packageBytes, weightBytes } = await writePackage(options.out, parts, {
    ...(signal ? { signal } : {}),
    check: async (folder) => {
      report('check package');
      run = await checkPackage(folder, signal ? { signal } : {});
    },
  });
  const finishNotes = await Promise.all(prepared.targets.map(async ({ emission }) => (await emission).notes));
  return {
    out: options.out,
    manifest,
    seconds: (performance.now() - started) / 1000,
    packageBytes,
    weightBytes,
    programs: prepared.targets.map(({ target, built }) => ({
      target: target.name,
      kernels: built.kernels.length,
      dispatches: built.list.dispatches.length,
    })),
    notes: [
      ...source.notes,
      ...unusedNote(source.unused),
      ...prepared.notes,
      ...notRunNote(prepared.targets.map(({ target }) => target.name).filter((name) => !run.includes(name))),
      ...finishNotes.flat(),
      ...facts.approximations.map((words) => `Approximate: ${words}.`),
      ...ownApproximations(manifest).map(({ target, sentence }) => `Approximate on ${target}: ${sentence}.`),
    ],
    plan: prepared.plan,
  };
}

/** What paths of source files start from. */
export function modelFolder(model: string): string {
  return /\.(?:m?ts|gguf)$/.test(model) ? path.dirname(model) : model;
}

function downloadDetail(file: string, bytes: number, totalBytes: number): string {
  const megabytes = (count: number): string => (count / 1e6).toFixed(1);
  return `${file}, ${megabytes(bytes)} of ${megabytes(totalBytes)} MB from the hub`;
}

async function packageTarget({ target, built, emission, ...rest }: PreparedTarget, folder: string): Promise<PackageTarget> {
  const { files } = await emission;
  return {
    ...rest,
    name: target.name,
    program: built.program,
    stateBytes: evaluateExpression(built.program.arenas.state, {}),
    files: packagedFiles(files),
    explanation: await explainProgram(built, target, folder),
  };
}
/** Builds that differ in nothing but where their memory lies go into the package once: the one for threads serves both. */
function packagedFiles(files: readonly TargetFile[]): readonly TargetFile[] {
  const inTwoMemories = files.some(({ features }) => features?.includes('threads'));
  return inTwoMemories ? files.filter(({ features }) => features === undefined || features.includes('threads')) : files;
}

export function attentionShapes({ graph }: Pick<SourceModel, 'graph'>): readonly AttentionShape[] {
  return attentionNodes(graph).map(attentionShape);
}

async function writeStages(folder: string, stages: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, text] of stages) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

/** Text to token ids; null for a model without a tokenizer. */
export function encoderOf({ tokenizer }: SourceModel): Encode | null {
  if (!tokenizer) return null;
  const text = new TextTokenizer(tokenizer.json, tokenizer.config, tokenizer.maxLength);
  return (value, maxTokens) => text.encode(value, maxTokens).ids;
}

/** Latin with accents, punctuation, ideographs, emoji: where tokenizers differ first. */
const fixtureTexts = ['Hello, world!', 'The café cost €3.50 — naïve?', '日本語 and emoji 🙂 together'];

function tokenizerParts({ tokenizer }: SourceModel, encode: Encode): PackageTokenizer | null {
  if (!tokenizer) return null;
  const { json, config, maxLength, padId } = tokenizer;
  const fixtures = fixtureTexts.map((text) => ({ text, ids: encode(text) }));
  return { json, configJson: config, maxLength, padId, fixtures };
}

function notRunNote(foreign: readonly TargetName[]): readonly string[] {
  return foreign.map(
    (name) => `The compiler has not run the kernels for ${name}; the package tests them when it is first loaded there.`,
  );
}

function unusedNote(unused: readonly string[]): readonly string[] {
  if (unused.length === 0) return [];
  const more = unused.length > 5 ? `, and ${unused.length - 5} more` : '';
  return [`Not used by the model: ${unused.slice(0, 5).join(', ')}${more}.`];
}
