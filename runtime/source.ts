import { AtpcError } from './errors.ts';
import type { LoadOptions } from './api.ts';
import type { ManifestFile } from './format/manifest.ts';
import type { FileSource, Platform } from './platform/platform.ts';

/** Weights are read, hashed and unpacked in pieces of this size; the manifest has a hash for each piece. */
export const chunkBytes = 16 * 1024 * 1024;

/** Files that the caller hands over, all at once or one by one. */
export function givenFiles(files: NonNullable<LoadOptions['files']>): FileSource {
  // The last file asked for stays at hand, since weights are read range by range.
  let current: { readonly path: string; readonly bytes: Uint8Array } | undefined;
  const fileOf = async (path: string): Promise<Uint8Array> => {
    if (current?.path === path) return current.bytes;
    let bytes: unknown;
    try {
      bytes = typeof files === 'function' ? await files(path) : Object.hasOwn(files, path) ? files[path] : undefined;
    } catch (cause) {
      throw new AtpcError('ATPC-401', `The option files failed for ${path}: ${String(cause)}.`, { cause });
    }
    if (!(bytes instanceof Uint8Array)) {
      throw new AtpcError('ATPC-401', `The option files does not have ${path} as a Uint8Array.`);
    }
    current = { path, bytes };
    return bytes;
  };
  return {
    local: false,
    size: async (path) => (await fileOf(path)).length,
    // A copy, because ranges are transferred to the worker.
    read: async (path, begin, end) => new Uint8Array((await fileOf(path)).subarray(begin, end)),
    close: () => {
      current = undefined;
      return Promise.resolve();
    },
  };
}

/** Throws ATPC-402 unless the file has the size that the manifest says, where that is known before it is read. */
export async function checkSize(source: FileSource, file: ManifestFile): Promise<void> {
  refuseSize(file, await source.size(file.path));
}
function refuseSize(file: ManifestFile, size: number | undefined): void {
  if (size === undefined || size === file.bytes) return;
  throw new AtpcError('ATPC-402', `The file ${file.path} has ${size} bytes; the package was written with ${file.bytes}.`, {
    hint: damageHint,
  });
}

/** The bytes of a file, checked against its size and SHA-256. */
export async function readVerified(platform: Platform, source: FileSource, file: ManifestFile): Promise<Uint8Array<ArrayBuffer>> {
  await checkSize(source, file);
  const bytes = await source.read(file.path, 0);
  refuseSize(file, bytes.length);
  await verify(platform, bytes, file.path, file.sha256);
  return bytes;
}

/** A file in pieces of 16 MiB, each checked before it is handed on. */
export async function* readVerifiedChunks(
  platform: Platform,
  source: FileSource,
  file: ManifestFile,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const hashes = file.chunks ?? [file.sha256];
  for (const [index, hash] of hashes.entries()) {
    const begin = index * chunkBytes;
    const end = Math.min(file.bytes, begin + chunkBytes);
    const bytes = await source.read(file.path, begin, end);
    if (!source.verified) await verify(platform, bytes, `${file.path} (bytes ${begin} to ${end})`, hash);
    yield bytes;
  }
}

export async function verify(platform: Platform, bytes: Uint8Array<ArrayBuffer>, what: string, expected: string): Promise<void> {
  const found = await platform.sha256(bytes);
  if (found === expected) return;
  throw new AtpcError('ATPC-402', `${what} is not what was written: its SHA-256 is ${found}, expected ${expected}.`, {
    hint: damageHint,
  });
}
const damageHint = 'Install or compile the package again.';
