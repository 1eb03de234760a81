/** Bytes by key. A store neither fetches nor verifies. */
export interface ChunkStore {
  readonly name: string;
  /** Undefined where there is nothing, and where nothing can be read. */
  read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Replaces what there is. Rejects where the bytes are not stored, with nothing left of them; resolves where another page is
   * writing the same.
   */
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  delete(key: string): Promise<void>;
}

/**
 * Keys are addresses, since the Cache API takes no others: that of the file without its query, which a server may sign anew
 * each time, and what is stored of it. A newer package at the same address asks for other hashes.
 */
export function chunkKey(file: URL, sha256: string): string {
  return keyOf(file, sha256);
}
/** Of the list of a file's chunks that may be in the store. */
export function listKey(file: URL): string {
  return keyOf(file, 'list');
}
function keyOf({ origin, pathname }: URL, what: string): string {
  return `${origin}${pathname}?atpc-cache=${what}`;
}

/** Whether a file at this address can have keys: not one that a bundler put into a data: URL. */
export const hasKeys = ({ protocol }: URL): boolean => protocol === 'https:' || protocol === 'http:';

/** Hashes of the chunks of a file that may be in the store; undefined where there are none. */
export async function readList(store: ChunkStore, file: URL): Promise<readonly string[] | undefined> {
  const bytes = await store.read(listKey(file));
  // By form, so that a damaged list names nothing else.
  return bytes && (new TextDecoder().decode(bytes).match(/\b[0-9a-f]{64}\b/g) ?? []);
}
/** Before the chunks themselves are written: what is in the store is in a list. */
export async function writeList(store: ChunkStore, file: URL, hashes: readonly string[]): Promise<void> {
  await store.write(listKey(file), new TextEncoder().encode(hashes.join('\n')));
}

/** Everything of these files, of packages that lay at their addresses before too. */
export async function deleteFiles(store: ChunkStore, files: readonly URL[]): Promise<void> {
  for (const file of files.filter(hasKeys)) {
    const hashes = await readList(store, file);
    if (hashes === undefined) continue;
    for (const hash of hashes) await store.delete(chunkKey(file, hash));
    await store.delete(listKey(file));
  }
}
