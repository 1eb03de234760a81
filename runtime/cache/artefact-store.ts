import { ArtifactCache, ArtifactIndexedDBCache, ArtifactOPFSCache, type ArtifactCacheTemplate } from 'tvmjs';
import type { CacheStore } from './api.ts';
import type { ChunkStore } from './chunk-store.ts';

/** Name of the cache, the database and the folder. */
const scope = 'atpc';
/** With it the caches of tvmjs give what they have, and what they would fetch rejects before it reaches the network. */
const withoutFetching = AbortSignal.abort();

interface OpenedCache {
  readonly cache: ArtifactCacheTemplate;
  /** Stores without fetching, which `addToCache` cannot. */
  readonly put: (key: string, response: Response) => Promise<void>;
}
/** The files below ArtifactOPFSCache: private, in the version that package.json pins. */
interface WithStore {
  readonly store: { write(key: string, response: Response): Promise<void> };
}
/** docs/decisions/verified-chunks-in-the-caches-of-tvmjs.md */
const openers = {
  'cache-api': () => ({
    cache: new ArtifactCache(scope),
    put: async (key, response) => (await caches.open(scope)).put(key, response),
  }),
  indexeddb: () => {
    const cache = new ArtifactIndexedDBCache(scope);
    return {
      cache,
      put: async (key, response) => {
        // It adds, and replaces nothing.
        await cache.deleteInCache(key);
        await cache.addToIndexedDB(key, response, 'arraybuffer');
      },
    };
  },
  opfs: () => {
    // In a worker by synchronous handles: Safari before 26 has no others.
    const cache = new ArtifactOPFSCache(scope, 'auto');
    const { store } = cache as unknown as WithStore;
    return { cache, put: (key, response) => store.write(key, response) };
  },
} satisfies { readonly [K in CacheStore]: () => OpenedCache };

/** Names of errors that say that another page of the origin is writing the same entry. */
const beingWritten: readonly string[] = ['ConstraintError', 'NoModificationAllowedError'];

/** The artefact caches of tvmjs (Apache TVM's runtime for the web), for bytes that were verified before. */
export function artefactStore(name: CacheStore): ChunkStore {
  const { cache, put }: OpenedCache = openers[name]();
  const store: ChunkStore = {
    name,
    read: async (key) => {
      try {
        const bytes = (await cache.fetchWithCache(key, 'arraybuffer', withoutFetching)) as ArrayBuffer;
        return new Uint8Array(bytes);
      } catch {
        // Not there, or not to be read: what forbids reading forbids writing too, which says so.
        return undefined;
      }
    },
    write: async (key, bytes) => {
      try {
        await put(key, new Response(bytes));
        // The IndexedDB of tvmjs is content when the request is, and a full storage shows at the end of the transaction.
        if (!(await cache.hasAllKeys([key]))) throw new DOMException('it was not kept', 'QuotaExceededError');
      } catch (error) {
        if (error instanceof Error && beingWritten.includes(error.name)) return;
        // OPFS leaves the part that had room.
        await store.delete(key).catch(() => undefined);
        throw error;
      }
    },
    delete: (key) => cache.deleteInCache(key),
  };
  return store;
}
