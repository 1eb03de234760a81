/**
 * Products with packed panels, left[rows, K] x right[columns, K]^T: what gemm and block_gemm have in common.
 *
 * A tile of sums stays in vector registers while k runs: each step loads one row of each panel and multiplies it by one element of
 * every left row. Shapes of tiles fill the registers and have at least as many sums as multiply-adds are under way at a time (two
 * a cycle, each ready after four). A rest of rows is not left to a small tile: rows are dealt out evenly.
 *
 * Around it are the loops of Goto and van de Geijn (2008, doi 10.1145/1356052.1356053): a group of left rows that fits into the
 * second-level cache (PanelSchedule.leftBytes) meets the panels of one tile of columns after the other. While it does, one line of
 * the next panels is fetched each step, without which weights that come from memory cost a tenth of the speed at 128 rows. Left
 * rows are read where they lie: they are few enough streams. K is cut only where it is so long that neither side would stay in
 * the cache; sums wait in scratch meanwhile. Measured on one core of an EPYC 9005 (AVX-512, limit 256 GFLOP/s): 240 to 253 GFLOP/s
 * at 128 and 512 rows for all K and N from 384 to 1,536; with AVX2 125 of 128, with SSE4.2 48 of 64.
 *
 * Each sum is one chain over k in order: a row does not depend on its neighbours, nor on how the items are split.
 */
import type { EpilogueStep } from '../../kernel/kernel.ts';
import { epilogueLines, epilogueOperands } from './epilogue.ts';
import { indented, type SharedText } from './kernel-text.ts';

export const panelWidth = 16;
/** The widest tile of all levels; columns of an item are a multiple of it. */
export const tileColumns = 32;
/** K is cut into equal parts of at most so many. */
const mostDepth = 1536;
export const leftBytes = 256 * 1024;
/** Rows whose sums wait in scratch where K is cut: at most as many as leftBytes holds of the shortest part. */
const waitingRows = Math.floor(leftBytes / 4 / (mostDepth / 2) / 12) * 12;
/** Bytes of scratch for sums. */
export const sumBytes = waitingRows * tileColumns * 4;

const tiles = (rows: readonly number[]): string => rows.map((count) => `PRODUCT_TILE(${count})`).join(' ');
const names = (rows: readonly number[]): string => rows.map((count) => `product_tile_${count}`).join(', ');

export const productTiles: SharedText = {
  name: 'product_tiles',
  text: String.raw`/*
 * Products with panels of ${panelWidth} rows of the right side, [K][${panelWidth}] each. A tile has up to TILE_ROWS rows and TILE_COLUMNS columns of
 * sums, TILE_VECTORS vectors a row: 24 of 32 registers, or 12 of 16.
 */
#define PANEL ${panelWidth}
#if LANES == 16
#define TILE_ROWS 12
#define TILE_VECTORS 2
#elif LANES == 8
#define TILE_ROWS 6
#define TILE_VECTORS 2
#elif defined(__aarch64__)
#define TILE_ROWS 6
#define TILE_VECTORS 4
#else
#define TILE_ROWS 3
#define TILE_VECTORS 4
#endif
#define TILE_COLUMNS (TILE_VECTORS * LANES)
#define TILE_PANELS (TILE_COLUMNS / PANEL)

struct product {
  const f32 *left;
  f32 *result;
  i64 left_stride, result_stride, depth;
  /* Biases and residuals, and the row strides of the latter. */
  const f32 *extras[8];
  i64 extra_strides[8];
  /* Scratch of ${sumBytes} bytes. */
  f32 *sums;
  /* Takes sums[rows][TILE_COLUMNS] through the epilogue to the result. */
  void (*finish)(const struct product *p, const f32 *sums, i64 first_row, i64 rows, i64 first_column, i64 columns);
};

/* sums[rows][TILE_COLUMNS] = (starts ? 0 : sums) + the products of count steps; a line from ahead on is fetched each step. */
INLINE void product_tile(const i32 rows, const f32 *left, i64 left_stride, const f32 *panel, i64 panel_stride, i64 count, i32 starts,
                         f32 *sums, const char *ahead) {
  vf sum[TILE_ROWS][TILE_VECTORS], right[TILE_VECTORS];
  UNROLL for (i32 r = 0; r < rows; r++)
    UNROLL for (i32 v = 0; v < TILE_VECTORS; v++)
      sum[r][v] = starts ? splat(0.0f) : load(sums + r * TILE_COLUMNS + v * LANES);
  for (i64 k = 0; k < count; k++) {
    __builtin_prefetch(ahead, 0, 2);
    UNROLL for (i32 v = 0; v < TILE_VECTORS; v++)
      right[v] = load(panel + v * LANES / PANEL * panel_stride + v * LANES % PANEL);
    UNROLL for (i32 r = 0; r < rows; r++) {
      const vf x = splat(left[r * left_stride]);
      UNROLL for (i32 v = 0; v < TILE_VECTORS; v++) sum[r][v] += x * right[v];
    }
    left++;
    panel += PANEL;
    ahead += 64;
  }
  UNROLL for (i32 r = 0; r < rows; r++)
    UNROLL for (i32 v = 0; v < TILE_VECTORS; v++) store(sums + r * TILE_COLUMNS + v * LANES, sum[r][v]);
}
#define PRODUCT_TILE(rows) \
  APART void product_tile_##rows(const f32 *left, i64 left_stride, const f32 *panel, i64 panel_stride, i64 count, i32 starts, \
                                 f32 *sums, const char *ahead) { \
    product_tile(rows, left, left_stride, panel, panel_stride, count, starts, sums, ahead); \
  }
${tiles([1, 2, 3])}
#if TILE_ROWS > 3
${tiles([4, 5, 6])}
#endif
#if TILE_ROWS > 6
${tiles([7, 8, 9, 10, 11, 12])}
#endif
/* By the number of rows. */
static void (*const product_tiles[])(const f32 *, i64, const f32 *, i64, i64, i32, f32 *, const char *) = {
  0, ${names([1, 2, 3])},
#if TILE_ROWS > 3
  ${names([4, 5, 6])},
#endif
#if TILE_ROWS > 6
  ${names([7, 8, 9, 10, 11, 12])},
#endif
};

/*
 * The rows [first_row, last_row) times the columns [first_column, last_column), whose panels begin at panels; next: elements from
 * the panels of a tile of columns to those that are read after them.
 */
APART void multiply_panels(const struct product *p, const f32 *panels, i64 next, i64 first_row, i64 last_row, i64 first_column,
                           i64 last_column) {
  const i64 depth = p->depth, parts = maximum(1, (depth + ${mostDepth - 1}) / ${mostDepth}), part = maximum(1, (depth + parts - 1) / parts);
  const i64 group_rows = maximum(1, ${leftBytes / 4} / part / TILE_ROWS) * TILE_ROWS;
  for (i64 group = first_row; group < last_row; group += group_rows) {
    const i64 group_end = minimum(last_row, group + group_rows), tiles = (group_end - group + TILE_ROWS - 1) / TILE_ROWS;
    for (i64 column = first_column; column < last_column; column += TILE_COLUMNS) {
      const f32 *const panel = panels + (column - first_column) * depth;
      /* Where the last panel of a tile is not there, the first one is computed twice. */
      const i64 panel_stride = last_column - column > PANEL ? PANEL * depth : 0;
      for (i64 k = 0; k < maximum(1, depth); k += part) {
        const i64 count = minimum(part, depth - k);
        const i32 ends = k + part >= depth;
        const f32 *const following = ends ? panel + next : panel + (k + count) * PANEL;
        f32 *sums = p->sums;
        i64 row = group;
        for (i64 tile = 0; tile < tiles; tile++) {
          const i64 rows = (group_end - row) / (tiles - tile);
          product_tiles[rows](p->left + row * p->left_stride + k, p->left_stride, panel + k * PANEL, panel_stride, count, k == 0, sums,
                              (const char *)(following + tile % TILE_PANELS * PANEL * depth));
          if (ends) p->finish(p, sums, row, rows, column, minimum(TILE_COLUMNS, last_column - column));
          if (parts > 1) sums += rows * TILE_COLUMNS;
          row += rows;
        }
      }
    }
  }
}`,
};

