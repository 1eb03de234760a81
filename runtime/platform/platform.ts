import { AtpcError } from '../errors.ts';
import { browserPlatform } from './browser/browser.ts';
import { nodePlatform } from './node/node.ts';

/** Everything that differs from one JavaScript host to the next. */
export interface Platform {
  readonly name: 'node' | 'browser';
  /** Lower-case hexadecimal SHA-256. */
  sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
  /** The files at the URLs that `locate` gives; throws ATPC-401 for a URL that this host cannot read. */
  files(locate: Locate): FileSource;
  /** Processors that this process may use. */
  availableParallelism(): number;
  /** Throws ATPC-501 where there can be no worker. */
  startWorker(code: WorkerCode): WorkerHandle;
}

/** Where the file of a path lies. */
export type Locate = (path: string) => URL;

/** Reads ranges of files. Paths are relative, with `/`. Both functions reject with ATPC-401 for a file that is not there. */
export interface FileSource {
  /** Whether every file is at hand at no cost, so that all of them are verified and not just those in use. */
  readonly local: boolean;
  /** Whether the ranges that come have been compared with the hashes of the manifest. */
  readonly verified?: boolean;
  /** Undefined where it cannot be known without reading the file. */
  size(path: string): Promise<number | undefined>;
  /** To the end of the file without an `end`; what comes is shorter than asked for where the file is. */
  read(path: string, begin: number, end?: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads that have not come to an end reject. */
  close(): Promise<void>;
}

/** The module that a worker runs. */
export interface WorkerCode {
  /** Where it lies; undefined where the caller handed over the files of the package. */
  readonly url: URL | undefined;
  /** Its verified text, on hosts that run a text. */
  readonly text: string;
  /** In browsers, starts the one beside index.js, wherever a bundler put it; undefined where `baseUrl` names another place. */
  readonly beside: (() => Worker) | undefined;
}

/** One end of a channel of structured-clone messages. */
export interface Port {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(receive: (message: unknown) => void): void;
}
export interface WorkerHandle extends Port {
  /** Called once with a sentence when the worker ends without having been asked to. */
  onDeath(died: (reason: string) => void): void;
  /** Called when the process ends while the worker lives, where hosts have processes that end. It may block. */
  onExit(exits: () => void): void;
  /** Whether the worker keeps the process alive. */
  keepAlive(busy: boolean): void;
  terminate(): Promise<void>;
}

export function currentPlatform(): Platform {
  const platform = nodePlatform() ?? browserPlatform();
  if (platform === undefined) {
    throw new AtpcError('ATPC-501', 'This package runs in Node.js 20.19 or newer and in browsers; this host is something else.');
  }
  return platform;
}
