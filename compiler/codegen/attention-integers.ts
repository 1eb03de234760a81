import type { AttentionKernel } from '../kernel/kernel.ts';

const ownIntegers = [
  'batches',
  'heads',
  'key_heads',
  'queries',
  'query_batch',
  'query_head',
  'query_row',
  'result_batch',
  'result_head',
  'result_row',
] as const;
const logSumExpIntegers = ['log_sum_exp_batch', 'log_sum_exp_head'] as const;
/** The integers of attention before those of its segments, by name, in the order of kernel.ts; on targets with one memory. */
export function attentionIntegers({ logSumExp }: AttentionKernel): readonly string[] {
  return [...ownIntegers, ...(logSumExp ? logSumExpIntegers : [])];
}
