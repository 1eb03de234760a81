import { execFile } from 'node:child_process';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds after which it is ended; default 10,000. */
  readonly timeout?: number;
}
/** What a command prints; null for one that is not there or fails. */
export function commandOutput(
  command: string,
  parameters: readonly string[],
  { env = process.env, timeout = 10_000, ...options }: CommandOptions = {},
): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(command, [...parameters], { ...options, env: { ...env }, timeout, windowsHide: true }, (error, stdout) =>
      resolve(error ? null : stdout),
    );
  });
}
