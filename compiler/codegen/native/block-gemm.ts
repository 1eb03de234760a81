/**
 * block_gemm: result[M, N] = epilogue(left[M, K] x right[N, K]^T) with the right side in blocks.
 *
 * Few rows (decode) are multiplied straight from the blocks (block-dot.ts). With more rows, the quants of one tile of columns at a
 * time are unpacked into scratch (block-panel.ts) and multiplied there by all rows at hand. Which way is taken depends on M alone,
 * and in both a sum does not depend on what else is computed: any split of the items gives the same bits.
 */
import { addSizes, multiplySizes, type Size } from '../../../ir/size.ts';
import type { BlockGemmKernel } from '../../kernel/kernel.ts';
import { formatBlockFormat, type BlockFormat } from '../../weights/block-format.ts';
import { blockDot, mostDirectRows, rowsAtOnce } from './block-dot.ts';
import { blockPanel } from './block-panel.ts';
import { formatArguments } from './block-vectors.ts';
import { epilogueDeclarations, epilogueIntegers } from './epilogue.ts';
import type { NativeKernel, SharedText } from './kernel-text.ts';
import { declareProduct, finishOf, overRectangles, productTiles, sumBytes, tileColumns } from './product-tiles.ts';

/** Row tiles are high: lanes that share the rows of a column tile unpack it each for itself. */
export const blockGemmSchedule: BlockGemmKernel['schedule'] = { rowTile: 96, columnTile: tileColumns };

/** Sums, then unpacked panels or sums of the left blocks. */
export function blockGemmScratch(_kernel: BlockGemmKernel, [, , K = 0]: readonly Size[]): Size {
  return addSizes(sumBytes, multiplySizes(K, tileColumns * 4));
}

const formats = new Map<string, { readonly functions: SharedText; readonly suffix: string }>();
/** The functions of a format, each with registers of its own. */
function formatFunctions(format: BlockFormat): { readonly functions: SharedText; readonly suffix: string } {
  const key = formatBlockFormat(format);
  const known = formats.get(key);
  if (known) return known;
  const { bits, block, signed, minima } = format;
  const suffix = `${signed ? 'signed_' : ''}q${bits}_${block}${minima ? '_minima' : ''}`;
  const constants = `${formatArguments(format)}, ${Number(minima)}`;
  const rows = Array.from({ length: rowsAtOnce }, (_, index) => index + 1);
  const dots = rows.map(
    (count) => `APART void block_dot_${count}_${suffix}(const f32 *left, i64 left_stride, const f32 *left_sums, const u8 *quants,
    const f32 *scales, const f32 *minima, i64 blocks, i64 columns, f32 *sums) {
  for (i64 column = 0; column < columns; column++)
    block_dot(${count}, ${constants}, left, left_stride, left_sums, quants + column * blocks * ${(block * bits) / 8}, scales + column * blocks,
              minima + column * blocks, blocks, sums + column, TILE_COLUMNS);
}`,
  );
  const made = {
    suffix,
    functions: {
      name: suffix,
      uses: [productTiles, blockDot, blockPanel],
      text: `APART void unpack_panel_${suffix}(const u8 *quants, const f32 *scales, const f32 *minima, i64 columns, i64 depth, f32 *panel) {
  unpack_panel(${constants}, quants, scales, minima, columns, depth, panel);
}
${dots.join('\n')}
/* By the number of rows. */
static void (*const block_dots_${suffix}[])(const f32 *, i64, const f32 *, const u8 *, const f32 *, const f32 *, i64, i64, f32 *) = {
  0, ${rows.map((count) => `block_dot_${count}_${suffix}`).join(', ')},
};`,
    },
  };
  formats.set(key, made);
  return made;
}

export function renderBlockGemm({ format, epilogue, schedule }: BlockGemmKernel): NativeKernel {
  const { bits, block, minima } = format;
  const { functions, suffix } = formatFunctions(format);
  const weights = (column: string): string =>
    `quants + ${column} * (K * ${bits} / 8), scales + ${column} * blocks, minima + ${column} * blocks`;
  const direct = `for (i64 column = first_column; column < last_column; column += TILE_COLUMNS) {
  const i64 columns = minimum(TILE_COLUMNS, last_column - column);
  for (i64 row = 0, groups = (M + ${rowsAtOnce - 1}) / ${rowsAtOnce}, rows; row < M; row += rows, groups--) {
    rows = (M - row) / groups;
    block_dots_${suffix}[rows](left + row * left_stride, left_stride, unpacked + row * blocks, ${weights('column')}, blocks, columns, product.sums);
    product.finish(&product, product.sums, row, rows, column, columns);
  }
}`;
  const byPanels = `for (i64 column = first_column; column < last_column; column += TILE_COLUMNS) {
  const i64 end_column = minimum(last_column, column + TILE_COLUMNS);
  for (i64 first = column; first < end_column; first += PANEL)
    unpack_panel_${suffix}(${weights('first')}, end_column - first, K, unpacked + (first - column) * K);
  multiply_panels(&product, unpacked, 0, first_row, last_row, column, end_column);
}`;
  return {
    operands: [
      'const f32 *left',
      'const u8 *quants',
      'const f32 *scales',
      ...(minima ? ['const f32 *minima'] : []),
      ...epilogueDeclarations(epilogue),
      'f32 *result',
    ],
    integers: ['M', 'N', 'K', 'left_stride', 'result_stride', ...epilogueIntegers(epilogue)],
    uses: [functions, finishOf(epilogue)],
    body: `${declareProduct(epilogue)}
const i64 blocks = K / ${block};
f32 *const unpacked = (f32 *)(scratch + ${sumBytes});
${minima ? `if (M <= ${mostDirectRows}) block_sums(${block}, left, left_stride, M, blocks, unpacked);` : 'const f32 *const minima = scales;'}
if (M <= ${mostDirectRows}) {
${overRectangles(schedule.rowTile, schedule.columnTile, direct)}
} else {
${overRectangles(schedule.rowTile, schedule.columnTile, byPanels)}
}`,
  };
}
