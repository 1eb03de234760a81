/** Sums and maxima over the threads of a workgroup. */
import type { KernelBuilder } from './kernel-builder.ts';

export type Combine = (a: string, b: string) => string;
export const sumOf: Combine = (a, b) => `${a} + ${b}`;

/**
 * Combines a value of every thread; all of them get the result. All threads of the workgroup have to come here. Values are paired
 * with those of thread ^ 1, ^ 2, ^ 4, ..., so that the order of additions, and with it every bit, is the same whether pairs meet in
 * a subgroup (of whatever size) or in shared memory. The workgroup size is a power of two.
 */
export function reduceOverWorkgroup(k: KernelBuilder, wanted: string, value: string, combine: Combine): string {
  const result = k.var(wanted, 'f32', value);
  reduceOverThreads(k, [result], k.workgroupSize, combine);
  return result;
}

/** The same for several variables at once, over each run of `threads` threads, a power of two. */
export function reduceOverThreads(k: KernelBuilder, variables: readonly string[], threads: number, combine: Combine): void {
  const { thread, workgroupSize } = k;
  const { subgroups } = k.context.features;
  const places = variables.map((_, index) => (index === 0 ? '' : `${k.i32(index * workgroupSize)} + `));
  const meet = k.sharedOnce(variables.length === 1 ? 'exchanged' : 'exchanged_values', 'f32', variables.length * workgroupSize);
  const throughMemory = (mask: string): void => {
    variables.forEach((variable, index) => k.assign(`${meet}[${places[index] ?? ''}${thread}]`, variable));
    k.barrier();
    variables.forEach((variable, index) =>
      k.assign(variable, combine(variable, `${meet}[${places[index] ?? ''}(${thread} ^ ${mask})]`)),
    );
    k.barrier();
  };
  if (subgroups === 'none' && variables.length === 1) {
    for (let mask = 1; mask < threads; mask *= 2) throughMemory(k.i32(mask));
    return;
  }
  const within = k.var('mask', 'i32', k.i32(1));
  if (subgroups !== 'none') {
    const { dialect } = k;
    const imitated = typeof subgroups === 'object';
    if (!imitated) k.useSubgroups();
    const lanes = k.let('lanes', 'i32', imitated ? k.i32(subgroups.imitated) : k.cast('i32', dialect.subgroup.size));
    k.while(`${within} < ${k.call('min', lanes, k.i32(threads))}`, () => {
      if (imitated) throughMemory(within);
      else
        for (const variable of variables)
          k.assign(variable, combine(variable, dialect.subgroup.exchange(variable, k.cast('u32', within))));
      k.assign(within, `${within} * 2`);
    });
  }
  k.while(`${within} < ${k.i32(threads)}`, () => {
    throughMemory(within);
    k.assign(within, `${within} * 2`);
  });
}
