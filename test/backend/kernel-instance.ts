import type { Kernel } from '../../compiler/kernel/kernel.ts';

/** Tensors in a memory of their own, and kernels over them. */
export interface KernelInstance {
  /** Copies values in and returns their address. Integers (mask, tokens, bool) as Int32Array, quants as Uint8Array. */
  place(values: Float32Array | Int32Array | Uint8Array): number;
  /** Room for `count` elements filled with 0x7f bytes (a large float), so that what is not written shows. */
  reserve(count: number): number;
  /** Overwrites elements from `address` on. */
  write(address: number, values: Float32Array | Int32Array): void;
  floats(address: number, count: number): Float32Array;
  integers(address: number, count: number): Int32Array;
  /** Runs a kernel over [0, items), cut at the given places; each part gets scratch of its own with leftovers in it. */
  run(kernel: string, items: number, operands: readonly number[], integers: readonly number[], cuts?: readonly number[]): void;
}

/** One way in which a target runs single kernels. */
export interface KernelBuild {
  readonly title: string;
  /** Skips the suite where the machine lacks something. */
  skip(context: Mocha.Context): void;
  /** Kernels that share one memory, by name; `run` gives them as much scratch as they ask for. */
  instantiate(kernels: Readonly<Record<string, Kernel>>): Promise<KernelInstance>;
}

/** A reproducible stream of numbers in [-1, 1). */
export function randomStream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // A linear congruential generator with the constants of Numerical Recipes; its high bits are good enough for test data.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
/** The data of one test, from a stream of its own: it does not hang on the tests that ran before, or were skipped. */
export interface RandomData {
  /** In [-1, 1). */
  next(): number;
  floats(count: number, scale?: number): Float32Array;
  /** In [0, below). */
  integer(below: number): number;
}
export function randomData(seed: number): RandomData {
  const next = randomStream(seed);
  return {
    next,
    floats: (count, scale = 1) => Float32Array.from({ length: count }, () => scale * next()),
    integer: (below) => Math.floor(((next() + 1) / 2) * below),
  };
}
