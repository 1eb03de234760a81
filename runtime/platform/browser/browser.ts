import { AtpcError } from '../../errors.ts';
import type { Platform, Port, WorkerCode, WorkerHandle } from '../platform.ts';
import { fetchedFiles } from './files.ts';
import { sha256 } from './sha256.ts';

export function browserPlatform(): Platform | undefined {
  if (typeof self !== 'object' || typeof fetch !== 'function') return undefined;
  return {
    name: 'browser',
    sha256: async (bytes) => {
      // There in secure contexts only: https and localhost.
      const { subtle } = crypto as { readonly subtle?: typeof crypto.subtle };
      return subtle ? hexadecimal(new Uint8Array(await subtle.digest('SHA-256', bytes))) : sha256(bytes);
    },
    files: fetchedFiles,
    availableParallelism: () => navigator.hardwareConcurrency ?? 1,
    startWorker: startBrowserWorker,
  };
}

const hexadecimal = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * What a worker first sends to its owner where there are locks: the name of one that it holds as long as it lives. Browsers
 * tell of errors in a worker, and not of its end.
 */
interface HeldLock {
  readonly lock: string;
}
const isHeldLock = (data: unknown): data is HeldLock => typeof data === 'object' && data !== null && 'lock' in data;

function startBrowserWorker({ beside, url }: WorkerCode): WorkerHandle {
  const worker = construct(() => (beside || !url ? beside?.() : new Worker(url, { type: 'module' })));
  let ended = false;
  let died: (reason: string) => void = () => {};
  let receive: (message: unknown) => void = () => {};
  const end = (reason: string): void => {
    if (ended) return;
    ended = true;
    died(reason);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end(
      event.message?.replace(/^Uncaught (?:\w*Error: )?/, '') ??
        'worker.js cannot be loaded; it is not there, or a policy of the page (Content-Security-Policy, Cross-Origin-Embedder-Policy) forbids it',
    );
  };
  worker.onmessageerror = () => end('a message could not be read');
  worker.onmessage = ({ data }) => {
    if (isHeldLock(data)) void navigator.locks?.request(data.lock, () => end('it ended by itself'));
    else receive(data);
  };
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (listener) => {
      receive = listener;
    },
    onDeath: (listener) => {
      died = listener;
    },
    onExit: () => {},
    keepAlive: () => {},
    terminate: () => {
      ended = true;
      return Promise.resolve(worker.terminate());
    },
  };
}

function construct(start: () => Worker | undefined): Worker {
  try {
    const worker = start();
    if (worker) return worker;
    throw new Error('it has no address');
  } catch (cause) {
    throw new AtpcError('ATPC-501', `worker.js of the package cannot be started: ${String(cause)}.`, {
      hint: 'Browsers start workers from the origin of the page only: serve the package from there.',
      cause,
    });
  }
}

/** The worker's end of the channel; undefined outside of one. */
export function browserParentPort(): Port | undefined {
  if (typeof DedicatedWorkerGlobalScope !== 'function') return undefined;
  const held = holdLock();
  return {
    post: (message, transfer) => self.postMessage(message, transfer),
    onMessage: (receive) => {
      // After the lock: a lane that has begun to serve takes no message, and could not tell its name any more.
      self.onmessage = ({ data }) => void held.then(() => receive(data));
    },
  };
}

/** Settles when the owner has been told of the lock. */
function holdLock(): Promise<void> {
  return new Promise((told) => {
    if (!navigator.locks) return told();
    const lock = crypto.randomUUID();
    void navigator.locks.request(lock, () => {
      self.postMessage({ lock } satisfies HeldLock);
      told();
      return new Promise(() => {});
    });
  });
}
