import { DeviceLost } from '../executor.ts';
import type { Address, CudaDriver } from './driver.ts';
import { CudaFailure, meaningOf } from './failure.ts';

/** A model's hold on a context of a device. */
export interface ContextLease {
  /** Makes the calls of this thread go to it. */
  use(): void;
  release(): void;
}

/**
 * Retains the primary context of a device, which all models of a process share; one that a failure has broken goes when the last of them
 * has let go of it, which each does in its next call. Until then the device gives a context of the model's own: the broken one is not
 * reset, since memory of the host that others still write to would go with it. Throws DeviceLost where the device gives none that works.
 */
export function leaseContext(driver: CudaDriver, device: number): ContextLease {
  try {
    return (
      workingLease(driver, driver.retainContext(device), () => driver.releaseContext(device)) ??
      ownLease(driver, driver.createContext(device))
    );
  } catch (error) {
    throw meaningOf(error);
  }
}
function ownLease(driver: CudaDriver, context: Address): ContextLease {
  const lease = workingLease(driver, context, () => driver.destroyContext(context));
  if (lease) return lease;
  throw new DeviceLost('The CUDA context was lost, and the device gives no other one that works.');
}
/** Null for a context that is broken. */
function workingLease(driver: CudaDriver, context: Address, giveBack: () => void): ContextLease | null {
  try {
    driver.useContext(context);
    driver.synchronise();
  } catch (error) {
    ignoringFailures(giveBack);
    if (error instanceof CudaFailure && error.losesContext) return null;
    throw error;
  }
  let released = false;
  return {
    use: () => driver.useContext(context),
    release: () => {
      if (released) return;
      released = true;
      ignoringFailures(giveBack);
    },
  };
}

/** For what is given back where the context may be gone, and all that was in it. */
export function ignoringFailures(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof CudaFailure)) throw error;
  }
}
