/** The browser cache as the page and the worker of a package see it: the rest is browser-cache.js, loaded when it is asked for. */
import type { LoadOptions } from '../api.ts';
import { AtpcError } from '../errors.ts';
import type { FileSource, Platform } from '../platform/platform.ts';
import { readable } from '../platform/readable.ts';
import { suggestion } from '../suggest.ts';
import type { CacheStore, LoadOptions as CacheOptions } from './api.ts';
import type { CachedFilesOptions } from './cached-files.ts';

export const cacheModule = 'browser-cache.js';
export const cacheStores: readonly string[] = ['cache-api', 'indexeddb', 'opfs'] satisfies CacheStore[];

/** The options of `load` in a package with the browser cache. */
export type CachingLoadOptions = LoadOptions & CacheOptions;
export interface CacheUse {
  readonly store: CacheStore;
  readonly onNotice: (sentence: string) => void;
}
/** What `load` and the worker ask, in packages with the browser cache. */
export interface CacheFeature {
  readonly options: readonly (keyof CacheOptions)[];
  readonly module: typeof cacheModule;
  /** Null where nothing is to be stored. Throws ATPC-607 for a store that there is not, and where nothing can be stored. */
  choose(options: CachingLoadOptions, platform: Platform): CacheUse | null;
}
/** A source of weights that reads from the store, and downloads what is not in it; `module` is the URL of browser-cache.js. */
export type OpenCache = (
  module: string,
  store: CacheStore,
  options: Pick<CachedFilesOptions, 'files' | 'locate' | 'platform' | 'onNotice'>,
) => Promise<FileSource>;

export const cacheFeature: CacheFeature = {
  options: ['cache', 'onNotice'],
  module: cacheModule,
  choose({ cache = 'none', files, onNotice = warn }, platform) {
    if (cache === 'none') return null;
    const store = knownStore('load', cache, ['none', ...cacheStores]);
    refuseNode('The option cache of load', platform);
    if (files === undefined) return { store, onNotice };
    throw new AtpcError('ATPC-607', 'load takes the option cache or the option files: what the caller hands over is not stored.');
  },
};

export const openCache: OpenCache = async (module, store, options) => (await importCache(module)).openCachedFiles(store, options);

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
