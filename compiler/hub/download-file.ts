/** One file from the hub to the cache: goes on where an earlier download broke off, and is nothing until its hash holds. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { AtpcError } from '../../runtime/errors.ts';
import { RangeIgnored, type HubClient, type HubFile } from './hub-client.ts';
import { HubUnavailable, notWritten } from './hub-errors.ts';

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** Bytes of the file that are there. */
  readonly onProgress?: (bytes: number) => void;
  /** Pause before the first new attempt; doubles with each. */
  readonly retryMilliseconds?: number;
}

/** New attempts after a connection broke without a byte having come. */
const attempts = 4;

/**
 * Downloads into `${blob}.incomplete` and renames it to `blob` once its size and hash are those of the listing. Throws
 * ATPC-211 to 214, ATPC-312, or the reason of an aborted signal; the part that came stays, except where its hash is wrong.
 */
export async function downloadBlob(
  client: HubClient,
  commit: string,
  file: HubFile,
  blob: string,
  options: DownloadOptions = {},
): Promise<void> {
  const { signal, retryMilliseconds = 1000 } = options;
  const incomplete = `${blob}.incomplete`;
  await mkdir(path.dirname(blob), { recursive: true }).catch((error: unknown) => {
    throw notWritten(blob, file.bytes, error);
  });
  for (let failures = 0, resumable = true; ;) {
    const before = resumable ? await sizeOf(incomplete) : 0;
    const start = before <= file.bytes ? before : 0;
    try {
      const hash = await receive(client, commit, file, incomplete, start, options);
      if (hash === file.hash.hex) break;
      await unlink(incomplete);
      // The part that was there may be of something else: a whole download says whether the hub's file is.
      if (start > 0) continue;
      throw new AtpcError(
        'ATPC-214',
        `${file.path} has the ${file.hash.kind === 'git' ? 'git SHA-1' : 'SHA-256'} ${hash}, and the hub lists ${file.hash.hex}.`,
        { hint: 'What was downloaded is removed. A proxy may have changed it: run it again, or elsewhere.' },
      );
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof RangeIgnored && resumable) {
        resumable = false;
        continue;
      }
      if (!(error instanceof HubUnavailable)) throw error;
      const came = (await sizeOf(incomplete)) - start;
      failures = came > 0 ? 1 : failures + 1;
      if (failures >= attempts) throw stopped(file, start + Math.max(0, came), error);
      await wait(retryMilliseconds * 2 ** (failures - 1), undefined, signal ? { signal } : {}).catch(() =>
        signal?.throwIfAborted(),
      );
    }
  }
  await rename(incomplete, blob);
}

function stopped({ path: name, bytes }: HubFile, came: number, cause: HubUnavailable): AtpcError {
  const said = cause.message.replace(`${cause.code}: `, '');
  return new HubUnavailable(
    `${name} came as far as ${came} of ${bytes} bytes. ${said}`,
    'Run it again: it goes on from there.',
    cause,
  );
}

/** Receives from byte `start` to the end, and gives the hash of the whole file (hex). */
async function receive(
  client: HubClient,
  commit: string,
  file: HubFile,
  incomplete: string,
  start: number,
  { signal, onProgress }: DownloadOptions,
): Promise<string> {
  const hash = createHash(file.hash.kind === 'git' ? 'sha1' : 'sha256');
  if (file.hash.kind === 'git') hash.update(`blob ${file.bytes}\0`);
  if (start > 0) await addFile(hash, incomplete, signal);
  let at = start;
  onProgress?.(at);
  const handle = await open(incomplete, start > 0 ? 'a' : 'w').catch((error: unknown) => {
    throw notWritten(incomplete, file.bytes, error);
  });
  try {
    if (at < file.bytes) {
      for await (const chunk of client.content(commit, file, start)) {
        signal?.throwIfAborted();
        hash.update(chunk);
        for (let written = 0; written < chunk.byteLength;) {
          const { bytesWritten } = await handle.write(chunk, written).catch((error: unknown) => {
            throw notWritten(incomplete, file.bytes - at, error);
          });
          written += bytesWritten;
        }
        at += chunk.byteLength;
        if (at > file.bytes) break;
        onProgress?.(at);
      }
    }
  } finally {
    await handle.close();
  }
  if (at < file.bytes) throw new HubUnavailable(`The connection ended early.`, 'Run it again: it goes on from there.');
  return hash.digest('hex');
}

async function addFile(hash: Hash, file: string, signal: AbortSignal | undefined): Promise<void> {
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Buffer);
  }
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() === true ? found.size : 0;
}
