/** gemm over packed panels: result[M, N] = epilogue(left[M, K] x right[N, K]^T). The products are in product-tiles.ts. */
import type { Size } from '../../../ir/size.ts';
import type { GemmKernel, PanelSchedule } from '../../kernel/kernel.ts';
import { epilogueDeclarations, epilogueIntegers } from './epilogue.ts';
import type { NativeKernel } from './kernel-text.ts';
import {
  declareProduct,
  finishOf,
  leftBytes,
  overRectangles,
  panelWidth,
  productTiles,
  sumBytes,
  tileColumns,
} from './product-tiles.ts';

/** Items are small, for lanes to have equal shares; what a lane has at hand is computed as one. Rows are those of tiles of all levels. */
export const gemmSchedule: PanelSchedule = { rowTile: 24, columnTile: tileColumns, panelWidth, leftBytes };

export function gemmScratch(_kernel: GemmKernel): Size {
  return sumBytes;
}

export function renderGemm({ right, epilogue, schedule }: GemmKernel): NativeKernel {
  if (
    !('panelWidth' in schedule) ||
    right !== 'f32' ||
    schedule.panelWidth !== panelWidth ||
    schedule.columnTile % tileColumns !== 0
  ) {
    throw new TypeError(
      `A gemm of the native target goes over panels of ${panelWidth} rows of f32, not ${JSON.stringify(schedule)}.`,
    );
  }
  return {
    operands: ['const f32 *left', 'const f32 *right', ...epilogueDeclarations(epilogue), 'f32 *result'],
    integers: ['M', 'N', 'K', 'left_stride', 'result_stride', ...epilogueIntegers(epilogue)],
    uses: [productTiles, finishOf(epilogue)],
    body: `${declareProduct(epilogue)}
${overRectangles(
  schedule.rowTile,
  schedule.columnTile,
  'multiply_panels(&product, right + first_column * K, TILE_COLUMNS * K, first_row, last_row, first_column, last_column);',
)}`,
  };
}
