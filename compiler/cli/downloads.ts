/** Commands that compile nothing, and may still have to fetch a model from the hub. */
import type { OpenModelOptions } from '../source-model.ts';
import { createProgress } from './progress.ts';
import { formatBytes, type Terminal } from './terminal.ts';

/** Runs the body with what `openModel` needs to be aborted, and to show a download that takes more than a moment. */
export async function withDownloads<T>(
  terminal: Terminal,
  body: (options: Required<Pick<OpenModelOptions, 'signal' | 'onDownload'>>) => Promise<T>,
): Promise<T> {
  const progress = await createProgress(terminal.json ? { ...terminal, quiet: true } : terminal, ['download'], { quietFor: 500 });
  try {
    const result = await body({
      signal: terminal.signal,
      onDownload: ({ file, bytes, totalBytes }) =>
        progress.at('download', bytes / totalBytes, `${file}, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`),
    });
    await progress.end('done');
    return result;
  } catch (error) {
    await progress.end('failed');
    throw error;
  }
}
