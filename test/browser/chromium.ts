/**
 * A Chromium of this machine, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol) through a
 * pipe: file descriptor 3 takes JSON messages that end in a zero byte, 4 gives them. No package is needed for that.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';

const commands = ['chromium', 'chromium-browser', 'google-chrome'];

/** Stands for 127.0.0.1 in the browser, which takes it for a host like any other: pages of it on http have no secure context. */
export const insecureHost = 'insecure.test';

/** The first browser that is there; undefined where there is none. */
export function findChromium(): string | undefined {
  return commands.find((command) => spawnSync(command, ['--version']).status === 0);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export class Page {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  /** Sessions of the page's workers, by the identifiers of the workers. */
  readonly #workers = new Map<string, string>();
  #session = '';
  #next = 1;
  /** Exceptions, errors on the console, and everything that the page asked the network for. */
  readonly faults: string[] = [];
  readonly requested: string[] = [];

  /** The workers that there are now. */
  get workers(): readonly string[] {
    return [...this.#workers.keys()];
  }

  private constructor(process: ChildProcess, profile: string) {
    this.#process = process;
    this.#profile = profile;
    let buffered = '';
    (process.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const parts = (buffered + text).split('\0');
      buffered = parts.pop() ?? '';
      for (const part of parts) this.#receive(JSON.parse(part) as Message);
    });
  }

  static async open(command: string, url: string, { width = 1400, height = 1000, dark = false } = {}): Promise<Page> {
    const profile = await mkdtemp(path.join(tmpdir(), 'atpc-browser-'));
    const flags = ['--headless', '--disable-gpu', '--no-first-run', '--remote-debugging-pipe', `--user-data-dir=${profile}`];
    flags.push(`--host-resolver-rules=MAP ${insecureHost} 127.0.0.1`);
    // Chromium's sandbox does not start for root, as which tests run in containers; the page is our own.
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const child = spawn(command, [...flags, ...asRoot], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    const page = new Page(child, profile);
    try {
      const { targetId } = await page.send('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await page.send('Target.attachToTarget', { targetId, flatten: true });
      page.#session = String(sessionId);
      for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await page.send(`${domain}.enable`);
      await page.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
      await page.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      const scheme = { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' };
      await page.send('Emulation.setEmulatedMedia', { features: [scheme] });
      const loaded = page.#event('Page.loadEventFired');
      await page.send('Page.navigate', { url });
      await loaded;
      return page;
    } catch (error) {
      await page.close();
      throw error;
    }
  }

  send(method: string, params: Record<string, unknown> = {}, sessionId = this.#session): Promise<Record<string, unknown>> {
    const id = this.#next++;
    const session = sessionId === '' ? {} : { sessionId };
    (this.#process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) =>
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result ?? {}),
      );
    });
  }

  /** The value of an expression in the page or in a worker of it; what a promise gives. */
  async evaluate<T>(expression: string, worker?: string): Promise<T> {
    const parameters = { expression, returnByValue: true, awaitPromise: true };
    const session = worker === undefined ? this.#session : this.#workers.get(worker);
    const { result, exceptionDetails } = (await this.send('Runtime.evaluate', parameters, session)) as {
      result: { value: T };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    };
    if (exceptionDetails) {
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    }
    return result.value;
  }

  async press(key: string): Promise<void> {
    for (const type of ['rawKeyDown', 'keyUp']) await this.send('Input.dispatchKeyEvent', { type, key, code: key });
  }

  #receive(message: Message): void {
    if (message.id !== undefined) {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
      return;
    }
    const { method, params = {} } = message;
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') this.faults.push(JSON.stringify(params));
    if (method === 'Network.requestWillBeSent') this.requested.push((params as { request: { url: string } }).request.url);
    if (method === 'Target.attachedToTarget') {
      const { sessionId, targetInfo } = params as { sessionId: string; targetInfo: { targetId: string; type: string } };
      if (targetInfo.type === 'worker') this.#workers.set(targetInfo.targetId, sessionId);
    }
    if (method === 'Target.detachedFromTarget') {
      const ended = [...this.#workers].find(([, session]) => session === params['sessionId']);
      if (ended) this.#workers.delete(ended[0]);
    }
    for (const listener of this.#listeners) listener(message);
  }
  #event(method: string): Promise<void> {
    return new Promise((resolve) => {
      const listener = (message: Message): void => {
        if (message.method !== method) return;
        this.#listeners.delete(listener);
        resolve();
      };
      this.#listeners.add(listener);
    });
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.exitCode === null && this.#process.kill()) await ended;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
