/** What browser-cache.js of a package is bundled from: loaded by the worker for the option `cache`, and for `deleteCached`. */
import type { CacheStore } from '../cache/api.ts';
import { artefactStore } from '../cache/artefact-store.ts';
import { cachedFiles } from '../cache/cached-files.ts';
import { deleteFiles } from '../cache/chunk-store.ts';
import type { OpenCache } from '../cache/feature.ts';
import { resumableFiles } from '../cache/resumable-files.ts';
import type { FileSource } from '../platform/platform.ts';

export function openCachedFiles(store: CacheStore, options: Parameters<OpenCache>[2]): FileSource {
  return cachedFiles({ ...options, store: artefactStore(store), source: resumableFiles(options.locate) });
}

export async function deleteCachedFiles(stores: readonly CacheStore[], files: readonly URL[]): Promise<void> {
  for (const store of stores) await deleteFiles(artefactStore(store), files);
}
