/**
 * block_gemm: result[M, N] = epilogue(left[M, K] x right[N, K]^T) with the right side in blocks.
 *
 * Few rows (decode) are multiplied straight from the blocks (block-dot.ts). With more rows, the quants of one tile of columns at a
 * time are unpacked into scratch (block-panel.ts) and multiplied there by all rows at hand. Which way is taken depends on M alone,
 * and in both a sum does not depend on what else is computed: any split of the items gives the same bits. With `activations` of int8
 * panels are of integers, and so are the rows that they are multiplied by (block-integers.ts).
 */
import { addSizes, multiplySizes, type Size } from '../../../ir/size.ts';
import type { BlockGemmKernel } from '../../kernel/kernel.ts';
import type { BlockFormat } from '../../weights/block-format.ts';
import type { ActivationType } from './activations.ts';
import { blockDot, mostDirectRows, rowsAtOnce } from './block-dot.ts';
import { blockIntegers, integerRows, integerScratchBytes, mostIntegerRows, roundedRows } from './block-integers.ts';
import { blockPanel } from './block-panel.ts';
import { formatArguments } from './block-vectors.ts';
import { epilogueDeclarations, epilogueIntegers } from './epilogue.ts';
import { indented, type NativeKernel, type SharedText } from './kernel-text.ts';
import { declareProduct, finishOf, overRectangles, productTiles, sumBytes, tileColumns } from './product-tiles.ts';

/** Row tiles are high: lanes that share the rows of a column tile unpack it each for itself. */
const tiles = { rowTile: 96, columnTile: tileColumns };
export const blockGemmSchedules: { readonly [A in ActivationType]: BlockGemmKernel['schedule'] } = {
  f32: tiles,
  int8: { ...tiles, activations: 'int8' },
};

/** Sums, then unpacked panels or sums of the left blocks; with integers what they need instead, where the processor has them. */
export function blockGemmScratch({ format, schedule }: BlockGemmKernel, [, , K = 0]: readonly Size[]): Size {
  const bytes = tileColumns * 4;
  const perElement = 'activations' in schedule ? Math.max(bytes, integerScratchBytes(format)) : bytes;
  return addSizes(sumBytes, multiplySizes(K, perElement));
}

/** Functions of a format, each with registers of its own; `suffix` ends their names. */
interface FormatFunctions {
  readonly text: SharedText;
  readonly suffix: string;
}
function perFormat(make: (format: BlockFormat, suffix: string) => SharedText): (format: BlockFormat) => FormatFunctions {
  const made = new Map<string, FormatFunctions>();
  return (format) => {
    const { bits, block, signed, minima } = format;
    const suffix = `${signed ? 'signed_' : ''}q${bits}_${block}${minima ? '_minima' : ''}`;
    const functions = made.get(suffix) ?? { suffix, text: make(format, suffix) };
    made.set(suffix, functions);
    return functions;
  };
}
const rowCounts = (most: number): readonly number[] => Array.from({ length: most }, (_, index) => index + 1);
const constantsOf = (format: BlockFormat): string => `${formatArguments(format)}, ${Number(format.minima)}`;

const floatFunctions = perFormat((format, suffix) => {
  const { bits, block } = format;
  const rows = rowCounts(rowsAtOnce);
  const dots = rows.map(
    (count) => `APART void block_dot_${count}_${suffix}(const f32 *left, i64 left_stride, const f32 *left_sums, const u8 *quants,
    const f32 *scales, const f32 *minima, i64 blocks, i64 columns, f32 *sums) {
  for (i64 column = 0; column < columns; column++)
    block_dot(${count}, ${constantsOf(format)}, left, left_stride, left_sums, quants + column * blocks * ${(block * bits) / 8}, scales + column * blocks,
              minima + column * blocks, blocks, sums + column, TILE_COLUMNS);
}`,
  );
  return {
    name: suffix,
    uses: [productTiles, blockDot, blockPanel],
    text: `APART void unpack_panel_${suffix}(const u8 *quants, const f32 *scales, const f32 *minima, i64 columns, i64 depth, f32 *panel) {
  unpack_panel(${constantsOf(format)}, quants, scales, minima, columns, depth, panel);
}
${dots.join('\n')}
/* By the number of rows. */
static void (*const block_dots_${suffix}[])(const f32 *, i64, const f32 *, const u8 *, const f32 *, const f32 *, i64, i64, f32 *) = {
  0, ${rows.map((count) => `block_dot_${count}_${suffix}`).join(', ')},
};`,
  };
});
const integerFunctions = perFormat((format, suffix) => {
  const { bits } = format;
  const [some, others] = [rowCounts(integerRows), rowCounts(mostIntegerRows).slice(integerRows)];
  const names = (counts: readonly number[]): string => counts.map((count) => `integer_tile_${count}_${suffix},`).join(' ');
  const tiles = (counts: readonly number[]): string =>
    counts
      .map(
        (
          count,
        ) => `APART void integer_tile_${count}_${suffix}(struct rounded left, i64 depth, struct integer_panel panel, f32 *sums) {
  integer_tile(${count}, ${constantsOf(format)}, left, depth, panel, sums);
}`,
      )
      .join('\n');
  return {
    name: `integer_${suffix}`,
    uses: [productTiles, blockIntegers],
    text: `#if INTEGER_BITS >= ${bits}
APART void integer_panel_${suffix}(const u8 *quants, const f32 *scales, const f32 *minima, i64 columns, i64 depth, struct integer_panel to) {
  integer_panel(${constantsOf(format)}, quants, scales, minima, columns, depth, to);
}
${tiles(some)}
#if INTEGER_ROWS > ${integerRows}
${tiles(others)}
#endif
/* By the number of rows. */
static void (*const integer_tiles_${suffix}[])(struct rounded, i64, struct integer_panel, f32 *) = {
  0, ${names(some)}
#if INTEGER_ROWS > ${integerRows}
  ${names(others)}
#endif
};
#endif`,
  };
});

