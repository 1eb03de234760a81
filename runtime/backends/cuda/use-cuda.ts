import { AtpcError } from '../../errors.ts';
import { useDevice } from '../device-target.ts';
import type { UseTarget } from '../targets.ts';

/** Whether there is a driver, and which builds it takes, is for the worker to find out. */
export const useCuda: UseTarget<'cuda'> = (manifest, target, { platform }) => {
  if (platform.name === 'node') return useDevice(manifest, target);
  throw new AtpcError('ATPC-501', 'CUDA is to be had in Node; this is a browser.', { hint: 'Load with another backend.' });
};
