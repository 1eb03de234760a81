/** A static server that answers ranges, and whose files can be cut off, changed, shortened or refused on the way. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { contentType } from './static-server.ts';

export interface Fault {
  /** The connection is cut after so many bytes of an answer. */
  readonly cutAfter?: number;
  /** How many answers are cut; all unless given. */
  cuts?: number;
  /** This byte of the file is changed in so many answers that have it. */
  readonly flip?: { readonly at: number; times: number };
  /** The file ends here, as on a server with half of it. */
  readonly length?: number;
  /** Ranges are ignored, or answered with the one that begins so many bytes later. */
  readonly ranges?: 'ignored' | number;
  /** Answers with this status so many times. */
  readonly status?: { readonly code: number; times: number };
}
export interface ServedRequest {
  readonly path: string;
  readonly range: string | undefined;
}

export class FaultyServer {
  readonly #server: Server;
  readonly #folder: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly requests: ServedRequest[] = [];
  /** By path from the folder. */
  readonly faults: Record<string, Fault> = {};

  private constructor(server: Server, folder: string, headers: Readonly<Record<string, string>>) {
    this.#server = server;
    this.#folder = folder;
    this.#headers = headers;
  }
  static async start(folder: string, headers: Readonly<Record<string, string>> = {}): Promise<FaultyServer> {
    const server = createServer();
    const started = new FaultyServer(server, folder, headers);
    server.on('request', (request, response) => {
      started.#answer(request, response).catch(() => response.writeHead(404).end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname).slice(1);
    const fault = this.faults[name] ?? {};
    const range = request.headers.range;
    this.requests.push({ path: name, range });
    const whole = await readFile(path.join(this.#folder, name));
    const { status, length = whole.length, cutAfter, flip } = fault;
    if (status !== undefined && status.times > 0) {
      status.times -= 1;
      return void response.writeHead(status.code).end();
    }
    const [, from] = (fault.ranges !== 'ignored' && /^bytes=(\d+)-$/.exec(range ?? '')) || [];
    const begin = from === undefined ? 0 : Number(from) + (typeof fault.ranges === 'number' ? fault.ranges : 0);
    const headers = { 'Content-Type': contentType(name), 'Cache-Control': 'no-store', ...this.#headers };
    if (begin > 0 && begin >= length) return void response.writeHead(416, headers).end();
    const part = Buffer.from(whole.subarray(begin, length));
    if (flip !== undefined && flip.times > 0 && flip.at >= begin && flip.at < length) {
      flip.times -= 1;
      part[flip.at - begin] = (part[flip.at - begin] ?? 0) ^ 1;
    }
    const ranged = from === undefined ? {} : { 'Content-Range': `bytes ${begin}-${length - 1}/${length}` };
    response.writeHead(from === undefined ? 200 : 206, { ...headers, ...ranged, 'Content-Length': part.length });
    if (cutAfter !== undefined && part.length > cutAfter && (fault.cuts ?? 1) > 0) {
      if (fault.cuts !== undefined) fault.cuts -= 1;
      // What was written is to reach the other side, and be read there, before the connection ends.
      return void response.write(part.subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 200));
    }
    response.end(part);
  }

  /** What was asked of a file: the ranges, `undefined` for the whole. */
  asked(file: string): (string | undefined)[] {
    return this.requests.filter((request) => request.path === file).map(({ range }) => range);
  }
  /** Forgets faults and requests. */
  reset(): void {
    this.requests.length = 0;
    for (const file of Object.keys(this.faults)) delete this.faults[file];
  }
  url(file: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${file}`;
  }
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}
