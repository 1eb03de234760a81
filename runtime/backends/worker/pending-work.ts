/**
 * Work of a device that a worker waits for. Dawn in Node aborts the process when a worker ends before all of its promises are settled
 * (measured with webgpu 0.6.2: worker.terminate, or process.exit in the main thread, with a pending mapAsync), and so does koffi when one
 * ends in a call of its own (koffi 3.3: process.exit while a worker loads a library). So a worker counts
 * them, and whoever ends it waits until there are none: by `settled` in the worker, or by `awaitNoneBlocking` in an exit handler of
 * the main thread, where the words are shared.
 */
const countWord = 0;
const stopWord = 1;

export const createPendingWords = (): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(8));

export class PendingWork {
  readonly #words: Int32Array;
  readonly #promises = new Set<Promise<unknown>>();

  constructor(words: Int32Array = new Int32Array(2)) {
    this.#words = words;
  }

  /** Begins work and counts it until it is settled. Once the process ends nothing begins any more, and the promise never settles. */
  track<T>(begin: () => Promise<T>): Promise<T> {
    // Counted before the look at the word, so that the other side, which sets the word before it looks at the count, misses nothing.
    Atomics.add(this.#words, countWord, 1);
    if (Atomics.load(this.#words, stopWord) !== 0) {
      this.#end();
      return new Promise(() => {});
    }
    let work: Promise<T>;
    try {
      work = begin();
    } catch (error) {
      this.#end();
      return Promise.reject(error);
    }
    const settle = (): void => {
      this.#promises.delete(settled);
      // What waits for the work runs next, and calls the device: a thread that ends in such a call aborts the process too.
      setTimeout(() => this.#end(), 0);
    };
    const settled: Promise<void> = work.then(settle, settle);
    this.#promises.add(settled);
    return work;
  }
  #end(): void {
    if (Atomics.sub(this.#words, countWord, 1) === 1) Atomics.notify(this.#words, countWord);
  }

  /** Resolves when there is none. */
  async settled(): Promise<void> {
    while (this.#promises.size > 0) await Promise.all(this.#promises);
  }
}

/** Lets no more work begin and blocks until what has begun is settled, for at most so many milliseconds. */
export function awaitNoneBlocking(words: Int32Array<SharedArrayBuffer>, milliseconds: number): void {
  Atomics.store(words, stopWord, 1);
  const end = performance.now() + milliseconds;
  for (let count = Atomics.load(words, countWord); count > 0; count = Atomics.load(words, countWord)) {
    const left = end - performance.now();
    if (left <= 0) return;
    Atomics.wait(words, countWord, count, left);
  }
}