/** A loop over [first, last) in at most `most` at a time, evenly; `body` sees row and rows. */
function overRows(first: string, last: string, most: number | string, body: string): string {
  return `for (i64 row = ${first}, groups = (${last} - row + ${typeof most === 'number' ? most - 1 : `${most} - 1`}) / ${most}, rows; row < ${last}; row += rows, groups--) {
  rows = (${last} - row) / groups;
${indented(body)}
}`;
}
function overColumns(step: string, body: string): string {
  return `for (i64 column = first_column; column < last_column; column += ${step}) {
  const i64 columns = minimum(${step}, last_column - column);
${indented(body)}
}`;
}
function weightsAt(column: string, { bits }: BlockFormat): string {
  return `quants + ${column} * (K * ${bits} / 8), scales + ${column} * blocks, minima + ${column} * blocks`;
}

/** Straight from the blocks. */
function directBody({ format, schedule: { rowTile, columnTile } }: BlockGemmKernel, suffix: string): string {
  const perTile = `block_dots_${suffix}[rows](left + row * left_stride, left_stride, left_sums + row * blocks, ${weightsAt('column', format)},
    blocks, columns, product.sums);
product.finish(&product, product.sums, row, rows, column, columns);`;
  const sums = `block_sums(${format.block}, left, left_stride, M, blocks, left_sums);\n`;
  return `f32 *const left_sums = (f32 *)(scratch + ${sumBytes});
${format.minima ? sums : ''}${overRectangles(rowTile, columnTile, overColumns('TILE_COLUMNS', overRows('0', 'M', rowsAtOnce, perTile)))}`;
}
/** Over unpacked panels. */
function panelBody({ format, schedule: { rowTile, columnTile } }: BlockGemmKernel, suffix: string): string {
  const perTile = `for (i64 panel = 0; panel < columns; panel += PANEL)
  unpack_panel_${suffix}(${weightsAt('(column + panel)', format)}, columns - panel, K, unpacked + panel * K);
multiply_panels(&product, unpacked, 0, first_row, last_row, column, column + columns);`;
  return `f32 *const unpacked = (f32 *)(scratch + ${sumBytes});
${overRectangles(rowTile, columnTile, overColumns('TILE_COLUMNS', perTile))}`;
}
/** Over panels of integers; `INTEGER_ROWS` of block-integers.ts at a time. */
function integerBody({ format, schedule: { rowTile, columnTile } }: BlockGemmKernel, suffix: string): string {
  const perRows = `integer_tiles_${suffix}[rows](rounded_rows(&rounded, row - group, K, blocks), K, panel, product.sums);
product.finish(&product, product.sums, row, rows, column, columns);`;
  const perPanel = `integer_panel_${suffix}(${weightsAt('column', format)}, columns, K, panel);
${overRows('group', 'group_end', 'INTEGER_ROWS', perRows)}`;
  return `f32 *const numbers = (f32 *)(scratch + ${sumBytes}), *const panel_numbers = numbers + ${3 * roundedRows} * blocks;
i8 *const values = (i8 *)(panel_numbers + 2 * PANEL * blocks);
const struct rounded rounded = {values, numbers, numbers + ${roundedRows} * blocks, (i32 *)(numbers + ${2 * roundedRows} * blocks)};
const struct integer_panel panel = {(u8 *)values + ${roundedRows} * K, panel_numbers, panel_numbers + PANEL * blocks};
${overRectangles(
  rowTile,
  columnTile,
  `for (i64 group = first_row; group < last_row; group += ${roundedRows}) {
  const i64 group_end = minimum(last_row, group + ${roundedRows});
  round_rows(${format.block}, left + group * left_stride, left_stride, group_end - group, blocks, rounded);
${indented(overColumns('PANEL', perPanel))}
}`,
)}`;
}

export function renderBlockGemm(kernel: BlockGemmKernel): NativeKernel {
  const { format, epilogue } = kernel;
  const float = floatFunctions(format);
  const integer = 'activations' in kernel.schedule ? integerFunctions(format) : null;
  const panels = panelBody(kernel, float.suffix);
  return {
    operands: [
      'const f32 *left',
      'const u8 *quants',
      'const f32 *scales',
      ...(format.minima ? ['const f32 *minima'] : []),
      ...epilogueDeclarations(epilogue),
      'f32 *result',
    ],
    integers: ['M', 'N', 'K', 'left_stride', 'result_stride', ...epilogueIntegers(epilogue)],
    uses: [float.text, ...(integer ? [integer.text] : []), finishOf(epilogue)],
    body: `${declareProduct(epilogue)}
const i64 blocks = K / ${format.block};
${format.minima ? '' : 'const f32 *const minima = scales;\n'}if (M <= ${mostDirectRows}) {
${indented(directBody(kernel, float.suffix))}
} else {
${integer ? `#if INTEGER_BITS >= ${format.bits}\n${indented(integerBody(kernel, integer.suffix))}\n#else\n${indented(panels)}\n#endif` : indented(panels)}
}`,
  };
}
