/** Products of the native target against float64, on every level of instruction sets that this machine has. */
import { expect } from 'chai';
import { blockGemmSchedule } from '../../compiler/codegen/native/block-gemm.ts';
import { gemmSchedule } from '../../compiler/codegen/native/gemm.ts';
import { renderNativeModule } from '../../compiler/codegen/native/module.ts';
import { panelWidth } from '../../compiler/codegen/native/product-tiles.ts';
import { scratchBytes } from '../../compiler/codegen/native/renderers.ts';
import type { BlockGemmKernel, EpilogueStep, GemmKernel } from '../../compiler/kernel/kernel.ts';
import { formatBlockFormat } from '../../compiler/weights/block-format.ts';
import { loadKernels, skipWithoutNative, testedBuilds, titleOf, type KernelCall } from './native-library.ts';
import {
  blockFormats,
  blockRight,
  epilogues,
  expectedProduct,
  firstError,
  makeProduct,
  plainRight,
  type KernelArray,
  type Product,
  type RightSide,
} from './products.ts';

type ProductKernel = GemmKernel | BlockGemmKernel;
const gemm = (epilogue: readonly EpilogueStep[]): ProductKernel => ({
  kind: 'gemm',
  right: 'f32',
  epilogue,
  schedule: gemmSchedule,
});
const blockEpilogues = [[], epilogues['activation, residual, bias, residual'] ?? []];
const kernels: readonly ProductKernel[] = [
  ...[[], ...Object.values(epilogues)].map(gemm),
  ...blockFormats.flatMap((format) =>
    blockEpilogues.map((epilogue): BlockGemmKernel => ({ kind: 'block_gemm', format, epilogue, schedule: blockGemmSchedule })),
  ),
];
const kernelOf = (wanted: Pick<Product, 'right' | 'epilogue'>): number =>
  kernels.findIndex(
    (kernel) =>
      JSON.stringify(kernel.epilogue) === JSON.stringify(wanted.epilogue) &&
      (kernel.kind === 'gemm'
        ? wanted.right.kernel.kind === 'gemm'
        : wanted.right.kernel.kind === 'block_gemm' && kernel.format === wanted.right.kernel.format),
  );

/** [ceil(columns / width)][depth][width]; what is beyond the columns is 0. */
function packed(right: RightSide, columns: number, depth: number): readonly KernelArray[] {
  if (right.kernel.kind === 'block_gemm') return right.reads;
  const panels = new Float32Array(Math.ceil(columns / panelWidth) * depth * panelWidth);
  for (let column = 0; column < columns; column += 1) {
    for (let at = 0; at < depth; at += 1) {
      panels[(Math.floor(column / panelWidth) * depth + at) * panelWidth + (column % panelWidth)] = right.values[
        column * depth + at
      ] as number;
    }
  }
  return [panels];
}

/** The result of a product whose items are computed in ranges that end at the cuts; scratch is filled with NaN before each. */
function run(call: KernelCall, product: Product, cuts: readonly number[] = []): Float32Array {
  const { right, shape, left, extras, result, integers } = product;
  const index = kernelOf(product);
  const kernel = kernels[index] as ProductKernel;
  const scratch = new Uint8Array(scratchBytes(kernel, integers) as number).fill(0xff);
  const operands = [left, ...packed(right, shape.columns, shape.depth), ...extras, result];
  const addresses: number[] = [];
  // Everything ends where a page might: only the padding of 64 bytes lies between operands.
  let bytes = 64;
  for (const operand of [scratch, ...operands]) {
    addresses.push(bytes);
    bytes += Math.ceil(operand.byteLength / 64) * 64;
  }
  const memory = new Uint8Array(bytes).fill(0xff);
  operands.forEach(({ buffer, byteOffset, byteLength }, position) =>
    memory.set(new Uint8Array(buffer, byteOffset, byteLength), addresses[position + 1]),
  );
  const { rowTile, columnTile } = kernel.schedule;
  const items = Math.ceil(shape.rows / rowTile) * Math.ceil(shape.columns / columnTile);
  const ends = [...cuts.filter((cut) => cut < items), items];
  ends.forEach((end, position) => {
    memory.set(scratch, addresses[0]);
    const parameters = [ends[position - 1] ?? 0, end, ...addresses, ...integers];
    call(index, BigInt64Array.from(parameters, BigInt), memory);
  });
  return new Float32Array(memory.buffer, addresses.at(-1), result.length).slice();
}

for (const build of testedBuilds) {
  describe(`products of the native target with ${titleOf(build)}`, () => {
    let call: KernelCall;
    before(function () {
      this.timeout(60_000);
      skipWithoutNative(this);
      call = loadKernels(renderNativeModule(kernels.map((kernel, index) => ({ name: `product_${index}`, kernel }))), build);
    });
    const check = (product: Product, tolerance?: number): Float32Array => {
      const { rows, columns, depth } = product.shape;
      const what = `${rows} x ${columns} x ${depth}`;
      const whole = run(call, product);
      expect(firstError(whole, expectedProduct(product), tolerance), what).to.equal(undefined);
      expect(run(call, product, [1, 2, 5]), `${what}, in four parts`).to.deep.equal(whole);
      return whole;
    };

    for (const [name, epilogue] of Object.entries({ nothing: [], ...epilogues })) {
      it(`gemm and ${name}`, () => {
        for (const rows of [1, 2, 5, 12, 13, 50])
          for (const columns of [1, 16, 17, 32, 100])
            for (const depth of [1, 33])
              check(makeProduct(plainRight(columns, depth), { rows, columns, depth, epilogue, gap: rows % 3 }));
      });
    }
    it('gemm of a depth that is cut, of many rows, and a row alone', () => {
      const right = plainRight(48, 4000);
      const product = makeProduct(right, { rows: 120, columns: 48, depth: 4000 });
      const whole = check(product);
      const alone = makeProduct(right, { rows: 1, columns: 48, depth: 4000, left: product.left.slice(-4000) });
      expect(run(call, alone), 'the last row has the bits that it has among others').to.deep.equal(whole.slice(-48));
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
