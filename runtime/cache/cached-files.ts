import { AtpcError } from '../errors.ts';
import type { ManifestFile } from '../format/manifest.ts';
import type { FileSource, Locate, Platform } from '../platform/platform.ts';
import { chunkBytes, verify } from '../source.ts';
import { chunkKey, hasKeys, readList, writeList, type ChunkStore } from './chunk-store.ts';
import type { ResumableFiles } from './resumable-files.ts';

export interface CachedFilesOptions {
  /** Every file that is read, with its hashes. */
  readonly files: readonly ManifestFile[];
  readonly locate: Locate;
  readonly platform: Platform;
  readonly store: ChunkStore;
  readonly source: ResumableFiles;
  readonly onNotice: (sentence: string) => void;
}

/**
 * Files in verified chunks, from a store where they are in it and else from a source. A chunk enters the store when its hash is
 * right, and its hash is compared again when it comes out. Without room in the store loading goes on, in memory alone.
 * Rejects with ATPC-401 and, for what is not what the manifest lists, ATPC-402.
 */
export function cachedFiles({ files, locate, platform, store, source, onNotice }: CachedFilesOptions): FileSource {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const listed = new Set<string>();
  const said = new Set<string>();
  let storing = true;
  const say = (kind: 'storage' | 'damage', sentence: string): void => {
    if (!said.has(kind)) onNotice(sentence);
    said.add(kind);
  };
  /** Whether the work is done; nothing is stored any more once it failed. */
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const name = error instanceof Error ? error.name : '';
      storing = false;
      const why = name === 'QuotaExceededError' ? 'is full' : `cannot be used (${String(error)})`;
      say(
        'storage',
        `The storage of this page (${store.name}) ${why}: weights that are not in it stay in memory, and are downloaded again by the next load.`,
      );
    }
  };
  /** Lists the chunks of the file, and drops those of a package that lay there before. */
  const list = async (url: URL, hashes: readonly string[]): Promise<void> => {
    const old = (await readList(store, url)) ?? [];
    if (old.length === hashes.length && old.every((hash, index) => hash === hashes[index])) return;
    for (const hash of old) if (!hashes.includes(hash)) await store.delete(chunkKey(url, hash));
    await writeList(store, url, hashes);
  };
  const matches = async (bytes: Uint8Array<ArrayBuffer>, sha256: string): Promise<boolean> =>
    (await platform.sha256(bytes)) === sha256;

  const stored = async (path: string, key: string, sha256: string): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const bytes = await store.read(key);
    if (bytes === undefined || (await matches(bytes, sha256))) return bytes;
    say('damage', `A piece of ${path} was damaged in the storage of this page (${store.name}); it is downloaded again.`);
    await attempt(() => store.delete(key));
    return undefined;
  };
  const downloaded = async (path: string, begin: number, end: number, sha256: string): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = await source.read(path, begin, end);
    if (await matches(bytes, sha256)) return bytes;
    // The HTTP cache may have a file of the package before, and a download that went on the rest of another one.
    const again = await source.reload(path, begin, end);
    await verify(platform, again, `${path} (bytes ${begin} to ${end})`, sha256);
    return again;
  };

  return {
    local: false,
    verified: true,
    size: (path) => source.size(path),
    close: () => source.close(),
    read: async (path, begin, end) => {
      const file = byPath.get(path);
      const sha256 = (file?.chunks ?? [file?.sha256])[begin / chunkBytes];
      if (file === undefined || sha256 === undefined || end !== Math.min(begin + chunkBytes, file.bytes)) {
        throw new AtpcError('ATPC-399', `The bytes ${begin} to ${end} of ${path} are no chunk of the package.`);
      }
      const url = locate(path);
      if (!hasKeys(url)) return downloaded(path, begin, end, sha256);
      const key = chunkKey(url, sha256);
      const found = await stored(path, key, sha256);
      if (found !== undefined) return found;
      const bytes = await downloaded(path, begin, end, sha256);
      if (storing && !listed.has(path)) {
        listed.add(path);
        await attempt(() => list(url, file.chunks ?? [file.sha256]));
      }
      if (storing) await attempt(() => store.write(key, bytes));
      return bytes;
    },
  };
}
