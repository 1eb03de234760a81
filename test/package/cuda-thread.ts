/** CUDA in this thread, so that a test can count what its driver is asked for. */
import { CudaDriver } from '../../runtime/backends/cuda/driver.ts';
import { useCuda } from '../../runtime/backends/cuda/use-cuda.ts';
import { cudaKind } from '../../runtime/backends/cuda/worker-executor.ts';
import type { LoadedModel } from '../../runtime/model.ts';
import { loadInThread, type HereOptions } from './load-here.ts';

const watched = ['launch', 'beginCapture', 'launchGraph', 'allocate', 'allocateHost', 'copyToDevice'] as const;
type Watched = (typeof watched)[number];
type Method = (...values: never[]) => unknown;

/** Counts calls of the driver while it lives. */
export class WatchedDriver {
  readonly #counts = new Map<Watched, number>();
  readonly #originals = new Map<Watched, Method>();

  constructor() {
    const prototype = CudaDriver.prototype as unknown as Record<Watched, Method>;
    for (const name of watched) {
      const original = prototype[name];
      this.#originals.set(name, original);
      const count = (): void => void this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
      prototype[name] = function (this: CudaDriver, ...values) {
        count();
        return original.apply(this, values);
      };
    }
  }
  /** Calls since the last time that it was asked. */
  take(): Readonly<Record<Watched, number>> {
    const counts = Object.fromEntries(watched.map((name) => [name, this.#counts.get(name) ?? 0])) as Record<Watched, number>;
    this.#counts.clear();
    return counts;
  }
  [Symbol.dispose](): void {
    Object.assign(CudaDriver.prototype, Object.fromEntries(this.#originals));
  }
}

/** Loads the package in a folder on CUDA, in this thread. */
export function loadHere(folder: string, options?: HereOptions): Promise<LoadedModel> {
  return loadInThread({ name: 'cuda', uses: { cuda: useCuda }, kinds: { cuda: cudaKind } }, folder, options);
}
