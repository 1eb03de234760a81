/** Products of the native target against float64, on every level of instruction sets that this machine has. */
import { expect } from 'chai';
import { formatBlockFormat } from '../../compiler/weights/block-format.ts';
import { skipWithoutNative, testedBuilds, titleOf } from './native-library.ts';
import { blockEpilogues, checkParts, floatKernels, load, run, type Products } from './native-products.ts';
import {
  blockFormats,
  blockRight,
  epilogues,
  expectedProduct,
  makeProduct,
  plainRight,
  restartNumbers,
  type Product,
} from './products.ts';

for (const build of testedBuilds) {
  describe(`products of the native target with ${titleOf(build)}`, () => {
    let products: Products;
    before(function () {
      this.timeout(180_000);
      skipWithoutNative(this);
      products = load(floatKernels, build);
    });
    beforeEach(restartNumbers);
    const check = (product: Product): Float32Array => checkParts(products, product, expectedProduct(product));

    for (const [name, epilogue] of Object.entries({ nothing: [], ...epilogues })) {
      it(`gemm and ${name}`, () => {
        for (const rows of [1, 2, 5, 12, 13, 50])
          for (const columns of [1, 16, 17, 32, 100])
            for (const depth of [1, 33])
              check(
                makeProduct(plainRight(columns, depth), {
                  rows,
                  columns,
                  depth,
                  epilogue,
                  gap: rows % 3,
                }),
              );
      });
    }
    it('gemm of a depth that is cut, of many rows, and a row alone', () => {
      const right = plainRight(48, 4000);
      const product = makeProduct(right, { rows: 120, columns: 48, depth: 4000 });
      const whole = check(product);
      const alone = makeProduct(right, { rows: 1, columns: 48, depth: 4000, left: product.left.slice(-4000) });
      expect(run(products, alone), 'the last row has the bits that it has among others').to.deep.equal(whole.slice(-48));
    });
    it('gemm of depth 0 gives the epilogue of 0', () => {
      check(makeProduct(plainRight(20, 0), { rows: 3, columns: 20, depth: 0, epilogue: epilogues['bias'] ?? [] }));
    });
    for (const format of blockFormats) {
      it(`block_gemm of ${formatBlockFormat(format)}`, () => {
        for (const epilogue of blockEpilogues)
          for (const rows of [1, 3, 4, 9, 100])
            for (const columns of [1, 32, 45])
              for (const depth of [32, 96])
                check(makeProduct(blockRight(format, columns, depth), { rows, columns, depth, epilogue, gap: rows % 3 }));
      });
    }
  });
}
