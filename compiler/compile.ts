/** `compile`: the whole path, from a model file or folder to a package on disk. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { graphNodes } from '../ir/graph.ts';
import { isDense, type AttentionPlan } from '../passes/atp/plan.ts';
import { attentionNodes, attentionShape, type AttentionShape } from '../passes/atp/site.ts';
import { AtpcError } from '../runtime/errors.ts';
import type { Manifest } from '../runtime/format/manifest.ts';
import { TextTokenizer } from '../runtime/tokenizer.ts';
import { choosePlan, defaultKeys } from './attention/choose-plan.ts';
import { build, emit, moduleOf, type Built, type EmittedTarget } from './build.ts';
import { calibrate, type Encode } from './calibrate/calibrate.ts';
import type { Target, TargetFile } from './codegen/target.ts';
import { targetNamed } from './codegen/targets.ts';
import { compilePhases, type CompileOptions, type CompilePhase, type CompileReport } from './compile-options.ts';
import { explainProgram } from './explain/explain.ts';
import { agreesWith, goldenLengths, goldenVectors } from './golden.ts';
import { approximationsOf, attentionOf, inputPorts, memoryOf, outputPorts, packageNameOf } from './manifest-parts.ts';
import { loadPackage } from './package/load-package.ts';
import { checkOutputFolder } from './package/output-folder.ts';
import { writePackage, type PackageParts, type PackageTokenizer } from './package/write.ts';
import { planReport } from './plan-report.ts';
import { Parameters } from './program/parameters.ts';
import { instantiateProgram } from './program/run-program.ts';
import { longestSequence, openModel, type SourceModel } from './source-model.ts';
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
  const [reading, running, emitting, writing, checking] = compilePhases;
  const [target] = (options.targets ?? ['wasm']).map(targetNamed);
  if (!target) throw new AtpcError('ATPC-301', 'No target was given.', { hint: 'The default is wasm.' });
  await checkOutputFolder(options.out);

  report(reading);
  const source = await openModel(options.model, options);
  const { graph } = source;
  const shapes = attentionShapes(source);
  const maxTokens = longestSequence(graph);
  const plan = await choosePlan(options, { shapes, maxTokens, target, tuned: source.tuned });

  report(running);
  const built = await buildDumped(source, plan, target, options);
  const { program } = built;

  report(emitting, undefined, 'kernels and calibration');
  const encode = encoderOf(source);
  // Kernels are assembled in a thread of their own, which takes about as long as the rest of this phase: they are waited for
  // where they are needed.
  const emission = emit(built, target);
  emission.catch(() => undefined);
  const calibration = await calibrate(source, plan, shapes, encode, target, maxTokens);
  const storage = options.storage === undefined ? null : options.storage === 'f16' ? 'F16' : 'F32';
  const { derived } = built.stage;
  const parameters = new Parameters({ source: calibration.tensors, derived, computed: calibration.computed, storage });
  const tensors = [...new Set(program.weights.map((weight) => weight.tensor))].map((name) => parameters.weightTensor(name));
  const approximations = approximationsOf(
    plan,
    tensors.some(({ name }) => parameters.isRounded(name)),
  );
  const inputs = inputPorts(source, program);
  const principalKeys = plan.layers.some(({ groups }) => !groups.every(isDense));
  report(emitting, undefined, 'golden vectors');
  const lengths = goldenLengths(graph, principalKeys, maxTokens);
  const golden = await goldenFor(source, built, emission, parameters, { inputs, dims: program.dims }, calibration.ids, lengths);

  const asksKeys = principalKeys && options.plan === undefined;
  const parts: PackageParts = {
    packageName: options.name ?? packageNameOf(source.name),
    packageVersion: '1.0.0',
    name: source.name,
    compiler: { name: 'atpc', version: compilerVersion() },
    program,
    targets: [{ name: 'wasm', files: packagedFiles((await emission).files) }],
    modelHash: await source.hash(signal),
    family: source.family,
    task: source.task,
    inputs,
    outputs: outputPorts(program),
    memory: memoryOf(program),
    attention: attentionOf(plan, shapes, asksKeys ? (options.keys ?? defaultKeys) : null, calibration),
    golden,
    approximations,
    source: {
      license: source.license?.name ?? null,
      description: `${source.family} model ${source.name}, compiled by atpc`,
    },
    tokenizer: encode && tokenizerParts(source, encode),
    explanation: await explainProgram(built, target, modelFolder(options.model)),
    licenseText: source.license?.text ?? null,
    writeWeights: (folder) =>
      writeWeights(folder, tensors, {
        ...(signal ? { signal } : {}),
        onProgress: ({ bytes, totalBytes }) => report(writing, bytes / totalBytes),
      }),
  };
  report(writing, 0);
  const { manifest, packageBytes, weightBytes } = await writePackage(options.out, parts, {
    ...(signal ? { signal } : {}),
    check: async (folder) => {
      report(checking);
      await checkPackage(folder, signal);
    },
  });
  return {
    out: options.out,
    manifest,
    seconds: (performance.now() - started) / 1000,
    packageBytes,
    weightBytes,
    kernels: built.kernels.length,
    dispatches: program.entryPoints.forward.steps.length,
    notes: [...source.notes, ...unusedNote(source.unused), ...approximations.map((words) => `Approximate: ${words}.`)],
    plan: planReport(source, program, plan, shapes, target),
  };
}

/** What paths of source files start from. */
export function modelFolder(model: string): string {
  return /\.m?ts$/.test(model) ? path.dirname(model) : model;
}

