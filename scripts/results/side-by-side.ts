/** Jobs in processes of their own, several at a time. */
import { spawn } from 'node:child_process';

/** Results in the order of the jobs, which are started in that order. The first that throws ends the others, by the signal. */
export async function sideBySide<J, T>(
  jobs: readonly J[],
  atOnce: number,
  run: (job: J, signal: AbortSignal) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  const waiting = [...jobs.entries()];
  const failure = new AbortController();
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, job] = next;
      results[index] = await run(job, failure.signal);
    }
  };
  const guarded = (): Promise<void> =>
    lane().catch((error: unknown) => {
      waiting.length = 0;
      failure.abort(error);
    });
  await Promise.all(Array.from({ length: Math.min(atOnce, jobs.length) }, guarded));
  failure.signal.throwIfAborted();
  return results;
}

export interface Call {
  readonly script: string;
  readonly args: readonly string[];
  /** Exit codes that are no fault. */
  readonly expected: readonly number[];
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal;
}
/**
 * Runs a script as this one runs. Lines on its stderr are told of; its stdout is left out. Throws with its last lines where it ends in
 * another way than is expected, and the signal's reason.
 */
export function runScript({ script, args, expected, onLine, signal }: Call): Promise<void> {
  signal?.throwIfAborted();
  const child = spawn(process.execPath, [...process.execArgv, script, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  // tsx listens to SIGTERM, which then waits for a measurement that lets nothing else run.
  const stop = (): boolean => child.kill('SIGKILL');
  signal?.addEventListener('abort', stop);
  process.once('exit', stop);
  const last: string[] = [];
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    last.push(...lines);
    last.splice(0, last.length - 20);
    lines.forEach(onLine);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      signal?.removeEventListener('abort', stop);
      process.off('exit', stop);
      if (code !== null && expected.includes(code)) resolve();
      else reject(new Error(`${[script, ...args].join(' ')} ended with ${code ?? 'a signal'}:\n${[...last, rest].join('\n')}`));
    });
  });
}