const finishes = new Map<string, SharedText>();
/** The C function `finish` of products with this epilogue; all kernels that have it share one. */
export function finishOf(epilogue: readonly EpilogueStep[]): SharedText {
  const name = ['finish', ...epilogue.map((step) => (step.step === 'activation' ? step.op : step.step))].join('_');
  const known = finishes.get(name);
  if (known) return known;
  const operands = epilogueOperands(epilogue);
  if (operands.length > 8) throw new RangeError(`An epilogue of a product has ${operands.length} operands, more than 8.`);
  const made: SharedText = {
    name,
    uses: [productTiles],
    text: `static void ${name}(const struct product *p, const f32 *sums, i64 first_row, i64 rows, i64 first_column, i64 columns) {
${operands.map((operand, i) => `  const f32 *const ${operand.name} = p->extras[${i}];\n`).join('')}${operands
      .map((operand, i) => (operand.step === 'residual' ? `  const i64 ${operand.name}_stride = p->extra_strides[${i}];\n` : ''))
      .join('')}  for (i64 row = first_row; row < first_row + rows; row++, sums += TILE_COLUMNS)
    for (i64 at = 0; at < columns; at += LANES) {
      const i64 column = first_column + at, count = columns - at;
      vf value = load(sums + at);
${indented(epilogueLines(epilogue).join('\n'), 3)}
      store_part(p->result + row * p->result_stride + column, value, count);
    }
}`,
  };
  finishes.set(name, made);
  return made;
}

/** The declaration of `product` from the names of a kernel's operands and integers; its scratch begins with the sums. */
export function declareProduct(epilogue: readonly EpilogueStep[]): string {
  const operands = epilogueOperands(epilogue);
  const strides = operands.map(({ step, name }) => (step === 'residual' ? `${name}_stride` : '0'));
  const list = (values: readonly string[]): string => `{${values.length === 0 ? '0' : values.join(', ')}}`;
  return `const struct product product = {
  left, result, left_stride, result_stride, K,
  ${list(operands.map(({ name }) => name))}, ${list(strides)},
  (f32 *)scratch, ${finishOf(epilogue).name},
};`;
}

/**
 * A loop over the items [begin, end) as few rectangles as there are: items of one column tile, or column tiles of which all rows
 * are at hand. `body` sees first_row, last_row, first_column and last_column.
 */
export function overRectangles(rowTile: number, columnTile: number, body: string): string {
  return `const i64 row_tiles = (M + ${rowTile - 1}) / ${rowTile};
for (i64 item = begin, items; item < end; item += items) {
  const i64 row_tile = item % row_tiles, column_tile = item / row_tiles;
  const i64 whole = row_tile == 0 ? (end - item) / row_tiles : 0;
  items = whole > 0 ? whole * row_tiles : minimum(row_tiles - row_tile, end - item);
  const i64 first_row = row_tile * ${rowTile}, last_row = whole > 0 ? M : minimum(M, first_row + items * ${rowTile});
  const i64 first_column = column_tile * ${columnTile}, last_column = minimum(N, first_column + maximum(1, whole) * ${columnTile});
${indented(body)}
}`;
}
