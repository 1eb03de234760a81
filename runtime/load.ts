import type { LoadOptions, LoadPhase, Model } from './api.ts';
import type { Backend } from './backends/backend.ts';
import type { RefusedTarget } from './backends/choose-target.ts';
import { useTarget, type Host, type TargetSupport, type UsableTarget } from './backends/targets.ts';
import { checkThreads } from './backends/wasm/threads.ts';
import { WorkerBackend, type WorkerLoad } from './backends/worker/client.ts';
import type { CacheFeature, CachingLoadOptions } from './cache/feature.ts';
import { AtpcError } from './errors.ts';
import type { Manifest, ManifestFile, TargetName } from './format/manifest.ts';
import type { Program } from './format/program.ts';
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
  readonly targets: TargetSupport;
  /** In packages that generate. */
  readonly generation?: CreateGeneration | undefined;
  /** In packages with the browser cache. */
  readonly cache?: CacheFeature | undefined;
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
const backends: readonly string[] = ['auto', 'wasm', 'webgpu', 'cuda', 'native'] satisfies LoadOptions['backend'][];

/**
 * Reads a package, verifies its files, starts its backend and tests it. Rejects with ATPC-401 to 405 for a package that
 * cannot be used, 501 to 503 for a host that cannot run it, 607 for options, and with the signal's reason for an abort.
 */
