import type { LoadOptions, LoadPhase, Model } from './api.ts';
import type { Backend } from './backends/backend.ts';
import { wasmMaximumBytes } from './backends/wasm/layout.ts';
import { chooseVariant } from './backends/wasm/feature-probe.ts';
import { withOwnMemory } from './backends/wasm/own-memory.ts';
import { checkThreads, chooseThreads } from './backends/wasm/threads.ts';
import { WorkerBackend } from './backends/worker/client.ts';
import { AtpcError } from './errors.ts';
import { evaluateExpression } from './format/expression.ts';
import type { Manifest, ManifestFile, ManifestTarget } from './format/manifest.ts';
import { readManifest, readProgram } from './format/read.ts';
import type { Validators } from './format/validators.ts';
import type { CreateGeneration } from './generate/feature.ts';
import { LoadedModel } from './model.ts';
import { checkOptions } from './options.ts';
import { currentPlatform, type FileSource, type Locate, type Platform, type WorkerCode } from './platform/platform.ts';
import { checkSize, givenFiles, readVerified, verify } from './source.ts';
import { suggestion } from './suggest.ts';
import { longestText } from './texts.ts';
import { TextTokenizer } from './tokenizer.ts';

/** What index.js of a package knows about it before it has read anything. */
export interface PackageIdentity {
  /** The folder that index.js lies in. */
  readonly base: URL;
  /** Where files lie that may be elsewhere, because a bundler moved them. */
  readonly files: Readonly<Record<string, URL>>;
  /** Starts the worker that lies beside index.js, in a browser. */
  readonly startWorker: () => Worker;
  readonly manifestSha256: string;
  readonly validators: Validators;
  /** In packages that generate. */
  readonly generation?: CreateGeneration;
}

const loadOptions = [
  'backend',
  'baseUrl',
  'files',
  'signal',
  'onProgress',
  'onProfile',
  'threads',
  'selfTest',
] as const satisfies readonly (keyof LoadOptions)[];
const backends: readonly string[] = ['auto', 'wasm'] satisfies LoadOptions['backend'][];

/**
 * Reads a package, verifies its files, starts its backend and tests it. Rejects with ATPC-401 to 405 for a package that
 * cannot be used, 501 to 503 for a host that cannot run it, 607 for options, and with the signal's reason for an abort.
 */
export async function load(identity: PackageIdentity, options: LoadOptions = {}): Promise<Model> {
  checkOptions('load', options, loadOptions);
  const { backend = 'auto', threads = 'auto', signal } = options;
  if (!backends.includes(backend)) {
    throw new AtpcError('ATPC-501', `There is no backend '${String(backend)}' in this package.`, {
      hint: suggestion(String(backend), backends),
    });
  }
  checkThreads(threads);
  signal?.throwIfAborted();
  const platform = currentPlatform();
  const place = placeOf(platform, identity, options);
  const close = (): void => void place.source.close();
  signal?.addEventListener('abort', close, { once: true });
  try {
    return await loadFrom(platform, place, identity, options);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw error;
  } finally {
    signal?.removeEventListener('abort', close);
    await place.source.close();
  }
}

/** Where the files of a package are. */
interface Place {
  readonly source: FileSource;
  /** Undefined where the caller hands them over. */
  readonly locate: Locate | undefined;
  readonly beside: WorkerCode['beside'];
  /** Whether a bundler made the worker, which then is not the file that the manifest lists. */
  readonly bundled: boolean;
}
function placeOf(platform: Platform, identity: PackageIdentity, { files, baseUrl }: LoadOptions): Place {
  const beside = identity.startWorker;
  if (files !== undefined) return { source: givenFiles(files), locate: undefined, beside, bundled: false };
  const base = baseUrl === undefined ? identity.base : folderUrl(baseUrl);
  const inBase: Locate = (path) => new URL(path, base);
  if (baseUrl !== undefined) return { source: platform.files(inBase), locate: inBase, beside: undefined, bundled: false };
  const locate: Locate = (path) => (Object.hasOwn(identity.files, path) && identity.files[path]) || inBase(path);
  const bundled = locate('manifest.json').href !== inBase('manifest.json').href;
  return { source: platform.files(locate), locate, beside, bundled };
}

