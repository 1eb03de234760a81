import type { Platform, Port, WorkerCode, WorkerHandle } from '../platform.ts';
import { nodeFiles } from './files.ts';

/**
 * Node's modules by `process.getBuiltinModule` (Node 20.16) and not by `import`: the bundle then has no import that a
 * browser or a bundler would have to resolve.
 */
function isNode(): boolean {
  return typeof process === 'object' && typeof process.getBuiltinModule === 'function';
}

export function nodePlatform(): Platform | undefined {
  if (!isNode()) return undefined;
  return {
    name: 'node',
    sha256: (bytes) => Promise.resolve(process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('hex')),
    files: nodeFiles,
    availableParallelism: () => process.getBuiltinModule('node:os').availableParallelism(),
    startWorker: startNodeWorker,
  };
}

const exitsKey: unique symbol = Symbol.for('atpc.exits');
/** What workers want to be done when the process ends: of all bundles of this runtime, since Node warns of more than ten listeners. */
function exitListeners(): Map<object, () => void> {
  const registry = globalThis as { [exitsKey]?: Map<object, () => void> };
  let listeners = registry[exitsKey];
  if (listeners === undefined) {
    const made = (registry[exitsKey] = listeners = new Map<object, () => void>());
    process.on('exit', () => {
      for (const exits of made.values()) exits();
    });
  }
  return listeners;
}

function startNodeWorker({ url, text }: WorkerCode): WorkerHandle {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const code = url ?? new URL(`data:text/javascript;charset=utf-8,${encodeURIComponent(text)}`);
  // No execArgv: flags of the host process, such as --import of a loader, are none of the worker's business.
  const worker = new Worker(code, { execArgv: [], name: 'atpc' });
  let ended = false;
  let died: (reason: string) => void = () => {};
  const end = (reason: string): void => {
    exitListeners().delete(worker);
    if (ended) return;
    ended = true;
    died(reason);
  };
  worker.on('error', (error) => end(error instanceof Error ? error.message : String(error)));
  worker.on('messageerror', (error) => end(error.message));
  worker.on('exit', (status) => end(`it exited with status ${status}`));
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (receive) => void worker.on('message', receive),
    onDeath: (listener) => {
      died = listener;
    },
    onExit: (listener) => {
      exitListeners().set(worker, listener);
    },
    keepAlive: (busy) => {
      if (busy) worker.ref();
      else worker.unref();
    },
    terminate: async () => {
      ended = true;
      await worker.terminate();
      exitListeners().delete(worker);
    },
  };
}

/** The worker's end of the channel; undefined on a main thread. */
export function nodeParentPort(): Port | undefined {
  if (!isNode()) return undefined;
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  if (parentPort === null) return undefined;
  return {
    post: (message, transfer = []) => parentPort.postMessage(message, [...transfer]),
    onMessage: (receive) => void parentPort.on('message', receive),
  };
}