export async function load(identity: PackageIdentity, options: CachingLoadOptions = {}): Promise<Model> {
  checkOptions('load', options, [...loadOptions, ...(identity.cache?.options ?? [])]);
  const { backend = 'auto', threads = 'auto', signal } = options;
  if (!backends.includes(backend)) {
    throw new AtpcError('ATPC-501', `There is no backend '${String(backend)}'.`, { hint: suggestion(String(backend), backends) });
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
  const locate = locateIn(identity, baseUrl);
  const source = platform.files(locate);
  if (baseUrl !== undefined) return { source, locate, beside: undefined, bundled: false };
  const bundled = locate('manifest.json').href !== new URL('manifest.json', identity.base).href;
  return { source, locate, beside, bundled };
}
/** Throws ATPC-607 for a `baseUrl` that is no URL. */
export function locateIn(identity: Pick<PackageIdentity, 'base' | 'files'>, baseUrl?: string | URL): Locate {
  if (baseUrl !== undefined) {
    const base = folderUrl(baseUrl);
    return (path) => new URL(path, base);
  }
  return (path) => (Object.hasOwn(identity.files, path) && identity.files[path]) || new URL(path, identity.base);
}

async function loadFrom(
  platform: Platform,
  { source, locate, beside, bundled }: Place,
  { manifestSha256, validators, targets: support, generation, cache }: PackageIdentity,
  options: CachingLoadOptions,
): Promise<Model> {
  const { signal, onProgress, onProfile, selfTest = true, backend: wanted = 'auto', threads = 'auto' } = options;
  const cached = cache?.choose(options, platform, locate);
  const manifestBytes = await source.read('manifest.json', 0);
  await verify(platform, manifestBytes, 'manifest.json', manifestSha256);
  const manifest = readManifest(manifestBytes, validators);
  const { targets, refused } = targetsFor(support, manifest, wanted, { platform, threads });

  const weightPaths = new Set(manifest.tensors.map((tensor) => tensor.file));
  const weightFiles = manifest.files.filter((file) => weightPaths.has(file.path));
  for (const file of weightFiles) await checkSize(source, file);
  const files = await readFiles(
    platform,
    source,
    manifest,
    [...targets.flatMap((each) => each.files), cached?.file],
    manifest.files.filter((file) => !weightPaths.has(file.path) && !(bundled && file.path === 'worker.js')),
    (loaded, total) => {
      signal?.throwIfAborted();
      onProgress?.({ phase: 'files', loadedBytes: loaded, totalBytes: total });
    },
  );
  const fileOf = (path: string): Uint8Array<ArrayBuffer> => files.get(path) ?? new Uint8Array();
  const tokenizer =
    manifest.tokenizer && readTokenizer(manifest, fileOf(manifest.tokenizer.file), fileOf(manifest.tokenizer.config));
  const code: WorkerCode = { url: locate?.('worker.js'), text: new TextDecoder().decode(fileOf('worker.js')), beside };

  const totalBytes = weightFiles.reduce((sum, file) => sum + file.bytes, 0);
  const progress = (phase: LoadPhase, loadedBytes: number): void => onProgress?.({ phase, loadedBytes, totalBytes });
  /** A backend that was started but not loaded, and what it takes to load it. */
  const prepare = (use: UsableTarget, why: string): { readonly backend: WorkerBackend; readonly files: WorkerFiles } => {
    const { workerFiles, target } = use;
    const paths = [...weightPaths, ...workerFiles.map(({ path }) => path)];
    const urls = locate ? Object.fromEntries(paths.map((path) => [path, locate(path).href])) : null;
    const backend = new WorkerBackend(() => platform.startWorker(code), { name: target.name, why, threads: use.threads });
    return { backend, files: { kernels: use.kernels(fileOf), urls, source } };
  };
  const programs = new Map(targets.map(({ target }) => [target.name, readProgram(fileOf(target.program), validators)]));
  const targetOf = (name: TargetName): UsableTarget => targets.find(({ target }) => target.name === name) as UsableTarget;
  const start = (name: TargetName, program: Program): Promise<Backend> => {
    const { backend, files: needed } = prepare(targetOf(name), '');
    return disposeUnlessDone(backend, signal, async () => {
      await backend.load({ ...needed, tensors: [], weightFiles: [], onProgress: () => {}, program });
      return backend;
    });
  };
  const only = targets[0].target.name;
  const { name, why } =
    wanted === 'auto' && support.chooseTarget
      ? await support.chooseTarget({ programs, refused, start, signal })
      : { name: only, why: wanted === 'auto' ? `the package has kernels for ${only} alone` : 'asked for' };
  const used = targetOf(name);

  const { backend, files: needed } = prepare(used, why);
  return disposeUnlessDone(backend, signal, async () => {
    let loadedBytes = 0;
    progress('weights', loadedBytes);
    await backend.load({
      ...needed,
      program: programs.get(name) as Program,
      tensors: manifest.tensors,
      weightFiles,
      ...cached?.load,
      onProgress: (bytes) => progress('weights', (loadedBytes = bytes)),
      onKernels: (done, total) => onProgress?.({ phase: 'kernels', loadedBytes, totalBytes, kernels: { done, total } }),
      onProfile,
    });
    const parts = { manifest, target: used.target, backend, tokenizer: tokenizer ?? undefined, generation };
    const model = new LoadedModel(parts);
    if (selfTest) {
      progress('self-test', totalBytes);
      await model.selfTest(signal ? { signal } : {});
    }
    return model;
  });
}
type WorkerFiles = Pick<WorkerLoad, 'kernels' | 'urls' | 'source'>;

interface TargetsForHost {
  readonly targets: readonly [UsableTarget, ...UsableTarget[]];
  /** What was asked for by `auto` and is not to be had here. */
  readonly refused: readonly RefusedTarget[];
}
/** The targets of a package that were asked for and that this host may run; throws what the first says where there is none. */
function targetsFor(support: TargetSupport, manifest: Manifest, wanted: string, host: Host): TargetsForHost {
  const asked = manifest.targets.filter(({ name }) => wanted === 'auto' || name === wanted);
  const targets: UsableTarget[] = [];
  const refused: RefusedTarget[] = [];
  for (const target of asked) {
    try {
      targets.push(useTarget(support, manifest, target, host));
    } catch (error) {
      if (!(error instanceof AtpcError)) throw error;
      refused.push({ name: target.name, error });
    }
  }
  const [first, ...others] = targets;
  if (first) return { targets: [first, ...others], refused };
  if (refused[0]) throw refused[0].error;
  throw new AtpcError(
    'ATPC-501',
    `The package '${manifest.name}' has no kernels for ${wanted === 'auto' ? 'this host' : wanted}.`,
    {
      hint: `It has some for ${manifest.targets.map(({ name }) => name).join(' and ')}.`,
    },
  );
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

/** All files but the weights: those in use, `parts` among them, and where they are at hand all the others too. */
async function readFiles(
  platform: Platform,
  source: FileSource,
  manifest: Manifest,
  parts: readonly (string | undefined)[],
  listed: readonly ManifestFile[],
  progress: (loadedBytes: number, totalBytes: number) => void,
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const used = new Set(['worker.js', ...parts, manifest.tokenizer?.file, manifest.tokenizer?.config]);
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

function readTokenizer(manifest: Manifest, tokenizer: Uint8Array, config: Uint8Array): TextTokenizer {
  const parse = (bytes: Uint8Array): object => {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === 'object' && value !== null) return value;
    throw new AtpcError('ATPC-403', 'A tokenizer file of the package is not an object.');
  };
  return new TextTokenizer(parse(tokenizer), parse(config), longestText(manifest));
}
