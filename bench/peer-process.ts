/**
 * A peer in a process of its own, which is stopped (SIGSTOP) whenever it is not asked anything. Thread pools that wait for
 * work in a loop, as ONNX Runtime's do, cannot take time from the one that is measured, and keep the settings that they are
 * fastest with. Needs a system with these signals: any but Windows.
 */
import { fork, type ChildProcess } from 'node:child_process';
import type { Reply, RequestTable } from './answer-requests.ts';

/** What a peer is asked first, with what it says of itself. */
export type Loads<Settings> = { readonly load: { readonly ask: Settings; readonly reply: { readonly version: string } } };

export class PeerProcess<Settings, Requests extends RequestTable & Loads<Settings>> {
  readonly settings: Settings;
  readonly version: string;
  readonly #who: string;
  readonly #child: ChildProcess;

  private constructor(who: string, settings: Settings, child: ChildProcess, version: string) {
    this.#who = who;
    this.settings = settings;
    this.#child = child;
    this.version = version;
  }

  /** `runner`: the file of the process. `who`: for errors. */
  static async start<Settings, Requests extends RequestTable & Loads<Settings>>(
    runner: string,
    who: string,
    settings: Settings,
  ): Promise<PeerProcess<Settings, Requests>> {
    // The parent's loader of TypeScript is among its own flags, which a fork takes over. In a group of its own, so that a peer's
    // browser stops with it.
    const child = fork(runner, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], detached: true });
    running.add(child);
    child.once('exit', () => running.delete(child));
    try {
      const { version } = (await ask(who, child, 'load', settings)) as { readonly version: string };
      return new PeerProcess(who, settings, child, version);
    } catch (error) {
      signalGroup(child, 'SIGKILL');
      throw error;
    }
  }

  ask<K extends keyof Requests & string>(name: K, asked: Requests[K]['ask']): Promise<Requests[K]['reply']> {
    return ask(this.#who, this.#child, name, asked);
  }

  end(): void {
    signalGroup(this.#child, 'SIGKILL');
  }
}

function signalGroup({ pid }: ChildProcess, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// A stopped process does not see that its parent is gone.
const running = new Set<ChildProcess>();
const endAll = (): void => running.forEach((child) => signalGroup(child, 'SIGKILL'));
process.once('exit', endAll);
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

async function ask(who: string, child: ChildProcess, name: string, asked: unknown): Promise<unknown> {
  signalGroup(child, 'SIGCONT');
  const reply = await new Promise<Reply>((resolve, reject) => {
    const left = (): void => reject(new Error(`${who} ended while it was asked to ${name}.`));
    child.once('exit', left);
    child.once('message', (message) => {
      child.off('exit', left);
      resolve(message as Reply);
    });
    child.send({ name, ask: asked });
  });
  signalGroup(child, 'SIGSTOP');
  if ('fault' in reply) throw new Error(`${who}: ${reply.fault}`);
  return reply.reply;
}
