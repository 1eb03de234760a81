import type { LoadOptions, LoadPhase, Model } from '../../runtime/api.ts';
import { createProgress } from './progress.ts';
import type { RunFlags } from './run-flags.ts';
import type { Terminal } from './terminal.ts';

// Kernels are compiled while weights are read: one line for both.
const loadPhases = ['files', 'weights', 'self-test'] as const satisfies readonly Exclude<LoadPhase, 'kernels'>[];

/** Loads the package in a folder; what takes more than a second shows how far it is. */
export async function loadModel(terminal: Terminal, folder: string, options: LoadOptions): Promise<Model> {
  const { loadPackage } = await import('../package/load-package.ts');
  const { load } = await loadPackage(folder);
  const progress = await createProgress(terminal.json ? { ...terminal, quiet: true } : terminal, loadPhases, { quietFor: 1000 });
  try {
    const model = await load({
      ...options,
      signal: terminal.signal,
      onProgress: ({ phase, loadedBytes, totalBytes, kernels }) => {
        const fraction = totalBytes === 0 ? undefined : loadedBytes / totalBytes;
        if (phase === 'kernels') progress.at('weights', fraction, kernels && `kernel ${kernels.done} of ${kernels.total}`);
        else progress.at(phase, fraction);
      },
    });
    await progress.end('done');
    return model;
  } catch (error) {
    await progress.end('failed');
    throw error;
  }
}

/** The options of `load` that the command line names. */
export function executionOptions({ backend, threads }: Pick<RunFlags, 'backend' | 'threads'>): LoadOptions {
  return { ...(backend === undefined ? {} : { backend }), ...(threads === undefined ? {} : { threads }) };
}
