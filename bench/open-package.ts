/** A package that generates, opened down to its backend: calls of any entry point, at any number of tokens before them. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { readPackageManifest } from '../compiler/cli/package-manifest.ts';
import type { StepTime } from '../runtime/api.ts';
import type { Backend } from '../runtime/backends/backend.ts';
import { chooseVariant } from '../runtime/backends/wasm/feature-probe.ts';
import { withOwnMemory } from '../runtime/backends/wasm/own-memory.ts';
import { chooseThreads } from '../runtime/backends/wasm/threads.ts';
import { WorkerBackend } from '../runtime/backends/worker/client.ts';
import type { Manifest, ManifestState, ManifestTarget } from '../runtime/format/manifest.ts';
import type { DispatchStep, EntryPointName, Program, Step } from '../runtime/format/program.ts';
import { currentPlatform, type Locate } from '../runtime/platform/platform.ts';
import { TextTokenizer } from '../runtime/tokenizer.ts';
import { BenchError } from './model-files.ts';

export interface OpenPackage {
  readonly manifest: Manifest;
  readonly target: ManifestTarget;
  readonly state: ManifestState;
  readonly program: Program;
  readonly backend: Backend;
  /** The dispatches of an entry point, by the step of a StepTime. */
  readonly dispatches: (entry: EntryPointName) => readonly DispatchStep[];
  readonly ids: (text: string) => readonly number[];
}

const flat = (steps: readonly Step[]): readonly DispatchStep[] =>
  steps.flatMap((step) => (step.kind === 'dispatch' ? [step] : flat(step.steps)));

/** With `onProfile`, every call is profiled, which costs it a little. */
export async function openPackage(
  folder: string,
  threads: number,
  onProfile?: (steps: readonly StepTime[]) => void,
): Promise<OpenPackage> {
  const manifest = await readPackageManifest(folder);
  const platform = currentPlatform();
  const read = async (name: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await readFile(path.join(folder, name)));
  const text = async (name: string): Promise<string> => readFile(path.join(folder, name), 'utf8');
  const locate: Locate = (name) => pathToFileURL(path.resolve(folder, name));
  const target = manifest.targets.find((candidate): candidate is ManifestTarget<'wasm'> => candidate.name === 'wasm');
  if (!target) throw new BenchError(`The package in ${folder} has no kernels for WebAssembly.`);
  const { variants } = target;
  const { state, tokenizer } = manifest;
  if (!state || !tokenizer) throw new BenchError(`The package in ${folder} does not generate text.`);
  const chosen = chooseThreads(threads, platform, variants);
  if (chosen.used !== threads) throw new BenchError(`${threads} threads cannot be had here: ${chosen.why}.`);
  const variant = chooseVariant(variants, threads > 1);
  const kernels = await read(variant.file);
  const program = JSON.parse(await text(target.program)) as Program;
  const code = { url: locate('worker.js'), text: await text('worker.js'), beside: undefined };
  const backend = new WorkerBackend(() => platform.startWorker(code), { name: 'wasm', why: 'asked for', threads: chosen });
  const weightPaths = new Set(manifest.tensors.map(({ file }) => file));
  await backend.load({
    program,
    kernels: variant.features.includes('threads') ? kernels : withOwnMemory(kernels),
    tensors: manifest.tensors,
    weightFiles: manifest.files.filter((file) => weightPaths.has(file.path)),
    urls: Object.fromEntries([...weightPaths].map((name) => [name, locate(name).href])),
    source: platform.files(locate),
    onProgress: () => undefined,
    onProfile,
  });
  const [json, config] = [tokenizer.file, tokenizer.config].map(async (name) => JSON.parse(await text(name)) as object);
  const encoder = new TextTokenizer((await json) ?? {}, (await config) ?? {}, Infinity);
  return {
    ...{ manifest, target, state, program, backend },
    dispatches: (entry) => flat(program.entryPoints[entry]?.steps ?? []),
    ids: (words) => encoder.idsOf(words, false),
  };
}
