import { AtpcError } from '../../errors.ts';
import type { CudaDriver, HostMemory } from './driver.ts';
import { cudaCode, CudaFailure } from './failure.ts';

/** Page-locked memory. Throws ATPC-502 where the host gives none. */
export function allocateHost(driver: CudaDriver, bytes: number): HostMemory {
  try {
    return driver.allocateHost(bytes);
  } catch (error) {
    if (!(error instanceof CudaFailure) || error.code !== cudaCode.outOfMemory) throw error;
    throw new AtpcError('ATPC-502', `The host gives no ${bytes} bytes of page-locked memory: ${error.message}.`, {
      hint: 'Raise the limit of locked memory (ulimit -l), or use shorter inputs or a smaller batch.',
      cause: error,
    });
  }
}
