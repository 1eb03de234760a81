/** What browser-cache.js of a package is bundled from: loaded by the worker for the option `cache`, and for `deleteCached`. */
import type { CacheStore } from '../cache/api.ts';
import { artefactStore } from '../cache/artefact-store.ts';
import { cachedFiles, type CachedFilesOptions } from '../cache/cached-files.ts';
import { deleteFiles } from '../cache/chunk-store.ts';
import { resumableFiles } from '../cache/resumable-files.ts';
import type { FileSource } from '../platform/platform.ts';

export function openCachedFiles(store: CacheStore, options: Omit<CachedFilesOptions, 'store' | 'source'>): FileSource {
  return cachedFiles({ ...options, store: artefactStore(store), source: resumableFiles(options.locate) });
}

export async function deleteCachedFiles(stores: readonly CacheStore[], files: readonly URL[]): Promise<void> {
  for (const store of stores) await deleteFiles(artefactStore(store), files);
}
