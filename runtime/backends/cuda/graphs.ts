import { ignoringFailures } from './context.ts';
import type { Address, CudaDriver } from './driver.ts';

/** Graphs that are kept: those of the sessions that were used last, and of two or three lengths each. */
const capacity = 16;

/**
 * Work of a stream that comes again and again, as CUDA graphs: one launch by the driver instead of hundreds. What comes for the second
 * time is captured, from then on the graph is launched. Only addresses and grids are noted in it: the memory that it reads may change.
 */
export class GraphCache {
  readonly #driver: CudaDriver;
  readonly #stream: Address;
  /** By key, the one used last at the end; null for what came once. */
  readonly #executables = new Map<string, Address | null>();

  constructor(driver: CudaDriver, stream: Address) {
    this.#driver = driver;
    this.#stream = stream;
  }

  /** Gives the stream the work that `record` gives it. A key stands for all that `record` does. */
  run(key: string, record: () => void): void {
    const known = this.#executables.get(key);
    if (known === undefined) {
      record();
      return this.#keep(key, null);
    }
    const executable = known ?? this.#capture(record);
    this.#executables.delete(key);
    this.#keep(key, executable);
    this.#driver.launchGraph(executable, this.#stream);
  }
  #keep(key: string, executable: Address | null): void {
    this.#executables.set(key, executable);
    const [oldest] = this.#executables.keys();
    if (this.#executables.size > capacity && oldest !== undefined) this.#forget(oldest);
  }
  #forget(key: string): void {
    const executable = this.#executables.get(key);
    if (executable) ignoringFailures(() => this.#driver.destroyExecutable(executable));
    this.#executables.delete(key);
  }

  #capture(record: () => void): Address {
    const driver = this.#driver;
    driver.beginCapture(this.#stream);
    try {
      record();
    } catch (error) {
      // A stream stays in capture until it is ended, whatever went wrong.
      ignoringFailures(() => driver.destroyGraph(driver.endCapture(this.#stream)));
      throw error;
    }
    const graph = driver.endCapture(this.#stream);
    try {
      return driver.instantiate(graph);
    } finally {
      ignoringFailures(() => driver.destroyGraph(graph));
    }
  }

  /** Forgets the graphs whose keys begin like this; all of them for ''. None of them may be running. */
  clear(prefix = ''): void {
    for (const key of [...this.#executables.keys()]) if (key.startsWith(prefix)) this.#forget(key);
  }
}
