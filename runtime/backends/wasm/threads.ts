import type { LoadOptions } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { ManifestVariant } from '../../format/manifest.ts';
import type { Platform } from '../../platform/platform.ts';
import type { Threads } from '../backend.ts';
import { hasFeature, isNotIsolated, sharesMemory } from './feature-probe.ts';

// Every thread takes scratch memory and a share of the time that others could use; beyond four, a model of the usual sizes
// has dispatches with fewer items than threads.
const automaticThreads = 4;
const maximumThreads = 64;

/** Throws ATPC-607 for anything but 'auto' and whole numbers from 1. */
export function checkThreads(threads: NonNullable<LoadOptions['threads']>): void {
  if (threads === 'auto' || (Number.isInteger(threads) && threads >= 1 && threads <= maximumThreads)) return;
  throw new AtpcError(
    'ATPC-607',
    `The option threads of load is ${JSON.stringify(threads)}; it is 'auto' or a whole number from 1 to ${maximumThreads}.`,
  );
}

const notIsolated =
  'this page is not cross-origin isolated, and so has no shared memory; its server has to send the headers ' +
  'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';

/** How many threads to take, and why: what was asked for, where host and package have what several threads need. */
export function chooseThreads(
  asked: NonNullable<LoadOptions['threads']>,
  platform: Pick<Platform, 'availableParallelism'>,
  variants: readonly ManifestVariant<'wasm'>[],
): Threads {
  if (asked === 1) return { used: 1, why: 'asked for' };
  if (isNotIsolated()) return { used: 1, why: notIsolated };
  if (!sharesMemory()) return { used: 1, why: 'this host has no SharedArrayBuffer' };
  if (!hasFeature('threads')) return { used: 1, why: 'this engine has no threads in WebAssembly' };
  if (!variants.some(({ features }) => features.includes('threads') && features.every(hasFeature))) {
    return { used: 1, why: 'the package has no kernels for several threads' };
  }
  return countThreads(asked, platform);
}

/** What was asked for, or one for each processor, up to four. */
export function countThreads(
  asked: NonNullable<LoadOptions['threads']>,
  platform: Pick<Platform, 'availableParallelism'>,
): Threads {
  if (asked !== 'auto') return { used: asked, why: 'asked for' };
  const processors = platform.availableParallelism();
  const used = Math.min(processors, automaticThreads);
  const available = `${processors} ${processors === 1 ? 'processor is' : 'processors are'} available`;
  return {
    used,
    why: used < processors ? `${available}, and ${automaticThreads} threads are the most that are taken unasked` : available,
  };
}
