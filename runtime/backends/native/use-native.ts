import { AtpcError } from '../../errors.ts';
import { useDevice } from '../device-target.ts';
import type { UseTarget } from '../targets.ts';
import { countThreads } from '../wasm/threads.ts';

/** Whether there is koffi, and what the processor has, is for the worker to find out. */
export const useNative: UseTarget<'native'> = (manifest, target, { platform, threads }) => {
  if (platform.name !== 'node') {
    throw new AtpcError('ATPC-501', 'Machine code is to be had in Node; this is a browser.', {
      hint: 'Load with another backend.',
    });
  }
  if (target.variants.length === 0) {
    throw new AtpcError(
      'ATPC-501',
      `The package '${manifest.name}' has its kernels for native as text alone: where it was compiled, there was no C compiler.`,
      { hint: 'Compile the model again where there is one (atpc doctor says so), or load with another backend.' },
    );
  }
  return { ...useDevice(manifest, target), threads: countThreads(threads, platform) };
};
