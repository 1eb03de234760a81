import { AtpcError } from '../runtime/errors.ts';
import { BenchError } from './model-files.ts';

/** Runs a command of this folder: exit code 2 and its usage for a wrong call, 1 and a sentence for what the caller can mend. */
export async function runCommand(main: (args: readonly string[]) => Promise<void>, usage: string): Promise<void> {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    // On a terminal, progress is a line that is written over.
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    const misuse = error instanceof AtpcError || (error instanceof TypeError && 'code' in error);
    if (!misuse && !(error instanceof BenchError)) throw error;
    process.stderr.write(`bench: ${error.message}\n${misuse ? usage : ''}`);
    process.exitCode = misuse ? 2 : 1;
  }
}
