/** Kernels of products of the native target, as tests run them. */
import { expect } from 'chai';
import type { ActivationType } from '../../compiler/codegen/native/activations.ts';
import { blockGemmSchedules } from '../../compiler/codegen/native/block-gemm.ts';
import type { NativeBuild } from '../../compiler/codegen/native/compile-c.ts';
import { gemmSchedule } from '../../compiler/codegen/native/gemm.ts';
import { renderNativeModule } from '../../compiler/codegen/native/module.ts';
import { panelWidth } from '../../compiler/codegen/native/product-tiles.ts';
import { scratchBytes } from '../../compiler/codegen/native/renderers.ts';
import type { BlockGemmKernel, EpilogueStep, GemmKernel } from '../../compiler/kernel/kernel.ts';
import { loadKernels, type KernelCall } from './native-library.ts';
import {
  blockFormats,
  epilogues,
  firstError,
  type ExpectedProduct,
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
export const blockEpilogues = [[], epilogues['activation, residual, bias, residual'] ?? []];
const blockKernels = (activations: ActivationType): readonly ProductKernel[] =>
  blockFormats.flatMap((format) =>
    blockEpilogues.map(
      (epilogue) => ({ kind: 'block_gemm', format, epilogue, schedule: blockGemmSchedules[activations] }) as const,
    ),
  );
export const floatKernels: readonly ProductKernel[] = [...[[], ...Object.values(epilogues)].map(gemm), ...blockKernels('f32')];
export const integerKernels = blockKernels('int8');
const kernelOf = (kernels: readonly ProductKernel[], wanted: Pick<Product, 'right' | 'epilogue'>): number =>
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

/** Kernels, and how one of them is called. */
export interface Products {
  readonly kernels: readonly ProductKernel[];
  readonly call: KernelCall;
}
export function load(kernels: readonly ProductKernel[], build: NativeBuild): Products {
  const text = renderNativeModule(kernels.map((kernel, index) => ({ name: `product_${index}`, kernel })));
  return { kernels, call: loadKernels(text, build) };
}

/** The result of a product whose items are computed in ranges that end at the cuts; scratch is filled with NaN before each. */
export function run({ kernels, call }: Products, product: Product, cuts: readonly number[] = []): Float32Array {
  const { right, shape, left, extras, result, integers } = product;
  const index = kernelOf(kernels, product);
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

/** Checks the result, also of items in four parts; gives it. */
export function checkParts(products: Products, product: Product, expected: ExpectedProduct, tolerance?: number): Float32Array {
  const { rows, columns, depth } = product.shape;
  const what = `${rows} x ${columns} x ${depth}`;
  const whole = run(products, product);
  expect(firstError(whole, expected, tolerance), what).to.equal(undefined);
  expect(run(products, product, [1, 2, 5]), `${what}, in four parts`).to.deep.equal(whole);
  return whole;
}
