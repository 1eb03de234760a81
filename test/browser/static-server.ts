/** A plain static server: files of a folder, and headers that a test wants on all of them. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};
export const contentType = (file: string): string => types[path.extname(file)] ?? 'application/octet-stream';

export const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export class StaticServer {
  readonly #server: Server;
  /** Paths that were asked for. */
  readonly requested: string[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Serves until `close`; `stall` names paths that get no answer. */
  static async start(
    folder: string,
    headers: Readonly<Record<string, string>>,
    stall: (file: string) => boolean = () => false,
  ): Promise<StaticServer> {
    const server = createServer();
    const started = new StaticServer(server);
    server.on('request', (request, response) => {
      const name = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
      started.requested.push(name);
      const file = path.join(folder, name);
      if (stall(name)) return;
      stat(file).then(
        ({ size }) => {
          const type = contentType(file);
          response.writeHead(200, { 'Content-Type': type, 'Content-Length': size, 'Cache-Control': 'no-store', ...headers });
          createReadStream(file).pipe(response);
        },
        () => response.writeHead(404, headers).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return started;
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
