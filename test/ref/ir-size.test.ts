import { expect } from 'chai';
import fc from 'fast-check';
import {
  addSizes,
  ceilDivideSizes,
  evaluateSize,
  floorDivideSizes,
  formatSize,
  maxSize,
  minSize,
  multiplySizes,
  shapesEqual,
  sizeAtMost,
  sizesEqual,
  sizeSymbols,
  substituteSize,
  subtractSizes,
  type Size,
} from '../../ir/size.ts';

const symbols = ['batch', 'seq', 'tokens'] as const;
const values = fc.record({
  batch: fc.integer({ min: 1, max: 5 }),
  seq: fc.integer({ min: 1, max: 9 }),
  tokens: fc.integer({ min: 1, max: 9 }),
});

/** Polynomials as written: sums and products of symbols and numbers, in any order and bracketing. */
const polynomials = fc.letrec<{ size: Size }>((tie) => ({
  size: fc.oneof(
    { depthSize: 'small' },
    fc.integer({ min: -4, max: 4 }),
    fc.constantFrom(...symbols),
    fc.tuple(fc.constantFrom('+' as const, '*' as const), tie('size'), tie('size')),
  ),
})).size;
/** All sizes, with divisions by numbers that are not 0. */
const sizes = fc.letrec<{ size: Size }>((tie) => ({
  size: fc.oneof(
    { depthSize: 'small' },
    polynomials,
    fc.tuple(fc.constantFrom('+' as const, '*' as const, 'min' as const, 'max' as const), tie('size'), tie('size')),
    fc.tuple(fc.constantFrom('floor/' as const, 'ceil/' as const), tie('size'), fc.integer({ min: 1, max: 5 })),
  ),
})).size;

/** What a size means, without the normal form. */
function meaning(size: Size, bindings: Readonly<Record<string, number>>): number {
  if (typeof size === 'number') return size;
  if (typeof size === 'string') return bindings[size] as number;
  const [a, b] = [meaning(size[1], bindings), meaning(size[2], bindings)];
  return {
    '+': a + b,
    '*': a * b,
    'floor/': Math.floor(a / b),
    'ceil/': Math.ceil(a / b),
    min: Math.min(a, b),
    max: Math.max(a, b),
  }[size[0]];
}
const normal = (size: Size): Size => substituteSize(size, {});

describe('ir: sizes', () => {
  it('mean the same in normal form', () => {
    fc.assert(
      fc.property(sizes, values, (size, bindings) => {
        expect(evaluateSize(normal(size), bindings) + 0).to.equal(meaning(size, bindings) + 0, formatSize(size));
      }),
    );
  });

  it('have one normal form', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        expect(normal(normal(size))).to.deep.equal(normal(size));
      }),
    );
  });

  it('are equal exactly when they are the same polynomial', () => {
    // Small polynomials that agree on a grid larger than their degree are the same; hence the values decide.
    fc.assert(
      fc.property(polynomials, polynomials, (a, b) => {
        const points = [1, 2, 3, 5, 7, 11].flatMap((batch) =>
          [1, 4, 6, 9].flatMap((seq) => [2, 3, 8].map((tokens) => ({ batch, seq, tokens }))),
        );
        const agree = points.every((point) => meaning(a, point) === meaning(b, point));
        const equal = sizesEqual(normal(a), normal(b));
        if (equal) expect(agree).to.equal(true);
        if (!agree) expect(equal).to.equal(false);
        expect(sizesEqual(subtractSizes(addSizes(a, b), b), normal(a))).to.equal(true);
        expect(sizesEqual(multiplySizes(a, b), multiplySizes(b, a))).to.equal(true);
      }),
    );
  });

  it('divide exactly where they can', () => {
    expect(floorDivideSizes(multiplySizes('seq', 12, 'batch'), multiplySizes(4, 'seq'))).to.deep.equal(multiplySizes('batch', 3));
    expect(ceilDivideSizes(addSizes(multiplySizes('seq', 8), 4), 4)).to.deep.equal(addSizes(multiplySizes('seq', 2), 1));
    expect(floorDivideSizes('seq', 8)).to.deep.equal(['floor/', 'seq', 8]);
    expect(floorDivideSizes(addSizes('seq', 'batch'), addSizes('batch', 'seq'))).to.equal(1);
    expect([maxSize('seq', 'seq'), minSize(3, 5), maxSize(3, 5)]).to.deep.equal(['seq', 3, 5]);
  });

  it('have their largest value where their symbols have, or it is not known', () => {
    const largest = { batch: 5, seq: 9, tokens: 9 };
    const grows: Size = ['max', 2, ['ceil/', multiplySizes(['floor/', addSizes('seq', 1), 3], 'batch'), 2]];
    expect(sizeAtMost(grows, largest)).to.equal(8);
    expect(sizeAtMost(['min', 'seq', 4], largest)).to.equal(4);
    for (const unknown of [subtractSizes(20, 'seq'), floorDivideSizes(20, 'seq'), 'past'])
      expect(sizeAtMost(unknown, largest)).to.equal(null);
    fc.assert(
      fc.property(values, (own) => {
        expect(evaluateSize(grows, own)).to.be.at.most(sizeAtMost(grows, largest) ?? NaN);
      }),
      { seed: 5 },
    );
  });

  it('name the symbols that lack a value', () => {
    expect(() => evaluateSize(multiplySizes('seq', 'batch'), { seq: 2 })).to.throw(
      RangeError,
      'The size batch*seq has symbols without a value.',
    );
    expect(() => evaluateSize('constructor', {})).to.throw(RangeError, 'The size constructor has symbols without a value.');
    expect([...sizeSymbols(['max', 'seq', ['*', 'batch', 2]])]).to.deep.equal(['seq', 'batch']);
    expect(shapesEqual(['seq', 2], ['seq', 2])).to.equal(true);
    expect(shapesEqual(['seq', 2], ['seq'])).to.equal(false);
  });
});
