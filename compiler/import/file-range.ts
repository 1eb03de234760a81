/** Ranges of a file's bytes. */
import { open, type FileHandle } from 'node:fs/promises';
import { AtpcError } from '../../runtime/errors.ts';
import { unreadable } from '../schema/json.ts';

/** Opens a file for reading, for as long as `use` takes. Throws ATPC-201 where that fails. */
export async function withFile<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    return await use(handle);
  } catch (error) {
    throw error instanceof AtpcError ? error : unreadable(file, error);
  } finally {
    await handle?.close();
  }
}

/** Bytes [begin, end) in an array at offset 0 of a buffer of its own; throws `ended(byte)` where the file ends before. */
export async function readRange(
  handle: FileHandle,
  begin: number,
  end: number,
  ended: (at: number) => AtpcError,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  let filled = 0;
  while (filled < bytes.length) {
    // One read call gives at most 2 GiB.
    const { bytesRead } = await handle.read(bytes, filled, Math.min(bytes.length - filled, 1 << 30), begin + filled);
    if (bytesRead === 0) throw ended(begin + filled);
    filled += bytesRead;
  }
  return bytes;
}