/** Builds that differ in nothing but where their memory lies go into the package once: the one for threads serves both. */
function packagedFiles(files: readonly TargetFile[]): readonly TargetFile[] {
  return files.filter(({ features }) => features === undefined || features.includes('threads'));
}

export function attentionShapes({ graph }: Pick<SourceModel, 'graph'>): readonly AttentionShape[] {
  return attentionNodes(graph).map(attentionShape);
}

/** The program; with `dump`, every stage of it as files. */
async function buildDumped(
  { graph }: SourceModel,
  plan: AttentionPlan,
  target: Target,
  { dump: folder, verify = false }: CompileOptions,
): Promise<Built> {
  if (folder === undefined) return build(graph, { plan, target, verify });
  const texts: { readonly name: string; readonly text: string }[] = [];
  const built = build(graph, { plan, target, verify: true, dump: (name, text) => void texts.push({ name, text }) });
  await mkdir(folder, { recursive: true });
  for (const { name, text } of texts) await writeFile(path.join(folder, name), text);
  return built;
}

/** Text to token ids; null for a model without a tokenizer. */
function encoderOf({ tokenizer }: SourceModel): Encode | null {
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

/** Dense programs choose nothing, and every input does; others are run, so that no input lies near a tie. */
async function goldenFor(
  { graph, defaults }: SourceModel,
  built: Built,
  emission: Promise<EmittedTarget>,
  parameters: Parameters,
  ports: Pick<Manifest, 'inputs' | 'dims'>,
  ids: readonly number[],
  lengths: readonly number[],
): Promise<Manifest['golden']> {
  const compiled = built.stage.graph;
  const chooses = graphNodes(compiled).some(({ op }) => op === 'cluster' || op === 'rank_keys' || op === 'principal_rows');
  const program = chooses
    ? await instantiateProgram(built.program, moduleOf((await emission).files), (name) => parameters.read(name))
    : null;
  const agrees = (golden: Manifest['golden'][number]): boolean => program === null || agreesWith(program, ports, golden);
  return goldenVectors(compiled, { graph, defaults, ids: ids.length > 0 ? ids : null }, parameters, lengths, agrees);
}

/** The package must give what the interpreter gives, through the runtime that it ships. */
async function checkPackage(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const { load } = await loadPackage(folder);
  const model = await load({ selfTest: false, ...(signal ? { signal } : {}) });
  try {
    await model.selfTest();
  } catch (cause) {
    if (!(cause instanceof AtpcError) || cause.code !== 'ATPC-405') throw cause;
    throw new AtpcError('ATPC-309', `The compiled package disagrees with the reference interpreter: ${cause.message}`, { cause });
  } finally {
    await model.dispose();
  }
}

function unusedNote(unused: readonly string[]): readonly string[] {
  if (unused.length === 0) return [];
  const more = unused.length > 5 ? `, and ${unused.length - 5} more` : '';
  return [`Not used by the model: ${unused.slice(0, 5).join(', ')}${more}.`];
}
