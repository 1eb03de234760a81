import type { NormKernel } from '../../kernel/kernel.ts';
import { indented, type NativeKernel, type SharedText } from './kernel-text.ts';
import {
  ExpressionWriter,
  indicesOfItem,
  integerNames,
  operandDeclarations,
  rowStarts,
  storeAlong,
  type LoopNest,
} from './loop-nest.ts';

const normaliseRow: SharedText = {
  name: 'normalise_row',
  text: String.raw`/* The sums of a row run in four vectors, so that one addition need not wait for the last. */
#define SUM_OF_ROW(term) \
  vf sums[4] = {splat(0.0f), splat(0.0f), splat(0.0f), splat(0.0f)}; \
  i64 at = 0; \
  for (; at + 4 * LANES <= size; at += 4 * LANES) \
    for (int part = 0; part < 4; part++) { \
      const vf x = load(row + at + part * LANES); \
      sums[part] += (term); \
    } \
  for (; at + LANES <= size; at += LANES) { \
    const vf x = load(row + at); \
    sums[0] += (term); \
  } \
  if (at < size) { \
    const vf x = load_part(row + at, size - at); \
    sums[1] += (vf)((lane_numbers() < (i32)(size - at)) & (vi)(term)); \
  } \
  return (f64)sum_of((sums[0] + sums[1]) + (sums[2] + sums[3])) / (f64)size

INLINE f64 mean_of_row(const f32 *row, i64 size) { SUM_OF_ROW(x); }
/* The second pass over the row, as differences do not cancel there. */
INLINE f64 mean_square_of_row(const f32 *row, i64 size, f32 mean) { SUM_OF_ROW((x - mean) * (x - mean)); }

/* (row - mean) / sqrt(variance + epsilon) * weight + bias, in place; without bias also without mean. */
INLINE void normalise_row(f32 *row, i64 size, f64 epsilon, const f32 *weight, const f32 *bias) {
  const f32 mean = bias ? (f32)mean_of_row(row, size) : 0.0f;
  const f32 factor = (f32)(1.0 / sqrt(mean_square_of_row(row, size, mean) + epsilon));
  for (i64 at = 0; at < size; at += LANES) {
    const i64 count = size - at;
    const vf scaled = ((load_part(row + at, count) - mean) * factor) * load_part(weight + at, count);
    store_part(row + at, bias ? scaled + load_part(bias + at, count) : scaled, count);
  }
}`,
};

/** Norm of rows: evaluates a row of the expression into the result, then normalises it in place. */
export function renderNorm({ norm, epsilon, rank, operands, body }: NormKernel): NativeKernel {
  const nest: LoopNest = { rank, operands, reduces: false };
  const writer = new ExpressionWriter(nest);
  const last = `extent_${rank - 1}`;
  const hoisted = writer.hoist(body);
  const { lines, value } = writer.write(body, { inReduction: false, reduced: null });
  const perRow = [
    ...indicesOfItem(nest),
    ...rowStarts(nest),
    `f32 *const result_row = result + item * ${last};`,
    ...hoisted,
    `for (i64 at = 0; at < ${last}; at += LANES) {`,
    `  const i64 count = ${last} - at;`,
    indented([...lines, storeAlong('result', 'f32', 1, rank - 1, value)].join('\n')),
    '}',
    `normalise_row(result_row, ${last}, ${epsilon}, weight, ${norm === 'layer' ? 'bias' : 'NULL'});`,
  ];
  return {
    operands: [
      ...operandDeclarations(nest),
      'const f32 *weight',
      ...(norm === 'layer' ? ['const f32 *bias'] : []),
      'f32 *result',
    ],
    integers: integerNames(nest),
    uses: [normaliseRow],
    body: ['for (i64 item = begin; item < end; item++) {', indented(perRow.join('\n')), '}'].join('\n'),
  };
}
