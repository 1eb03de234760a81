import type { FileSource, Locate } from '../platform.ts';
import { readable } from '../readable.ts';

interface Download {
  readonly path: string;
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  /** What has come and was not asked for yet. */
  rest: Uint8Array;
  position: number;
}

/**
 * Files of a server that need not know ranges (RFC 9110, 14 leaves them to it): those of a file are cut from one download,
 * as they are asked for one after the other.
 */
export function fetchedFiles(locate: Locate): FileSource {
  const closed = new AbortController();
  let current: Download | undefined;
  const get = async (path: string): Promise<Response> => {
    const url = locate(path);
    if (url.protocol === 'data:') return new Response(dataOf(url));
    const response = await fetch(url, { signal: closed.signal });
    if (response.ok) return response;
    throw new Error(`the server answers ${response.status} for ${response.url}`);
  };
  const downloadOf = async (path: string, begin: number): Promise<Download> => {
    if (current?.path === path && current.position <= begin) return current;
    await current?.reader.cancel();
    const { body } = await get(path);
    if (body === null) throw new Error('the answer is empty');
    return (current = { path, reader: body.getReader(), rest: new Uint8Array(), position: 0 });
  };
  return {
    local: false,
    // Content-Length is that of the compressed bytes where a server compresses.
    size: () => Promise.resolve(undefined),
    read: (path, begin, end) =>
      readable(path, async () => {
        if (end === undefined) return new Uint8Array(await (await get(path)).arrayBuffer()).subarray(begin);
        const download = await downloadOf(path, begin);
        await take(download, begin - download.position);
        return take(download, end - begin);
      }),
    close: () => Promise.resolve(closed.abort()),
  };
}

/** Bundlers put small files into the code as data: URLs (RFC 2397), which a policy of the page may keep from fetch. */
function dataOf({ href }: URL): Uint8Array<ArrayBuffer> | string {
  const comma = href.indexOf(',');
  const text = decodeURIComponent(href.slice(comma + 1));
  return href.slice(0, comma).endsWith(';base64') ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : text;
}

/** The next `count` bytes, or what is left of them. */
async function take(download: Download, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  let filled = 0;
  while (filled < count) {
    if (download.rest.length === 0) {
      const { value } = await download.reader.read();
      if (value === undefined) break;
      download.rest = value;
    }
    const part = download.rest.subarray(0, count - filled);
    bytes.set(part, filled);
    filled += part.length;
    download.rest = download.rest.subarray(part.length);
  }
  download.position += filled;
  return bytes.subarray(0, filled);
}
