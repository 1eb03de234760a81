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
  const { thread, workgroupSize } = k;
  const { subgroups } = k.context.features;
  const result = k.var(wanted, 'f32', value);
  const meet = k.sharedOnce('exchanged', 'f32', workgroupSize);
  const throughMemory = (mask: string): void => {
    k.assign(`${meet}[${thread}]`, result);
    k.barrier();
    k.assign(result, combine(result, `${meet}[${thread} ^ ${mask}]`));
    k.barrier();
  };
  if (subgroups === 'none') {
    for (let mask = 1; mask < workgroupSize; mask *= 2) throughMemory(k.i32(mask));
    return result;
  }
  const { dialect } = k;
  const imitated = typeof subgroups === 'object';
  if (!imitated) k.useSubgroups();
  const lanes = k.let('lanes', 'i32', imitated ? k.i32(subgroups.imitated) : k.cast('i32', dialect.subgroup.size));
  const within = k.var('mask', 'i32', k.i32(1));
  k.while(`${within} < ${k.call('min', lanes, k.i32(workgroupSize))}`, () => {
    if (imitated) throughMemory(within);
    else k.assign(result, combine(result, dialect.subgroup.exchange(result, k.cast('u32', within))));
    k.assign(within, `${within} * 2`);
  });
  k.while(`${within} < ${k.i32(workgroupSize)}`, () => {
    throughMemory(within);
    k.assign(within, `${within} * 2`);
  });
  return result;
}
