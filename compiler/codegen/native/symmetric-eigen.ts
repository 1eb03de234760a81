import type { SharedText } from './kernel-text.ts';

/**
 * Eigenvectors of a symmetric matrix in float64: Householder reduction to tridiagonal form, then QL with implicit shifts
 * (Golub and Van Loan, Matrix Computations, 4th edition, sections 8.3.1 to 8.3.3). The matrix is kept whole and the basis
 * transposed, so that every inner loop runs along a row.
 */
export const symmetricEigen: SharedText = {
  name: 'symmetric_eigen',
  text: String.raw`/* Sums in eight parts, whatever the width of vectors. */
static f64 dot_f64(const f64 *a, const f64 *b, i64 count) {
  f64 parts[8] = {0};
  i64 i = 0;
  for (; i + 8 <= count; i += 8)
    for (int part = 0; part < 8; part++) parts[part] += a[i + part] * b[i + part];
  f64 sum = ((parts[0] + parts[4]) + (parts[2] + parts[6])) + ((parts[1] + parts[5]) + (parts[3] + parts[7]));
  for (; i < count; i++) sum += a[i] * b[i];
  return sum;
}
/* y[i] += factor * x[i]. */
static void add_scaled_f64(f64 *restrict y, f64 factor, const f64 *restrict x, i64 count) {
  for (i64 i = 0; i < count; i++) y[i] += factor * x[i];
}

/*
 * matrix [n][n] -> diagonal [n], below [n] (below[i] couples i and i + 1, the last is 0) and basis [n][n], whose rows are the
 * basis in which the matrix is tridiagonal. The matrix is overwritten; betas and work: room for n f64 each.
 */
static void tridiagonalise(f64 *matrix, i64 size, f64 *diagonal, f64 *below, f64 *basis, f64 *betas, f64 *work) {
  for (i64 k = 0; k < size - 2; k++) {
    /* The reflection 1 - beta v v^T that clears row k right of its first off-diagonal element; v replaces it. */
    f64 *const v = matrix + k * size + k + 1;
    const i64 rest = size - k - 1;
    diagonal[k] = v[-1];
    const f64 square = dot_f64(v, v, rest);
    betas[k] = 0.0;
    below[k] = 0.0;
    if (!(square > 0.0)) continue;
    const f64 head = v[0], alpha = -copysign(sqrt(square), head);
    below[k] = alpha;
    v[0] = head - alpha;
    /* v.v = 2 (|x|^2 - head alpha). */
    const f64 beta = betas[k] = 1.0 / (square - head * alpha);
    /* w = p - (beta p.v / 2) v with p = beta A v; A <- A - v w^T - w v^T. */
    for (i64 row = 0; row < rest; row++) work[row] = beta * dot_f64(v + (row + 1) * size, v, rest);
    add_scaled_f64(work, -0.5 * beta * dot_f64(work, v, rest), v, rest);
    for (i64 row = 0; row < rest; row++) {
      f64 *const y = v + (row + 1) * size;
      const f64 p = v[row], q = work[row];
      for (i64 i = 0; i < rest; i++) y[i] -= p * work[i] + q * v[i];
    }
  }
  /* What is left has two rows, or one. */
  for (i64 k = maximum(size - 2, 0); k < size; k++) {
    diagonal[k] = matrix[k * size + k];
    below[k] = k + 1 < size ? matrix[k * size + k + 1] : 0.0;
  }
  /* The reflections, last first, on the identity: rows <- rows (1 - beta v v^T). */
  memset(basis, 0, (size_t)(size * size) * sizeof(f64));
  for (i64 row = 0; row < size; row++) basis[row * size + row] = 1.0;
  for (i64 k = size - 3; k >= 0; k--) {
    const f64 *const v = matrix + k * size + k + 1;
    const i64 rest = size - k - 1;
    if (!(betas[k] > 0.0)) continue;
    for (i64 row = k + 1; row < size; row++) {
      f64 *const at = basis + row * size + k + 1;
      add_scaled_f64(at, -(betas[k] * dot_f64(at, v, rest)), v, rest);
    }
  }
}

/* The elements are far from the ends of the range of f64, as products of f32. */
static f64 hypotenuse(f64 a, f64 b) { return sqrt(a * a + b * b); }

/* (upper, lower) <- (cosine * upper - sine * lower, sine * upper + cosine * lower). */
static void rotate_rows(f64 *restrict upper, f64 *restrict lower, f64 cosine, f64 sine, i64 count) {
  for (i64 i = 0; i < count; i++) {
    const f64 a = upper[i], b = lower[i];
    upper[i] = cosine * a - sine * b;
    lower[i] = sine * a + cosine * b;
  }
}
/* QL with implicit shifts: diagonal becomes the eigenvalues, in no order, and row i of the basis the eigenvector of diagonal[i]. */
static void diagonalise(f64 *diagonal, f64 *below, f64 *basis, i64 size) {
  for (i64 low = 0; low < size; low++)
    /* Two or three sweeps for an eigenvalue are usual. */
    for (i64 sweep = 0; sweep < 60; sweep++) {
      /* The block ends at the first negligible element. */
      i64 high = low;
      while (high + 1 < size && !(fabs(below[high]) <= 0x1p-52 * (fabs(diagonal[high]) + fabs(diagonal[high + 1])))) high++;
      if (high == low) break;
      /* Wilkinson's shift: the eigenvalue of the leading 2 x 2 block that is nearer to its first element. */
      const f64 coupling = below[low], difference = (diagonal[low + 1] - diagonal[low]) / (2.0 * coupling);
      f64 g = diagonal[high] - diagonal[low] + coupling / (difference + copysign(hypotenuse(difference, 1.0), difference));
      f64 sine = 1.0, cosine = 1.0, shift = 0.0;
      i64 row = high - 1;
      for (; row >= low; row--) {
        const f64 a = sine * below[row], b = cosine * below[row], r = hypotenuse(a, g);
        below[row + 1] = r;
        if (r == 0.0) {
          /* The matrix has split; the rest of the sweep would rotate by nothing. */
          diagonal[row + 1] -= shift;
          below[high] = 0.0;
          break;
        }
        sine = a / r;
        cosine = g / r;
        g = diagonal[row + 1] - shift;
        const f64 t = (diagonal[row] - g) * sine + 2.0 * cosine * b;
        shift = sine * t;
        diagonal[row + 1] = g + shift;
        g = cosine * t - b;
        rotate_rows(basis + row * size, basis + (row + 1) * size, cosine, sine, size);
      }
      if (row >= low) continue;
      diagonal[low] -= shift;
      below[low] = g;
      below[high] = 0.0;
    }
}

/* Eigenvalues (in no order) and unit eigenvectors (rows of basis) of the symmetric matrix [n][n], which is overwritten. work: 3 n f64. */
static void eigen_symmetric(f64 *matrix, i64 size, f64 *values, f64 *basis, f64 *work) {
  f64 *const below = work + size;
  tridiagonalise(matrix, size, values, below, basis, work, below + size);
  diagonalise(values, below, basis, size);
}`,
};
