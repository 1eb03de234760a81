/** block_lookup: rows of a table in blocks, each value exactly fl(scale * q) + minimum. */
import type { BlockLookupKernel } from '../../kernel/kernel.ts';
import { blockValues, quantType } from './block-values.ts';
import type { NativeKernel } from './kernel-text.ts';

export function renderBlockLookup({ format }: BlockLookupKernel): NativeKernel {
  const { bits, block, signed, minima } = format;
  return {
    operands: [
      'const i32 *ids',
      `const ${quantType(format)} *quants`,
      'const f32 *scales',
      ...(minima ? ['const f32 *minima'] : []),
      'f32 *result',
    ],
    integers: ['n', 'K'],
    uses: [blockValues],
    body: `for (i64 item = begin; item < end; item++) {
  for (i64 k = 0; k < K; k += ${block}) {
    const i64 at = ids[item] * (K / ${block}) + k / ${block};
    block_values((const u8 *)quants + at * ${(block * bits) / 8}, scales[at], ${minima ? 'minima[at]' : '0.0f'}, ${bits}, ${block}, ${Number(signed)}, result + item * K + k);
  }
}`,
  };
}
