/** block_gemm: result[M, N] = epilogue(left[M, K] x right[N, K]^T) with the right side in blocks. */
import type { Size } from '../../../ir/size.ts';
import type { BlockGemmKernel } from '../../kernel/kernel.ts';
import { blockValues, quantType } from './block-values.ts';
import { epilogueDeclarations, epilogueIntegers, epilogueLines } from './epilogue.ts';
import { indented, type NativeKernel } from './kernel-text.ts';

export const blockGemmSchedule: BlockGemmKernel['schedule'] = { rowTile: 64, columnTile: 32 };

export function blockGemmScratch(_kernel: BlockGemmKernel): Size {
  return 0;
}

export function renderBlockGemm({ format, epilogue, schedule }: BlockGemmKernel): NativeKernel {
  const { rowTile, columnTile } = schedule;
  const { bits, block, signed, minima } = format;
  return {
    operands: [
      'const f32 *left',
      `const ${quantType(format)} *quants`,
      'const f32 *scales',
      ...(minima ? ['const f32 *minima'] : []),
      ...epilogueDeclarations(epilogue),
      'f32 *result',
    ],
    integers: ['M', 'N', 'K', 'left_stride', 'result_stride', ...epilogueIntegers(epilogue)],
    uses: [blockValues],
    body: `const i64 row_tiles = (M + ${rowTile - 1}) / ${rowTile};
for (i64 item = begin; item < end; item++) {
  const i64 first_row = item % row_tiles * ${rowTile}, first_column = item / row_tiles * ${columnTile};
  for (i64 row = first_row; row < minimum(M, first_row + ${rowTile}); row++) {
    for (i64 column = first_column; column < minimum(N, first_column + ${columnTile}); column++) {
      const i64 count = 1;
      f32 sum = 0.0f;
      for (i64 k = 0; k < K; k += ${block}) {
        const i64 at = column * (K / ${block}) + k / ${block};
        f32 values[${block}];
        block_values((const u8 *)quants + at * ${(block * bits) / 8}, scales[at], ${minima ? 'minima[at]' : '0.0f'}, ${bits}, ${block}, ${Number(signed)}, values);
        for (i64 i = 0; i < ${block}; i++) sum += left[row * left_stride + k + i] * values[i];
      }
      vf value = splat(sum);
${indented(epilogueLines(epilogue).join('\n'), 3)}
      store_part(result + row * result_stride + column, value, count);
    }
  }
}`,
  };
}
