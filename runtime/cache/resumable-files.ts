import type { FileSource, Locate } from '../platform/platform.ts';
import { readable } from '../platform/readable.ts';

export interface ResumableFiles extends FileSource {
  read(path: string, begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads past the browser's HTTP cache. */
  reload(path: string, begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

interface Download {
  readonly path: string;
  readonly reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** What has come and was not asked for yet. */
  rest: Uint8Array;
  /** Of `rest` in the file. */
  position: number;
}

/** Milliseconds before each further try. An answer that brought something begins the count anew. */
const defaultWaits: readonly number[] = [250, 1000, 4000];
/** Answers of a server that may give another one later (RFC 9110, 15.5.9 and 15.6; RFC 6585, 4). */
const passing = (status: number): boolean => status >= 500 || status === 408 || status === 429;

class Refusal extends Error {}

/**
 * Files of a server over connections that break: a download goes on with a range (RFC 9110, 14) from the byte that was reached.
 * A server without ranges sends the file from its beginning again. The parts of one read may come from two versions of a file:
 * who reads compares hashes.
 */
export function resumableFiles(locate: Locate, waits = defaultWaits): ResumableFiles {
  const closed = new AbortController();
  let current: Download | undefined;
  let ranges = true;

  const drop = (): void => {
    // One that broke rejects, and it is not asked any more.
    current?.reader?.cancel().catch(() => undefined);
    current = undefined;
  };
  const open = async (path: string, begin: number, cache: 'default' | 'reload'): Promise<Download> => {
    drop();
    const ranged = ranges && begin > 0;
    const headers: Record<string, string> = ranged ? { Range: `bytes=${begin}-` } : {};
    const response = await fetch(locate(path), { signal: closed.signal, headers, cache });
    const { status, body } = response;
    // The file ends before.
    if (status === 416) return { path, reader: undefined, rest: new Uint8Array(), position: begin };
    if (!response.ok) {
      const sentence = `the server answers ${status} for ${response.url}`;
      throw passing(status) ? new Error(sentence) : new Refusal(sentence);
    }
    if (body === null) throw new Refusal('the answer is empty');
    if (status === 206 && !startsAt(response, begin)) {
      ranges = false;
      throw new Error('the server answers with another range than it was asked for');
    }
    if (ranged && status !== 206) ranges = false;
    const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    return { path, reader, rest: new Uint8Array(), position: status === 206 ? begin : 0 };
  };

  const read = async (
    path: string,
    begin: number,
    end: number,
    cache: 'default' | 'reload',
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = new Uint8Array(end - begin);
    if (cache === 'reload') drop();
    let filled = 0;
    for (let failures = 0; ;) {
      const before = filled;
      try {
        const at = begin + filled;
        // Without ranges what lies between is read too; else it is not, since it is in the store.
        const goesOn = current?.path === path && (ranges ? current.position === at : current.position <= at);
        const download = goesOn && current ? current : (current = await open(path, at, cache));
        while (filled < bytes.length && (await more(download))) {
          const skipped = Math.min(begin + filled - download.position, download.rest.length);
          const part = download.rest.subarray(skipped, skipped + bytes.length - filled);
          bytes.set(part, filled);
          filled += part.length;
          download.rest = download.rest.subarray(skipped + part.length);
          download.position += skipped + part.length;
        }
        return bytes.subarray(0, filled);
      } catch (error) {
        drop();
        failures = filled > before ? 1 : failures + 1;
        const wait = waits[failures - 1];
        if (closed.signal.aborted || error instanceof Refusal || wait === undefined) throw error;
        await pause(wait, closed.signal);
      }
    }
  };
  return {
    local: false,
    size: () => Promise.resolve(undefined),
    read: (path, begin, end) => readable(path, () => read(path, begin, end, 'default')),
    reload: (path, begin, end) => readable(path, () => read(path, begin, end, 'reload')),
    close: () => Promise.resolve(closed.abort()),
  };
}

/** Whether there is something in `rest`, now or after the next piece of the answer; false at the end of the file. */
async function more(download: Download): Promise<boolean> {
  while (download.rest.length === 0) {
    const { value } = (await download.reader?.read()) ?? {};
    if (value === undefined) return false;
    download.rest = value;
  }
  return true;
}

/** From another origin the header cannot be seen, and the hash tells. */
function startsAt(response: Response, begin: number): boolean {
  const range = response.headers.get('Content-Range');
  return range === null || range.startsWith(`bytes ${begin}-`);
}

/** Rejects with the signal's reason. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      const reason: unknown = signal.reason;
      reject(reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', abort, { once: true });
  });
}
