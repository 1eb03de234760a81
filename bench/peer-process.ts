/**
 * A peer in a process of its own, which is stopped (SIGSTOP) whenever it is not asked anything. Thread pools that wait for
 * work in a loop, as ONNX Runtime's do, cannot take time from the one that is measured, and keep the settings that they are
 * fastest with. Needs a system with these signals: any but Windows.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Reply, Requests, RunnerSettings } from './peer-runner.ts';
import { peers } from './peers.ts';

export class PeerProcess {
  readonly settings: RunnerSettings;
  readonly version: string;
  readonly #child: ChildProcess;

  private constructor(settings: RunnerSettings, child: ChildProcess, version: string) {
    this.settings = settings;
    this.#child = child;
    this.version = version;
  }

  static async start(settings: RunnerSettings): Promise<PeerProcess> {
    // The parent's loader of TypeScript is among its own flags, which a fork takes over.
    const child = fork(fileURLToPath(new URL('./peer-runner.ts', import.meta.url)), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    try {
      const { version } = await ask(settings, child, 'load', settings);
      return new PeerProcess(settings, child, version);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  ask<K extends keyof Requests>(name: K, asked: Requests[K]['ask']): Promise<Requests[K]['reply']> {
    return ask(this.settings, this.#child, name, asked);
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

// A stopped process does not see that its parent is gone.
const running = new Set<ChildProcess>();
const endAll = (): void => running.forEach((child) => void child.kill('SIGKILL'));
process.once('exit', endAll);
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

async function ask<K extends keyof Requests>(
  { peer, threads }: RunnerSettings,
  child: ChildProcess,
  name: K,
  asked: Requests[K]['ask'],
): Promise<Requests[K]['reply']> {
  const who = `${peers[peer].label} with ${threads} threads`;
  child.kill('SIGCONT');
  const reply = await new Promise<Reply>((resolve, reject) => {
    const left = (): void => reject(new Error(`${who} ended while it was asked to ${name}.`));
    child.once('exit', left);
    child.once('message', (message) => {
      child.off('exit', left);
      resolve(message as Reply);
    });
    child.send({ name, ask: asked });
  });
  child.kill('SIGSTOP');
  if ('fault' in reply) throw new Error(`${who}: ${reply.fault}`);
  return reply.reply as Requests[K]['reply'];
}