async function loadFrom(
  platform: Platform,
  { source, locate, beside, bundled }: Place,
  { manifestSha256, validators, generation }: PackageIdentity,
  { signal, onProgress, onProfile, selfTest = true, backend: wanted = 'auto', threads: asked = 'auto' }: LoadOptions,
): Promise<Model> {
  const manifestBytes = await source.read('manifest.json', 0);
  await verify(platform, manifestBytes, 'manifest.json', manifestSha256);
  const manifest = readManifest(manifestBytes, validators);
  const target = targetOf(manifest);
  checkLeastMemory(manifest, target);

  const threads = chooseThreads(asked, platform, target.variants);
  const variant = chooseVariant(target.variants, threads.used > 1);

  const weightPaths = new Set(manifest.tensors.map((tensor) => tensor.file));
  const weightFiles = manifest.files.filter((file) => weightPaths.has(file.path));
  for (const file of weightFiles) await checkSize(source, file);
  const files = await readFiles(
    platform,
    source,
    manifest,
    [target.program, variant.file],
    manifest.files.filter((file) => !weightPaths.has(file.path) && !(bundled && file.path === 'worker.js')),
    (loaded, total) => {
      signal?.throwIfAborted();
      onProgress?.({ phase: 'files', loadedBytes: loaded, totalBytes: total });
    },
  );
  const fileOf = (path: string): Uint8Array<ArrayBuffer> => files.get(path) ?? new Uint8Array();
  const program = readProgram(fileOf(target.program), validators);
  const tokenizer =
    manifest.tokenizer && readTokenizer(manifest, fileOf(manifest.tokenizer.file), fileOf(manifest.tokenizer.config));

  const code: WorkerCode = { url: locate?.('worker.js'), text: new TextDecoder().decode(fileOf('worker.js')), beside };
  const why = wanted === 'auto' ? 'the only kernels in the package are for WebAssembly' : 'asked for';
  const backend = new WorkerBackend(() => platform.startWorker(code), { name: target.name, why, threads });
  return disposeUnlessDone(backend, signal, async () => {
    const totalBytes = weightFiles.reduce((sum, file) => sum + file.bytes, 0);
    const progress = (phase: LoadPhase, loadedBytes: number): void => onProgress?.({ phase, loadedBytes, totalBytes });
    progress('weights', 0);
    await backend.load({
      program,
      kernels: variant.features.includes('threads') ? fileOf(variant.file) : withOwnMemory(fileOf(variant.file)),
      tensors: manifest.tensors,
      weightFiles,
      urls: locate ? Object.fromEntries([...weightPaths].map((path) => [path, locate(path).href])) : null,
      source,
      onProgress: (loadedBytes) => progress('weights', loadedBytes),
      onProfile,
    });
    const model = new LoadedModel({ manifest, target, backend, tokenizer: tokenizer ?? undefined, generation });
    if (selfTest) {
      progress('self-test', totalBytes);
      await model.selfTest(signal ? { signal } : {});
    }
    return model;
  });
}

/** Ends the backend when the work fails, and at once when the signal aborts. */
async function disposeUnlessDone<T>(backend: Backend, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const abort = (): void => void backend.dispose();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted();
    return await work();
  } catch (error) {
    await backend.dispose();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function folderUrl(baseUrl: string | URL): URL {
  const text = String(baseUrl);
  try {
    // As everywhere on a page, from where the page is.
    return new URL(text.endsWith('/') ? text : `${text}/`, typeof location === 'object' ? location.href : undefined);
  } catch (cause) {
    throw new AtpcError('ATPC-607', `The option baseUrl of load is '${text}', which is not a URL.`, {
      hint: 'For a folder use pathToFileURL(folder) of node:url.',
      cause,
    });
  }
}

/** All files but the weights: those in use, and where they are at hand all the others too. */
async function readFiles(
  platform: Platform,
  source: FileSource,
  manifest: Manifest,
  ofTarget: readonly string[],
  listed: readonly ManifestFile[],
  progress: (loadedBytes: number, totalBytes: number) => void,
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const used = new Set(['worker.js', ...ofTarget, manifest.tokenizer?.file, manifest.tokenizer?.config]);
  const wanted = listed.filter((file) => source.local || used.has(file.path));
  const total = wanted.reduce((sum, file) => sum + file.bytes, 0);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let loaded = 0;
  progress(loaded, total);
  for (const file of wanted) {
    files.set(file.path, await readVerified(platform, source, file));
    progress((loaded += file.bytes), total);
  }
  return files;
}

function targetOf(manifest: Manifest): ManifestTarget<'wasm'> {
  const target = manifest.targets.find((candidate): candidate is ManifestTarget<'wasm'> => candidate.name === 'wasm');
  if (target) return target;
  throw new AtpcError('ATPC-501', `The package '${manifest.name}' has no kernels for WebAssembly.`);
}

/** Refuses a package whose smallest call does not fit, before any weight is read. */
function checkLeastMemory(manifest: Manifest, { memory }: ManifestTarget): void {
  const least = Object.fromEntries(manifest.dims.map((dim) => [dim.name, dim.min]));
  const needed = evaluateExpression(memory.total, least);
  if (needed <= wasmMaximumBytes) return;
  const weights = evaluateExpression(memory.weights, least);
  throw new AtpcError(
    'ATPC-502',
    `The model '${manifest.name}' needs at least ${needed} bytes, ${weights} of them weights; WebAssembly has ${wasmMaximumBytes}.`,
  );
}

function readTokenizer(manifest: Manifest, tokenizer: Uint8Array, config: Uint8Array): TextTokenizer {
  const parse = (bytes: Uint8Array): object => {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === 'object' && value !== null) return value;
    throw new AtpcError('ATPC-403', 'A tokenizer file of the package is not an object.');
  };
  return new TextTokenizer(parse(tokenizer), parse(config), longestText(manifest));
}
