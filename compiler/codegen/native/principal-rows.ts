/**
 * Literal ATP's principal rows (Niu, Prakash, Avestimehr 2024, arXiv 2403.02352): U_r^T X of the singular value decomposition
 * X = U S V^T, in float64, by the eigenvectors of X X^T or of X^T X, whichever is smaller.
 */
import type { PrincipalRowsKernel } from '../../kernel/kernel.ts';
import { sizeText, type NativeKernel, type SharedText } from './kernel-text.ts';
import { meanRows } from './mean-rows.ts';
import { symmetricEigen } from './symmetric-eigen.ts';

const gramMatrix: SharedText = {
  name: 'gram_matrix',
  uses: [meanRows, symmetricEigen],
  text: String.raw`/* gram [tokens][tokens] = X X^T, for X [tokens][size]. */
static void row_products(const f64 *x, i64 tokens, i64 size, f64 *gram) {
  for (i64 a = 0; a < tokens; a++)
    for (i64 b = 0; b <= a; b++) gram[a * tokens + b] = gram[b * tokens + a] = dot_f64(x + a * size, x + b * size, size);
}
/* gram [size][size] = X^T X. */
static void column_products(const f64 *x, i64 tokens, i64 size, f64 *gram) {
  memset(gram, 0, (size_t)(size * size) * sizeof(f64));
  for (i64 token = 0; token < tokens; token++) {
    const f64 *const row = x + token * size;
    for (i64 a = 0; a < size; a++) add_scaled_f64(gram + a * size + a, row[a], row + a, size - a);
  }
  for (i64 a = 0; a < size; a++)
    for (i64 b = 0; b < a; b++) gram[a * size + b] = gram[b * size + a];
}
/* The index of the largest of values[count], the lowest among equals. */
static i64 largest_index(const f64 *values, i64 count) {
  i64 best = 0;
  for (i64 i = 1; i < count; i++) best = values[i] > values[best] ? i : best;
  return best;
}
static void store_scaled(const f64 *from, f64 factor, i64 count, f32 *to) {
  for (i64 i = 0; i < count; i++) to[i] = (f32)(factor * from[i]);
}`,
};

export function renderPrincipalRows({ count }: PrincipalRowsKernel): NativeKernel {
  return {
    operands: ['const f32 *x', 'const i32 *mask', 'f32 *rows', 'f32 *column_sums', 'f32 *bias'],
    integers: ['batches', 'keys', 'size', 'capacity'],
    uses: [gramMatrix],
    body: `const i64 smaller = minimum(keys, size);
f64 *const matrix = (f64 *)scratch, *const gram = matrix + keys * size, *const basis = gram + smaller * smaller;
f64 *const values = basis + smaller * smaller, *const work = values + smaller, *const row = work + 3 * smaller;
f64 *const totals = row + size;
i32 *const positions = (i32 *)(totals + size);
for (i64 batch = begin; batch < end; batch++) {
  const i64 tokens = list_tokens(mask + batch * keys, keys, positions);
  memset(totals, 0, (size_t)size * sizeof(f64));
  for (i64 token = 0; token < tokens; token++) {
    const f32 *const from = x + (batch * keys + positions[token]) * size;
    for (i64 column = 0; column < size; column++) totals[column] += matrix[token * size + column] = from[column];
  }
  const i64 few_tokens = tokens <= size, rank = minimum(tokens, size);
  if (few_tokens) row_products(matrix, tokens, size, gram);
  else column_products(matrix, tokens, size, gram);
  eigen_symmetric(gram, rank, values, basis, work);
  const i64 wanted = minimum(minimum(capacity, rank), ${sizeText(count, { tokens: 'tokens' })});
  i64 kept = 0;
  f64 smallest = 0.0;
  for (; kept < wanted; kept++) {
    const i64 best = largest_index(values, rank);
    const f64 value = values[best];
    values[best] = -INFINITY;
    // beyond the rank of X there are no more rows
    if (kept == 0) smallest = value * 0x1p-52 * (f64)maximum(tokens, size);
    if (!(value > smallest)) break;
    const f64 *const vector = basis + best * rank;
    const i64 index = batch * capacity + kept;
    f64 sum = 0.0;
    if (few_tokens) {
      // U^T X and U^T 1
      memset(row, 0, (size_t)size * sizeof(f64));
      for (i64 token = 0; token < tokens; token++) {
        sum += vector[token];
        add_scaled_f64(row, vector[token], matrix + token * size, size);
      }
      store_scaled(row, copysign(1.0, sum), size, rows + index * size);
    } else {
      // U = X V / S, hence U^T X = S V^T
      const f64 singular = sqrt(value);
      sum = dot_f64(totals, vector, size) / singular;
      store_scaled(vector, copysign(singular, sum), size, rows + index * size);
    }
    column_sums[index] = (f32)fabs(sum);
    bias[index] = 0.0f;
  }
  for (; kept < capacity; kept++) {
    const i64 index = batch * capacity + kept;
    memset(rows + index * size, 0, (size_t)size * sizeof(f32));
    column_sums[index] = 0.0f;
    bias[index] = -INFINITY;
  }
}`,
  };
}
