/**
 * Eigenvectors of a real symmetric matrix in float64: Householder reduction to tridiagonal form, then QL with implicit
 * shifts (Golub and Van Loan, Matrix Computations, 4th edition, sections 8.3.1 to 8.3.3).
 */
export interface Eigendecomposition {
  /** Descending. */
  readonly values: Float64Array;
  /** Row i is the unit eigenvector of values[i]; the sign is arbitrary. */
  readonly vectors: readonly Float64Array[];
}

/** The sign that makes the largest component of a vector positive: the same vector whatever sign a decomposition gave it. */
export function signOfLargest(vector: Float64Array): 1 | -1 {
  const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return largest < 0 ? -1 : 1;
}

/** Decomposes `matrix` [size, size], row-major and symmetric. Throws a RangeError when QL does not converge. */
export function eigenSymmetric(matrix: Float64Array, size: number): Eigendecomposition {
  const { diagonal, below, basis } = tridiagonalise(matrix, size);
  diagonalise(diagonal, below, basis, size);
  const order = Array.from(diagonal.keys()).sort((a, b) => (diagonal[b] as number) - (diagonal[a] as number) || a - b);
  return {
    values: Float64Array.from(order, (column) => diagonal[column] as number),
    vectors: order.map((row) => basis.slice(row * size, (row + 1) * size)),
  };
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** below[i] couples i and i + 1; the last element is 0. */
  readonly below: Float64Array;
  /** Rows are the basis in which the matrix is tridiagonal. */
  readonly basis: Float64Array;
}

function tridiagonalise(matrix: Float64Array, size: number): Tridiagonal {
  const a = matrix.slice();
  const basis = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) basis[i * size + i] = 1;
  const below = new Float64Array(size);
  const v = new Float64Array(size);
  const w = new Float64Array(size);
  for (let k = 0; k + 2 < size; k += 1) {
    // The reflection H = 1 - 2 v v^T / (v.v) that clears column k under its first subdiagonal element.
    let norm = 0;
    for (let i = k + 1; i < size; i += 1) norm = Math.hypot(norm, a[i * size + k] as number);
    if (norm === 0) continue;
    const head = a[(k + 1) * size + k] as number;
    const alpha = head > 0 ? -norm : norm;
    v.fill(0);
    for (let i = k + 1; i < size; i += 1) v[i] = (a[i * size + k] as number) / norm;
    v[k + 1] = (head - alpha) / norm;
    let square = 0;
    for (let i = k + 1; i < size; i += 1) square += (v[i] as number) ** 2;
    const beta = 2 / square;
    // A <- H A H = A - v w^T - w v^T, where p = beta A v and w = p - (beta p.v / 2) v.
    let overlap = 0;
    for (let i = k; i < size; i += 1) {
      let product = 0;
      for (let j = k + 1; j < size; j += 1) product += (a[i * size + j] as number) * (v[j] as number);
      w[i] = beta * product;
      overlap += (w[i] as number) * (v[i] as number);
    }
    for (let i = k; i < size; i += 1) w[i] = (w[i] as number) - (beta * overlap * (v[i] as number)) / 2;
    for (let i = k; i < size; i += 1) {
      const vi = v[i] as number;
      const wi = w[i] as number;
      for (let j = k; j < size; j += 1) {
        a[i * size + j] = (a[i * size + j] as number) - vi * (w[j] as number) - wi * (v[j] as number);
      }
    }
    // Rows of the basis: Q^T <- H Q^T, column by column of Q^T; accumulated over rows k + 1 and on.
    w.fill(0);
    for (let i = k + 1; i < size; i += 1) {
      const vi = v[i] as number;
      for (let j = 0; j < size; j += 1) w[j] = (w[j] as number) + vi * (basis[i * size + j] as number);
    }
    for (let i = k + 1; i < size; i += 1) {
      const factor = beta * (v[i] as number);
      for (let j = 0; j < size; j += 1) basis[i * size + j] = (basis[i * size + j] as number) - factor * (w[j] as number);
    }
  }
  const diagonal = Float64Array.from({ length: size }, (_, i) => a[i * size + i] as number);
  for (let i = 0; i + 1 < size; i += 1) below[i] = a[(i + 1) * size + i] as number;
  return { diagonal, below, basis };
}

/** Sweeps of QL an eigenvalue; two or three are usual. */
const maximumSweeps = 60;

function diagonalise(diagonal: Float64Array, below: Float64Array, basis: Float64Array, size: number): void {
  const at = (array: Float64Array, i: number): number => array[i] as number;
  for (let low = 0; low < size; low += 1) {
    for (let sweep = 0; ; sweep += 1) {
      let high = low;
      while (high + 1 < size) {
        const scale = Math.abs(at(diagonal, high)) + Math.abs(at(diagonal, high + 1));
        if (Math.abs(at(below, high)) <= Number.EPSILON * scale) break;
        high += 1;
      }
      if (high === low) break;
      if (sweep === maximumSweeps) throw new RangeError(`The eigenvalues of a matrix of ${size} rows did not converge.`);
      // Wilkinson's shift: the eigenvalue of the leading 2 x 2 block that is nearer to its first element.
      const difference = (at(diagonal, low + 1) - at(diagonal, low)) / (2 * at(below, low));
      const radius = Math.hypot(difference, 1);
      let g = at(diagonal, high) - at(diagonal, low) + at(below, low) / (difference + (difference < 0 ? -radius : radius));
      let sine = 1;
      let cosine = 1;
      let shift = 0;
      let row = high - 1;
      for (; row >= low; row -= 1) {
        const f = sine * at(below, row);
        const b = cosine * at(below, row);
        const r = Math.hypot(f, g);
        below[row + 1] = r;
        if (r === 0) {
          // The matrix has split; the rest of the sweep would rotate by nothing.
          diagonal[row + 1] = at(diagonal, row + 1) - shift;
          below[high] = 0;
          break;
        }
        sine = f / r;
        cosine = g / r;
        g = at(diagonal, row + 1) - shift;
        const t = (at(diagonal, row) - g) * sine + 2 * cosine * b;
        shift = sine * t;
        diagonal[row + 1] = g + shift;
        g = cosine * t - b;
        const upper = row * size;
        const lower = upper + size;
        for (let i = 0; i < size; i += 1) {
          const first = at(basis, upper + i);
          const second = at(basis, lower + i);
          basis[lower + i] = sine * first + cosine * second;
          basis[upper + i] = cosine * first - sine * second;
        }
      }
      if (row >= low) continue;
      diagonal[low] = at(diagonal, low) - shift;
      below[low] = g;
      below[high] = 0;
    }
  }
}
