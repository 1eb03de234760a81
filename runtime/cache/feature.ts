/** The browser cache as the page and the worker of a package see it: the rest is browser-cache.js, loaded when it is asked for. */
import type { LoadOptions } from '../api.ts';
import type { WorkerLoad } from '../backends/worker/client.ts';
import { weightsAt, type OpenWeights } from '../backends/worker/server.ts';
import { AtpcError } from '../errors.ts';
import type { Locate, Platform } from '../platform/platform.ts';
import { readable } from '../platform/readable.ts';
import { suggestion } from '../suggest.ts';
import type { CacheStore, LoadOptions as CacheOptions } from './api.ts';

export const cacheModule = 'browser-cache.js';
export const cacheStores: readonly string[] = ['cache-api', 'indexeddb', 'opfs'] satisfies CacheStore[];

/** The options of `load` in a package with the browser cache. */
export type CachingLoadOptions = LoadOptions & CacheOptions;
/** What `load` asks in packages with the browser cache. */
export interface CacheFeature {
  readonly options: readonly (keyof CacheOptions)[];
  /**
   * Undefined where nothing is to be stored. Throws ATPC-607 for a store that there is not, and where nothing can be stored;
   * `locate` is undefined where the caller hands over the files.
   */
  choose(options: CachingLoadOptions, platform: Platform, locate: Locate | undefined): CacheUse | undefined;
}
export interface CacheUse {
  /** That the worker is going to load. */
  readonly file: string;
  readonly load: Pick<WorkerLoad, 'cache' | 'onNotice'>;
}

export const cacheFeature: CacheFeature = {
  options: ['cache', 'onNotice'],
  choose({ cache = 'none', onNotice = warn }, platform, locate) {
    if (cache === 'none') return undefined;
    const store = knownStore('load', cache, ['none', ...cacheStores]);
    refuseNode('The option cache of load', platform);
    if (locate) return { file: cacheModule, load: { cache: { store, module: locate(cacheModule).href }, onNotice } };
    throw new AtpcError('ATPC-607', 'load takes the option cache or the option files: what the caller hands over is not stored.');
  },
};

/** Reads from the store, and downloads what is not in it. */
export const openWeights: OpenWeights = async (request, platform, onNotice) => {
  const { urls, cache, weightFiles: files } = request;
  if (!cache) return weightsAt(request, platform, onNotice);
  const { openCachedFiles } = await importCache(cache.module);
  return openCachedFiles(cache.store, { files, locate: (path) => new URL(urls[path] as string), platform, onNotice });
};

/** `import()` with the comments by which bundlers leave it alone; the compiler writes it before the bundles. */
declare const importModule: (url: string) => Promise<unknown>;

/** Rejects with ATPC-401 where the module cannot be loaded. */
export function importCache(module: string): Promise<typeof import('../entry/browser-cache.ts')> {
  return readable(cacheModule, () => importModule(module)) as ReturnType<typeof importCache>;
}

export function knownStore(call: string, name: unknown, known: readonly string[]): CacheStore {
  if (known.includes(name as string)) return name as CacheStore;
  throw new AtpcError('ATPC-607', `The option cache of ${call} is '${String(name)}'.`, {
    hint: suggestion(String(name), known),
  });
}
export function refuseNode(what: string, platform: Platform): void {
  if (platform.name === 'browser') return;
  throw new AtpcError('ATPC-607', `${what} is for browsers: in Node the files of a package are on the disk already.`);
}

/** Nobody would hear it else, and the next load takes as long as this one. */
function warn(sentence: string): void {
  // eslint-disable-next-line no-console
  console.warn(sentence);
}
