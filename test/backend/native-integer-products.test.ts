/** Products with blocks whose left side is rounded to 8 bits (`--activations int8`), on processors that multiply integers. */
import { expect } from 'chai';
import { dequantise, formatBlockFormat, type BlockFormat, type BlockMatrix } from '../../compiler/weights/block-format.ts';
import { requires, skipBecause } from '../requirements.ts';
import { highestBuild, integerBuilds, skipWithoutNative, testedBuilds, titleOf } from './native-library.ts';
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

/** Columns and depths. */
const shapes = ({ block }: BlockFormat): readonly (readonly [number, number])[] => [
  [1, 32],
  [45, 96],
  [32, 128],
  // An odd number of blocks.
  [17, 3 * block],
];
/** Rows of blocks that are all the largest or all the smallest quants, with scales and minima of 1. */
function extremeBlocks(format: BlockFormat, columns: number, depth: number): BlockMatrix {
  const [largest, smallest] = format.bits === 4 ? [0xff, 0] : format.signed ? [0x7f, 0x80] : [0xff, 0];
  const rowBytes = (depth * format.bits) / 8;
  return {
    format,
    shape: [columns, depth],
    quants: Uint8Array.from({ length: columns * rowBytes }, (_, at) => (Math.floor(at / rowBytes) % 2 ? smallest : largest)),
    scales: new Float32Array((columns * depth) / format.block).fill(1),
    minima: format.minima ? new Float32Array((columns * depth) / format.block).fill(1) : null,
  };
}
const results = new Map<string, { readonly title: string; readonly result: Float32Array }>();

for (const { build, bits, runs } of integerBuilds) {
  const formats = blockFormats.filter((format) => format.bits <= bits);
  describe(`products of the native target in integers, ${titleOf(build)}`, () => {
    let integers: Products;
    before(function () {
      this.timeout(180_000);
      skipWithoutNative(this);
      requires(this, build.macro ? 'vnni' : 'native', runs);
      integers = load(integerKernels, build);
    });
    beforeEach(restartNumbers);

    for (const format of formats) {
      it(`block_gemm of ${formatBlockFormat(format)} rounds the left side alone`, () => {
        for (const rows of [13, 100, 300]) {
          for (const [columns, depth] of shapes(format)) {
            const matrix = randomBlocks(format, columns, depth);
            const product = makeProduct(rightOf(matrix), { rows, columns, depth });
            checkParts(integers, product, expectedInIntegers(format, product, matrix));
          }
        }
      });
    }
    for (const format of blockFormats.filter((other) => other.bits > bits)) {
      it(`block_gemm of ${formatBlockFormat(format)} rounds nothing`, () => {
        const product = makeProduct(blockRight(format, 45, 96), { rows: 100, columns: 45, depth: 96 });
        checkParts(integers, product, expectedProduct(product));
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
    it('gives the exact sum where all elements and all quants are as large as can be', () => {
      for (const format of formats) {
        // Scales are 1, and no sum has more than 24 bits.
        const left = Float32Array.from({ length: 20 * 64 }, (_, at) => (Math.floor(at / 64) % 2 ? -127 : 127));
        const product = makeProduct(rightOf(extremeBlocks(format, 18, 64)), { rows: 20, columns: 18, depth: 64, left });
        expect(run(integers, product), formatBlockFormat(format)).to.deep.equal(
          Float32Array.from(expectedProduct(product).values),
        );
      }
    });
    it('gives zeros for rows of zeros, and no numbers for the row that has one that is none', () => {
      for (const format of formats) {
        const product = makeProduct(blockRight(format, 32, 96), { rows: 20, columns: 32, depth: 96 });
        product.left.fill(0, 0, 96);
        product.left[96 + 40] = NaN;
        product.left[2 * 96 + 50] = Infinity;
        product.left[3 * 96 + 33] = -Infinity;
        product.left[4 * 96] = NaN;
        product.left[4 * 96 + 1] = Infinity;
        // Too small for the reciprocal to be a number.
        product.left.fill(1e-40, 5 * 96, 6 * 96);
        const result = run(integers, product);
        const row = (index: number): readonly number[] => [...result.subarray(index * 32, (index + 1) * 32)];
        expect(
          row(0).every((value) => value === 0),
          'zeros',
        ).to.equal(true);
        for (const index of [1, 2, 3, 4]) expect(row(index).some(Number.isFinite), `not numbers, row ${index}`).to.equal(false);
        expect(
          row(5).every((value) => Math.abs(value) < 1e-30),
          'nearly zeros',
        ).to.equal(true);
        expect(result.subarray(6 * 32).every(Number.isFinite), 'other rows').to.equal(true);
      }
    });
    // What has minima has sums of elements too, whose order is that of the lanes.
    for (const format of formats.filter(({ minima }) => !minima)) {
      it(`block_gemm of ${formatBlockFormat(format)} has the bits that it has with other instructions`, () => {
        const shape = { rows: 40, columns: 45, depth: 96 };
        const fractions = (count: number, step: number): Float32Array<ArrayBuffer> =>
          Float32Array.from({ length: count }, (_, at) => ((at * step) % 1009) / 1009 - 0.5);
        const blocks = (shape.columns * shape.depth) / format.block;
        const quants = Uint8Array.from({ length: (blocks * format.block * format.bits) / 8 }, (_, at) => (at * 7919) % 251);
        const right = rightOf({
          format,
          shape: [shape.columns, shape.depth],
          quants,
          scales: fractions(blocks, 37),
          minima: null,
        });
        const left = fractions(shape.rows * shape.depth, 577);
        const result = run(integers, makeProduct(right, { ...shape, left }));
        const known = results.get(formatBlockFormat(format));
        if (known) expect(result, `${titleOf(build)} and ${known.title}`).to.deep.equal(known.result);
        else results.set(formatBlockFormat(format), { title: titleOf(build), result });
      });
    }
  });
}

describe('products of the native target in integers, of few rows', () => {
  beforeEach(restartNumbers);
  it('are those of f32', function () {
    this.timeout(180_000);
    skipWithoutNative(this);
    const build = integerBuilds.filter(({ runs }) => runs).at(-1)?.build ?? highestBuild;
    const integers = load(integerKernels, build);
    const floats = load(
      floatKernels.filter(({ kind }) => kind === 'block_gemm'),
      build,
    );
    for (const format of blockFormats) {
      const product = makeProduct(blockRight(format, 45, 96), { rows: 12, columns: 45, depth: 96 });
      expect(run(integers, product), formatBlockFormat(format)).to.deep.equal(run(floats, product));
    }
  });
});

describe('products of the native target in integers, where the processor has none', () => {
  beforeEach(restartNumbers);
  it('are those of f32', function () {
    this.timeout(180_000);
    skipWithoutNative(this);
    const [format] = blockFormats.slice(-1) as [BlockFormat];
    const ofFormat = (kernels: Products['kernels']): Products['kernels'] =>
      kernels.filter((kernel) => kernel.kind === 'block_gemm' && kernel.format === format);
    const [lowest] = testedBuilds;
    if (integerBuilds.some(({ build }) => build === lowest)) skipBecause(this, 'every processor of this system has them');
    const [integers, floats] = [load(ofFormat(integerKernels), lowest), load(ofFormat(floatKernels), lowest)];
    for (const rows of [1, 20]) {
      const product = makeProduct(blockRight(format, 45, 96), { rows, columns: 45, depth: 96 });
      expect(run(integers, product), formatBlockFormat(format)).to.deep.equal(run(floats, product));
    }
  });
});
