import type { Address, CudaDriver } from './driver.ts';

// A decoded token takes a few milliseconds: until then the loop turns as fast as it can.
const eagerMilliseconds = 4;
const longestPause = 10;

/**
 * Resolves when the work before an event is done, and lets the loop of the thread turn meanwhile; rejects with what went wrong in the
 * work. It is late by at most an eighth of the time.
 */
export async function eventDone(driver: CudaDriver, event: Address): Promise<void> {
  const began = performance.now();
  while (!driver.isDone(event)) {
    const waited = performance.now() - began;
    if (waited < eagerMilliseconds) await new Promise((resolve) => setImmediate(resolve));
    else await new Promise((resolve) => setTimeout(resolve, Math.min(longestPause, waited / 8)));
  }
}
