import { DeviceLost } from '../executor.ts';
import type { Address, CudaDriver } from './driver.ts';
import { CudaFailure, meaningOf } from './failure.ts';

/** A model's hold on the primary context of a device, which all models of a process share. */
export interface ContextLease {
  /** Makes the calls of this thread go to it. */
  use(): void;
  release(): void;
}

/**
 * Retains the context of a device. One that an earlier failure has broken is destroyed first, for whoever else holds it too: they are
 * told by their next call, and retain the new one. Throws DeviceLost where the device gives none that works.
 */
export function leaseContext(driver: CudaDriver, device: number): ContextLease {
  const context = workingContext(driver, device) ?? freshContext(driver, device);
  let released = false;
  return {
    use: () => driver.useContext(context),
    release: () => {
      if (released) return;
      released = true;
      ignoringFailures(() => driver.releaseContext(device));
    },
  };
}
function workingContext(driver: CudaDriver, device: number): Address | null {
  let context: Address;
  try {
    context = driver.retainContext(device);
  } catch (error) {
    if (error instanceof CudaFailure && error.losesContext) return null;
    throw meaningOf(error);
  }
  try {
    driver.useContext(context);
    driver.synchronise();
    return context;
  } catch (error) {
    ignoringFailures(() => driver.releaseContext(device));
    if (error instanceof CudaFailure && error.losesContext) return null;
    throw meaningOf(error);
  }
}
function freshContext(driver: CudaDriver, device: number): Address {
  ignoringFailures(() => driver.resetContext(device));
  const context = workingContext(driver, device);
  if (context !== null) return context;
  throw new DeviceLost('The CUDA context was lost, and the device gives no other one that works.');
}

/** For what is given back where the context may be gone, and all that was in it. */
export function ignoringFailures(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof CudaFailure)) throw error;
  }
}
