import { AtpcError } from '../../errors.ts';
import { useDevice } from '../device-target.ts';
import type { UseTarget } from '../targets.ts';

/** Whether there is a driver, and which builds it takes, is for the worker to find out. */
export const useCuda: UseTarget<'cuda'> = (manifest, target, { platform }) => {
  if (platform.name !== 'node')
    throw new AtpcError('ATPC-501', 'CUDA is to be had in Node; this is a browser.', { hint: 'Load with another backend.' });
  if (target.variants.length === 0) {
    throw new AtpcError(
      'ATPC-501',
      `The package '${manifest.name}' has its kernels for CUDA as text alone: where it was compiled, there was no CUDA compiler.`,
      { hint: 'Compile the model again where NVRTC is installed (atpc doctor says so), or load with another backend.' },
    );
  }
  return useDevice(manifest, target);
};
