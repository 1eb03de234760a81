/**
 * Symbolic sizes: integer expressions over named symbols (`batch`, `seq`, ...), kept in a normal form so that two equal
 * polynomials are the same structure: `batch * seq * 384` equals `384 * (seq * batch)`. A size is plain JSON; the program
 * format carries the very same structure.
 */
export const sizeOperators = ['+', '*', 'floor/', 'ceil/', 'min', 'max'] as const;
export type SizeOperator = (typeof sizeOperators)[number];
export type Size = number | string | readonly [SizeOperator, Size, Size];

// A polynomial: monomial key -> coefficient and the sorted factors (symbols, or opaque divisions, minima and maxima).
interface Monomial {
  readonly coefficient: number;
  readonly factors: readonly Size[];
}
type Polynomial = ReadonlyMap<string, Monomial>;

/** A string that is equal exactly for equal sizes. */
export function sizeKey(size: Size): string {
  return typeof size === 'object' ? `(${size[0]} ${sizeKey(size[1])} ${sizeKey(size[2])})` : String(size);
}
export function sizesEqual(a: Size, b: Size): boolean {
  return a === b || sizeKey(a) === sizeKey(b);
}
export function shapesEqual(a: readonly Size[], b: readonly Size[]): boolean {
  return a.length === b.length && a.every((size, axis) => sizesEqual(size, b[axis] as Size));
}

function toPolynomial(size: Size): Polynomial {
  if (typeof size === 'number') return size === 0 ? new Map() : new Map([['', { coefficient: size, factors: [] }]]);
  if (typeof size === 'object' && size[0] === '+') return sumOf(toPolynomial(size[1]), toPolynomial(size[2]));
  if (typeof size === 'object' && size[0] === '*') return productOf(toPolynomial(size[1]), toPolynomial(size[2]));
  return new Map([[sizeKey(size), { coefficient: 1, factors: [size] }]]);
}
function sumOf(a: Polynomial, b: Polynomial): Polynomial {
  const sum = new Map(a);
  for (const [key, { coefficient, factors }] of b) {
    const total = (sum.get(key)?.coefficient ?? 0) + coefficient;
    if (total === 0) sum.delete(key);
    else sum.set(key, { coefficient: total, factors });
  }
  return sum;
}
function productOf(a: Polynomial, b: Polynomial): Polynomial {
  let product: Polynomial = new Map();
  for (const left of a.values()) {
    for (const right of b.values()) {
      const factors = [...left.factors, ...right.factors].sort((x, y) => (sizeKey(x) < sizeKey(y) ? -1 : 1));
      const monomial = { coefficient: left.coefficient * right.coefficient, factors };
      product = sumOf(product, new Map([[factors.map(sizeKey).join('*'), monomial]]));
    }
  }
  return product;
}
function fromPolynomial(polynomial: Polynomial): Size {
  const terms = [...polynomial.entries()].sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  let sum: Size | undefined;
  for (const [, { coefficient, factors }] of terms) {
    let product: Size | undefined;
    for (const factor of factors) product = product === undefined ? factor : ['*', product, factor];
    if (product === undefined) product = coefficient;
    else if (coefficient !== 1) product = ['*', product, coefficient];
    sum = sum === undefined ? product : ['+', sum, product];
  }
  return sum ?? 0;
}

export function addSizes(...sizes: readonly Size[]): Size {
  return fromPolynomial(sizes.reduce<Polynomial>((sum, size) => sumOf(sum, toPolynomial(size)), new Map()));
}
export function multiplySizes(...sizes: readonly Size[]): Size {
  return fromPolynomial(sizes.reduce<Polynomial>((product, size) => productOf(product, toPolynomial(size)), toPolynomial(1)));
}
export function subtractSizes(a: Size, b: Size): Size {
  return addSizes(a, multiplySizes(-1, b));
}

