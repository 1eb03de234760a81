/** The command line: reads the arguments, runs a command, and turns every error into a sentence and an exit code. */
import { createProgram, exitCodeOfHelp, toUsageError } from './program.ts';
import { interruptedExitCode, reportError } from './report-error.ts';
import { createTerminal } from './terminal.ts';

/** Runs the command line; sets the exit code of the process, never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  const json = argv.includes('--json');
  const interrupt = new AbortController();
  let handler: (() => boolean) | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' && handler?.() === true) return;
    // A second Ctrl-C does not wait for the command to clean up.
    if (interrupt.signal.aborted) process.exit(interruptedExitCode);
    interrupt.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const fail = (error: unknown): void => {
    process.exitCode = reportError(error, { json, interrupted: interrupt.signal.aborted });
  };
  const crash = (error: unknown): void => {
    fail(error);
    process.exit();
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  // The reader of a pipe, such as `head`, may leave before the end.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });

  const terminal = createTerminal({
    json,
    quiet: argv.includes('--quiet'),
    signal: interrupt.signal,
    onInterrupt: (given) => (handler = given),
  });
  try {
    await createProgram(terminal).parseAsync(argv, { from: 'user' });
  } catch (error) {
    const helpExitCode = exitCodeOfHelp(error);
    if (helpExitCode !== undefined) process.exitCode = helpExitCode;
    else fail(toUsageError(error));
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
