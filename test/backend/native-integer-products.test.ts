/** Products with blocks whose left side is rounded to 8 bits (`--activations int8`), on processors that multiply integers. */
import { expect } from 'chai';
import type { NativeBuild } from '../../compiler/codegen/native/compile-c.ts';
import { dequantise, formatBlockFormat, type BlockFormat, type BlockMatrix } from '../../compiler/weights/block-format.ts';
import { requires } from '../requirements.ts';
import { highestBuild, integerBuild, skipWithoutNative } from './native-library.ts';
import { blockEpilogues, checkParts, floatKernels, integerKernels, load, run, type Products } from './native-products.ts';
import {
  blockFormats,
  blockRight,
  expectedProduct,
  makeProduct,
  randomBlocks,
  restartNumbers,
  rightOf,
  type ExpectedProduct,
  type Product,
} from './products.ts';

/** Elements of the left side in 8 bits, block by block, as f32 arithmetic rounds them. */
function rounded(left: Float32Array, block: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(left.length);
  for (let first = 0; first < left.length; first += block) {
    const elements = left.subarray(first, first + block);
    const largest = elements.reduce((most, element) => Math.max(most, Math.abs(element)), 0);
    const [inverse, scale] = [Math.fround(127 / largest), Math.fround(largest / 127)];
    elements.forEach((element, index) => {
      const exact = Math.fround(element * inverse);
      const down = Math.floor(exact);
      const nearest = exact - down === 0.5 ? down + (Math.abs(down) % 2) : Math.round(exact);
      values[first + index] = scale * nearest;
    });
  }
  return values;
}
/** Products with blocks whose left side is rounded; minima are multiplied by sums of what is not. */
function expectedInIntegers(format: BlockFormat, product: Product, matrix: BlockMatrix): ExpectedProduct {
  const [quantsAlone, minimaAlone] = [
    dequantise({ ...matrix, minima: null }),
    dequantise({ ...matrix, quants: new Uint8Array(matrix.quants.length) }),
  ];
  const [a, b] = [
    expectedProduct({ ...product, left: rounded(product.left, format.block), right: { ...product.right, values: quantsAlone } }),
    expectedProduct({ ...product, right: { ...product.right, values: minimaAlone } }),
  ];
  // Rounding to 8 bits leaves magnitudes as they are; quants with 128 added are of up to 255.
  return {
    values: a.values.map((value, i) => value + (b.values[i] as number)),
    magnitudes: a.magnitudes.map((value, i) => 2 * value + (b.magnitudes[i] as number)),
  };
}

describe('products of the native target in integers', () => {
  let integers: Products, floats: Products;
  before(function () {
    this.timeout(180_000);
    skipWithoutNative(this);
    requires(this, 'vnni', integerBuild !== null);
    const build = integerBuild as NativeBuild;
    [integers, floats] = [
      load(integerKernels, build),
      load(
        floatKernels.filter(({ kind }) => kind === 'block_gemm'),
        build,
      ),
    ];
  });
  beforeEach(restartNumbers);

  for (const format of blockFormats) {
    it(`block_gemm of ${formatBlockFormat(format)} rounds the left side alone`, () => {
      for (const rows of [13, 100, 300]) {
        for (const [columns, depth] of [
          [1, 32],
          [45, 96],
          [32, 128],
        ] as const) {
          const matrix = randomBlocks(format, columns, depth);
          const product = makeProduct(rightOf(matrix), { rows, columns, depth });
          checkParts(integers, product, expectedInIntegers(format, product, matrix));
        }
      }
    });
  }
  it('takes the epilogue, and rows that lie apart', () => {
    for (const format of blockFormats) {
      const product = makeProduct(blockRight(format, 45, 96), {
        rows: 50,
        columns: 45,
        depth: 96,
        epilogue: blockEpilogues[1] ?? [],
        gap: 3,
      });
      checkParts(integers, product, expectedProduct(product), 1e-2);
    }
  });
  it('does not round few rows', () => {
    for (const format of blockFormats) {
      const product = makeProduct(blockRight(format, 45, 96), { rows: 12, columns: 45, depth: 96 });
      expect(run(integers, product), formatBlockFormat(format)).to.deep.equal(run(floats, product));
    }
  });
  it('gives zeros for rows of zeros, and no numbers for the row that has one that is none', () => {
    for (const format of blockFormats) {
      const product = makeProduct(blockRight(format, 32, 96), { rows: 20, columns: 32, depth: 96 });
      product.left.fill(0, 0, 96);
      product.left[96 + 40] = NaN;
      product.left[2 * 96 + 50] = Infinity;
      const result = run(integers, product);
      expect(
        [...result.subarray(0, 32)].every((value) => value === 0),
        'zeros',
      ).to.equal(true);
      expect(result.subarray(32, 3 * 32).some(Number.isFinite), 'not numbers').to.equal(false);
      expect(result.subarray(3 * 32).every(Number.isFinite), 'other rows').to.equal(true);
    }
  });
});

describe('products of the native target in integers, where the processor has none', () => {
  before(function () {
    skipWithoutNative(this);
  });
  beforeEach(restartNumbers);
  it('are those of f32', function () {
    this.timeout(180_000);
    const [format] = blockFormats.slice(-1) as [BlockFormat];
    const ofFormat = (kernels: Products['kernels']): Products['kernels'] =>
      kernels.filter((kernel) => kernel.kind === 'block_gemm' && kernel.format === format);
    const [integers, floats] = [load(ofFormat(integerKernels), highestBuild), load(ofFormat(floatKernels), highestBuild)];
    for (const rows of [1, 20]) {
      const product = makeProduct(blockRight(format, 45, 96), { rows, columns: 45, depth: 96 });
      expect(run(integers, product), formatBlockFormat(format)).to.deep.equal(run(floats, product));
    }
  });
});