/** `a / b` where b divides every monomial of a exactly; undefined where it does not. */
function divideExactly(a: Size, b: Size): Size | undefined {
  const divisor = [...toPolynomial(b).values()];
  const only = divisor[0];
  if (divisor.length !== 1 || only === undefined) return sizesEqual(a, b) ? 1 : undefined;
  let quotient: Polynomial = new Map();
  for (const { coefficient, factors } of toPolynomial(a).values()) {
    if (coefficient % only.coefficient !== 0) return undefined;
    const rest = [...factors];
    for (const factor of only.factors) {
      const at = rest.findIndex((candidate) => sizesEqual(candidate, factor));
      if (at < 0) return undefined;
      rest.splice(at, 1);
    }
    const monomial = { coefficient: coefficient / only.coefficient, factors: rest };
    quotient = sumOf(quotient, new Map([[rest.map(sizeKey).join('*'), monomial]]));
  }
  return fromPolynomial(quotient);
}
export function floorDivideSizes(a: Size, b: Size): Size {
  if (typeof a === 'number' && typeof b === 'number') return Math.floor(a / b);
  return divideExactly(a, b) ?? ['floor/', a, b];
}
export function ceilDivideSizes(a: Size, b: Size): Size {
  if (typeof a === 'number' && typeof b === 'number') return Math.ceil(a / b);
  return divideExactly(a, b) ?? ['ceil/', a, b];
}
/** Symbols are not negative; what is subtracted may make an expression so. */
function neverNegative(size: Size): boolean {
  if (typeof size === 'number') return size >= 0;
  if (typeof size === 'string') return true;
  const [operator, a, b] = size;
  return operator === 'max' ? neverNegative(a) || neverNegative(b) : neverNegative(a) && neverNegative(b);
}
/** Whether a >= b at all values of the symbols, as far as the terms of a - b show it. */
function neverLess(a: Size, b: Size): boolean {
  if (typeof a === 'object' && a[0] === 'max' && (neverLess(a[1], b) || neverLess(a[2], b))) return true;
  const terms = [...toPolynomial(subtractSizes(a, b)).values()];
  return terms.every(({ coefficient, factors }) => coefficient > 0 && factors.every(neverNegative));
}
export function maxSize(a: Size, b: Size): Size {
  if (neverLess(a, b)) return a;
  return neverLess(b, a) ? b : ['max', a, b];
}
export function minSize(a: Size, b: Size): Size {
  if (neverLess(a, b)) return b;
  return neverLess(b, a) ? a : ['min', a, b];
}
/**
 * The value of a size where its symbols have their largest values, if the size grows with each of them, as far as its terms show it:
 * nothing is subtracted, and what is divided by is a number. Null else.
 */
export function sizeAtMost(size: Size, largest: Readonly<Record<string, number>>): number | null {
  if (typeof size === 'number') return size >= 0 ? size : null;
  if (typeof size === 'string') return largest[size] ?? null;
  const [operator, left, right] = size;
  if ((operator === 'floor/' || operator === 'ceil/') && !(typeof right === 'number' && right > 0)) return null;
  const [a, b] = [sizeAtMost(left, largest), sizeAtMost(right, largest)];
  return a === null || b === null ? null : evaluateSize([operator, a, b], {});
}
export function elementCount(shape: readonly Size[]): Size {
  return multiplySizes(...shape);
}

const combine: { readonly [K in SizeOperator]: (a: Size, b: Size) => Size } = {
  '+': addSizes,
  '*': multiplySizes,
  'floor/': floorDivideSizes,
  'ceil/': ceilDivideSizes,
  min: minSize,
  max: maxSize,
};
/** Replaces symbols; symbols without a binding stay. */
export function substituteSize(size: Size, bindings: Readonly<Record<string, Size>>): Size {
  if (typeof size === 'number') return size;
  if (typeof size === 'string') return Object.hasOwn(bindings, size) ? (bindings[size] as Size) : size;
  return combine[size[0]](substituteSize(size[1], bindings), substituteSize(size[2], bindings));
}
/** The value of a size; throws a RangeError on a symbol without a value. */
export function evaluateSize(size: Size, bindings: Readonly<Record<string, number>>): number {
  const value = substituteSize(size, bindings);
  if (typeof value === 'number') return value;
  throw new RangeError(`The size ${formatSize(size)} has symbols without a value.`);
}
export function sizeSymbols(size: Size): ReadonlySet<string> {
  if (typeof size === 'number') return new Set();
  if (typeof size === 'string') return new Set([size]);
  return new Set([...sizeSymbols(size[1]), ...sizeSymbols(size[2])]);
}

/** Text form, read back by `parseSize`: `batch*seq*4`, `(seq + 1)`, `max(1, floordiv(seq, 8))`. */
export function formatSize(size: Size): string {
  if (typeof size !== 'object') return String(size);
  const [operator, a, b] = size;
  switch (operator) {
    case '+':
      return `(${formatSize(a)} + ${formatSize(b)})`;
    case '*':
      // Products associate to the left; one on the right needs its parentheses to be read back as it was.
      return `${formatSize(a)}*${typeof b === 'object' && b[0] === '*' ? `(${formatSize(b)})` : formatSize(b)}`;
    case 'floor/':
      return `floordiv(${formatSize(a)}, ${formatSize(b)})`;
    case 'ceil/':
      return `ceildiv(${formatSize(a)}, ${formatSize(b)})`;
    case 'min':
    case 'max':
      return `${operator}(${formatSize(a)}, ${formatSize(b)})`;
  }
}
