import type { FileHandle } from 'node:fs/promises';
import { AtpcError } from '../../errors.ts';
import type { FileSource, Locate } from '../platform.ts';
import { readable } from '../readable.ts';

/** Files of the file system. One is kept open: ranges of a file are read one after the other. */
export function nodeFiles(locate: Locate): FileSource {
  const { open, stat } = process.getBuiltinModule('node:fs/promises');
  let current: { readonly path: string; readonly handle: FileHandle } | undefined;
  const close = async (): Promise<void> => {
    const closing = current;
    current = undefined;
    await closing?.handle.close();
  };
  const handleOf = async (path: string): Promise<FileHandle> => {
    if (current?.path !== path) {
      await close();
      current = { path, handle: await open(locate(path), 'r') };
    }
    return current.handle;
  };
  const sizeOf = (path: string): Promise<number> => {
    const url = locate(path);
    if (url.protocol === 'file:') return readable(path, async () => (await stat(url)).size);
    throw new AtpcError('ATPC-401', `${url.href} cannot be read: Node reads packages from file: URLs.`, {
      hint: 'Pass the files themselves with the option files.',
    });
  };
  return {
    local: true,
    size: async (path) => sizeOf(path),
    read: async (path, begin, end) => {
      const last = end ?? (await sizeOf(path));
      return readable(path, async () => {
        const handle = await handleOf(path);
        const bytes = new Uint8Array(last - begin);
        let filled = 0;
        while (filled < bytes.length) {
          const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, begin + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      });
    },
    close,
  };
}
