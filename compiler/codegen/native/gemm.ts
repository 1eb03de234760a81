/** gemm over packed panels: result[M, N] = epilogue(left[M, K] x right[N, K]^T). */
import type { Size } from '../../../ir/size.ts';
import type { GemmKernel, PanelSchedule } from '../../kernel/kernel.ts';
import { epilogueDeclarations, epilogueIntegers, epilogueLines } from './epilogue.ts';
import { indented, type NativeKernel } from './kernel-text.ts';

export const gemmSchedule: PanelSchedule = { rowTile: 12, columnTile: 64, panelWidth: 16, leftBytes: 256 * 1024 };

export function gemmScratch(_kernel: GemmKernel): Size {
  return 0;
}

export function renderGemm({ epilogue, schedule }: GemmKernel): NativeKernel {
  if (!('panelWidth' in schedule)) throw new TypeError('A gemm of the native target goes over panels.');
  const { rowTile, columnTile, panelWidth } = schedule;
  return {
    operands: ['const f32 *left', 'const f32 *right', ...epilogueDeclarations(epilogue), 'f32 *result'],
    integers: ['M', 'N', 'K', 'left_stride', 'result_stride', ...epilogueIntegers(epilogue)],
    body: `const i64 row_tiles = (M + ${rowTile - 1}) / ${rowTile};
for (i64 item = begin; item < end; item++) {
  const i64 first_row = item % row_tiles * ${rowTile}, first_column = item / row_tiles * ${columnTile};
  for (i64 row = first_row; row < minimum(M, first_row + ${rowTile}); row++) {
    for (i64 column = first_column; column < minimum(N, first_column + ${columnTile}); column += LANES) {
      const i64 count = N - column;
      const f32 *const panel = right + column / ${panelWidth} * ${panelWidth} * K + column % ${panelWidth};
      vf value = splat(0.0f);
      for (i64 k = 0; k < K; k++) value += left[row * left_stride + k] * load(panel + k * ${panelWidth});
${indented(epilogueLines(epilogue).join('\n'), 3)}
      store_part(result + row * result_stride + column, value, count);
    }
  }
}`,
  };
}
