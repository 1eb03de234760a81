/** Products on CUDA that take in the norm of their left side, and those that gather the statistics for it, kernel by kernel. */
import { expect } from 'chai';
import { cudaTarget, type Precision } from '../../compiler/codegen/cuda/target.ts';
import type { BlockGemmKernel, EpilogueStep, GemmKernel, NormKernel } from '../../compiler/kernel/kernel.ts';
import { partColumns, statisticsCount, type LeftNorm, type Norm } from '../../compiler/kernel/row-norm.ts';
import { formatBlockFormat } from '../../compiler/weights/block-format.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaIsThere } from '../cuda-device.ts';
import { requires } from '../requirements.ts';
import { normedLeft, normedProduct, statisticsOf, vectorsOf, type NormedLeft } from './norm-products.ts';
import {
  blockFormats,
  blockRight,
  expectedProduct,
  firstError,
  halfRight,
  makeProduct,
  numbers,
  plainRight,
  restartNumbers,
  type Floats,
  type Product,
  type ProductShape,
  type RightSide,
} from './products.ts';
import { unitsOf } from './rounded.ts';
import { runCudaKernels, type KernelRun } from './run-cuda-kernels.ts';

const norms: readonly Norm[] = ['rms', 'layer'];
const precisions: readonly Precision[] = ['f32', 'f16', 'bf16'];
type ProductKernel = GemmKernel | BlockGemmKernel;

function scheduleOf(right: RightSide, precision: Precision, rows: number | string, columns: number, depth: number) {
  const target = cudaTarget(precision);
  return right.kernel.kind === 'gemm'
    ? target.gemmSchedule(rows, columns, depth)
    : target.blockGemmSchedule(rows, columns, depth);
}
interface Case {
  readonly precision: Precision;
  readonly right: RightSide;
  readonly shape: ProductShape;
  readonly norm: NormedLeft;
  readonly statistics: LeftNorm['statistics'];
  /** What the schedule is for, where it is something else than the product. */
  readonly scheduled?: { readonly rows?: number | string; readonly columns?: number };
}
const wordsOf = ({ precision, right: { kernel }, shape: { rows, columns, depth, gap = 0 }, norm }: Case): string =>
  `${norm.norm} ${precision} ${kernel.kind === 'gemm' ? kernel.right : formatBlockFormat(kernel.format)} ${rows} x ${columns} x ${depth}, gap ${gap}`;

/** Parts as wide as those that a product gathers. */
const part = 32;
function runOf({ precision, right, shape, norm, statistics, scheduled }: Case): { run: KernelRun; product: Product } {
  const product = makeProduct(right, shape);
  const { rows, columns, depth, gap = 0 } = shape;
  const schedule = scheduleOf(right, precision, scheduled?.rows ?? rows, scheduled?.columns ?? columns, depth);
  const leftNorm: LeftNorm = { norm: norm.norm, epsilon: norm.epsilon, statistics };
  const gathered = statistics === 'gathered';
  const own = gathered ? [statisticsOf(norm.norm, product.left, { rows, width: depth, pitch: depth + gap, part })] : [];
  const kernel = { ...right.kernel, epilogue: product.epilogue, schedule, leftNorm } as ProductKernel;
  return {
    product,
    run: {
      kernel,
      reads: [product.left, ...right.reads, ...product.extras, ...vectorsOf(norm), ...own],
      result: product.result,
      integers: [...product.integers, ...(gathered ? [part] : [])],
    },
  };
}
/** Close to what is computed in float64: f32 loses a few places in the norm, and tensor cores round both factors of each product. */
async function expectNormed(cases: readonly Case[]): Promise<void> {
  const made = cases.map(runOf);
  const found = await runCudaKernels(made.map(({ run }) => run));
  made.forEach(({ product }, index) => {
    const own = cases[index] as Case;
    const unit = own.precision === 'f32' || own.statistics === 'computed' ? 0 : unitsOf[own.precision];
    const expected = expectedProduct(normedProduct(product, own.norm));
    expect(firstError(found[index] as Float32Array, expected, 2 * unit + unit ** 2 + 4e-6), wordsOf(own)).to.equal(undefined);
  });
}
const q8 = blockFormats[0] as (typeof blockFormats)[number];
const q4 = blockFormats.at(-1) as (typeof blockFormats)[number];

describe('products on CUDA with the norm of their left side', function () {
  this.timeout(300_000);
  before(function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
  });
  beforeEach(restartNumbers);
  for (const norm of norms) {
    it(`${norm}: few rows compute their statistics, whatever the right side is stored as`, async () => {
      const epilogue: readonly EpilogueStep[] = [{ step: 'bias' }, { step: 'activation', op: 'silu' }];
      const common = { precision: 'f16', statistics: 'computed' } as const;
      const of = (
        rightOf: (columns: number, depth: number) => RightSide,
        rows: number,
        columns: number,
        depth: number,
      ): Case => ({
        ...common,
        right: rightOf(columns, depth),
        shape: { rows, columns, depth, gap: rows === 3 ? 5 : 0, ...(rows === 2 ? { epilogue } : {}) },
        norm: normedLeft(norm, depth),
      });
      await expectNormed([
        of(plainRight, 1, 9, 5),
        of(plainRight, 3, 21, 1024),
        of(halfRight, 1, 33, 200),
        of(halfRight, 4, 21, 1024),
        of(halfRight, 2, 6, 131),
        of((columns, depth) => blockRight(q8, columns, depth), 1, 17, 96),
        of((columns, depth) => blockRight(q4, columns, depth), 2, 17, 2048),
      ]);
    });
    for (const precision of precisions)
      it(`${norm} in ${precision}: tiles take the statistics of parts of rows`, async () => {
        const of = (right: RightSide, shape: ProductShape, scheduled: Case['scheduled'] = {}): Case => ({
          ...{ precision, right, shape, norm: normedLeft(norm, shape.depth), statistics: 'gathered' },
          scheduled: { rows: 'tokens', ...scheduled },
        });
        await expectNormed([
          of(plainRight(66, 36), { rows: 33, columns: 66, depth: 36 }),
          of(halfRight(40, 200), { rows: 70, columns: 40, depth: 200, gap: 4 }),
          of(halfRight(20, 50), { rows: 5, columns: 20, depth: 50, gap: 3 }),
          of(blockRight(q4, 33, 96), { rows: 20, columns: 33, depth: 96 }),
          ...(precision === 'f32'
            ? []
            : [
                of(halfRight(68, 136), { rows: 129, columns: 68, depth: 136 }, { columns: 1024 }),
                of(halfRight(132, 64), { rows: 130, columns: 132, depth: 64 }, { columns: 4096 }),
                of(plainRight(40, 200), { rows: 16, columns: 40, depth: 200 }, { rows: 16 }),
                of(halfRight(40, 264), { rows: 30, columns: 40, depth: 264 }, { rows: 32 }),
              ]),
        ]);
      });
  }
  for (const norm of norms)
    it(`${norm}: the kernel of a norm takes the statistics of parts of rows`, async () => {
      const [rows, depth] = [7, 150];
      const [own, left] = [normedLeft(norm, depth), numbers(7 * 150)];
      const kernel: NormKernel = {
        ...{ kind: 'norm', norm, epsilon: own.epsilon, rank: 2, gathered: true },
        operands: [{ elementType: 'f32', lastStride: 1, indirect: false }],
        body: { kind: 'load', type: 'f32', operand: 0 },
      };
      const statistics = statisticsOf(norm, left, { rows, width: depth, pitch: depth, part });
      const reads = [left, ...vectorsOf(own), statistics];
      const [found] = await runCudaKernels([
        { kernel, reads, result: new Float32Array(rows * depth), integers: [rows, depth, depth, 1, part] },
      ]);
      const expected = normedProduct(makeProduct(plainRight(1, depth), { rows, columns: 1, depth, left }), own).left;
      found?.forEach((value, at) => expect(value).to.be.closeTo(expected[at] as number, 4e-6));
    });
  it('rows far above or below what 16 bits hold are normalised before they are rounded', async () => {
    const [rows, columns, depth] = [20, 24, 64];
    const left = numbers(rows * depth).map((value, at) => value * 10 ** ((Math.floor(at / depth) % 3) * 8 - 8));
    // Squares of 1e-8 are not above epsilon.
    const norm = { ...normedLeft('rms', depth), epsilon: 1e-30 };
    const own = {
      right: plainRight(columns, depth),
      shape: { rows, columns, depth, left },
      norm,
      statistics: 'gathered',
    } as const;
    await expectNormed(precisions.map((precision) => ({ ...own, precision, scheduled: { rows: 'tokens' } })));
  });
  it('a mean far above the distances from it leaves them their places', async () => {
    const [rows, columns, depth] = [4, 24, 96];
    const left = numbers(rows * depth).map((value) => 1000 + value);
    const norm = normedLeft('layer', depth);
    const right = plainRight(columns, depth);
    const own = { right, shape: { rows, columns, depth, left }, norm, precision: 'f32' } as const;
    const cases: readonly Case[] = [
      { ...own, statistics: 'computed' },
      { ...own, statistics: 'gathered', scheduled: { rows: 'tokens' } },
    ];
    const made = cases.map(runOf);
    const found = await runCudaKernels(made.map(({ run }) => run));
    // The mean of 96 floats near 1000 is off by 2^-14 at most in each, and distances are up to one.
    const expected = expectedProduct(normedProduct((made[0] as (typeof made)[number]).product, norm));
    for (const values of found) expect(firstError(values, expected, 3e-4)).to.equal(undefined);
  });

  for (const norm of norms)
    it(`${norm}: a residual is normalised before it is added, whether four columns are stored at once or one`, async () => {
      const shapes: readonly (readonly [precision: Precision, shape: ProductShape, scheduled: Case['scheduled']])[] = [
        ['f32', { rows: 70, columns: 66, depth: 20 }, {}],
        ['f16', { rows: 70, columns: 68, depth: 24 }, {}],
        ['f16', { rows: 33, columns: 67, depth: 24, gap: 3 }, {}],
        ['f16', { rows: 130, columns: 132, depth: 40 }, { columns: 4096 }],
        ['f16', { rows: 16, columns: 72, depth: 128 }, { rows: 16 }],
      ];
      const made = shapes.map(([precision, shape, scheduled]) => {
        const { rows, columns, depth, gap = 0 } = shape;
        const right = halfRight(columns, depth);
        const [own, left] = [normedLeft(norm, columns), normedLeft('rms', depth)];
        const residual: EpilogueStep = { step: 'residual', normed: { norm, epsilon: own.epsilon } };
        const product = makeProduct(right, { ...shape, epilogue: [{ step: 'bias' }, residual] });
        const schedule = scheduleOf(right, precision, scheduled?.rows ?? 'tokens', scheduled?.columns ?? columns, depth);
        const leftNorm: LeftNorm = { norm: 'rms', epsilon: left.epsilon, statistics: 'gathered' };
        const kernel = { ...right.kernel, epilogue: product.epilogue, schedule, leftNorm } as ProductKernel;
        const added = product.extras[1] as Floats;
        const statistics = [
          [left, product.left, depth, depth + gap, 32] as const,
          [own, added, columns, columns + gap, 16] as const,
        ].flatMap(([of, values, width, pitch, ofPart]) => [
          ...vectorsOf(of),
          statisticsOf(of.norm, values, { rows, width, pitch, part: ofPart }),
        ]);
        const run: KernelRun = {
          kernel,
          reads: [product.left, ...right.reads, ...product.extras, ...statistics],
          result: product.result,
          integers: [...product.integers, 32, 16],
        };
        // As a left side of so many columns, the residual becomes what is added.
        const asLeft = { ...product, left: added, shape: { rows, columns: 0, depth: columns, gap } };
        const extras = [product.extras[0] as Floats, normedProduct(asLeft, own).left];
        return { run, expected: expectedProduct(normedProduct({ ...product, extras }, left)), unit: unitsOf[precision] };
      });
      const found = await runCudaKernels(made.map(({ run }) => run));
      made.forEach(({ expected, unit }, index) =>
        expect(
          firstError(found[index] as Float32Array, expected, 2 * unit + unit ** 2 + 4e-6),
          JSON.stringify(shapes[index]),
        ).to.equal(undefined),
      );
    });
  for (const norm of norms)
    it(`${norm}: statistics of the rows of a result are gathered with its values, whose bits they do not change`, async () => {
      const epilogue: readonly EpilogueStep[] = [{ step: 'bias' }, { step: 'residual' }];
      const shapes: readonly (readonly [precision: Precision, shape: ProductShape, scheduled: Case['scheduled']])[] = [
        ['f32', { rows: 70, columns: 129, depth: 20 }, {}],
        ['f16', { rows: 70, columns: 130, depth: 24 }, {}],
        ['bf16', { rows: 33, columns: 68, depth: 24, gap: 4 }, {}],
        ['f16', { rows: 130, columns: 100, depth: 40 }, { columns: 1024 }],
        ['f16', { rows: 130, columns: 132, depth: 40 }, { columns: 4096 }],
        ['f16', { rows: 16, columns: 72, depth: 130 }, { rows: 16 }],
      ];
      const made = shapes.map(([precision, shape, scheduled]) => {
        const { rows, columns, depth, gap = 0 } = shape;
        const right = halfRight(columns, depth);
        const product = makeProduct(right, { ...shape, epilogue });
        const schedule = scheduleOf(right, precision, scheduled?.rows ?? 'tokens', scheduled?.columns ?? columns, depth);
        const plain = { ...right.kernel, epilogue, schedule } as ProductKernel;
        const { result, integers } = product;
        const own = { reads: [product.left, ...right.reads, ...product.extras], result, integers };
        const width = partColumns(schedule);
        const statistics: Floats = new Float32Array(Number(statisticsCount(norm, rows, columns, width))).fill(NaN);
        const gathering: KernelRun = { ...own, kernel: { ...plain, gathers: norm }, statistics };
        return {
          plain: { ...own, kernel: plain },
          gathering,
          place: { rows, width: columns, pitch: columns + gap, part: width },
        };
      });
      const found = await runCudaKernels(made.flatMap(({ plain, gathering }) => [plain, gathering]));
      made.forEach(({ gathering: { statistics }, place }, index) => {
        const [values, beside] = found.slice(2 * index) as [Float32Array, Float32Array];
        expect(beside, JSON.stringify(place)).to.deep.equal(values);
        const expected = statisticsOf(norm, values, place);
        statistics?.forEach((value, at) =>
          expect(value, `${JSON.stringify(place)}, ${at}`).to.be.closeTo(
            expected[at] as number,
            1e-4 * Math.max(1, Math.abs(expected[at] as number)),
          ),
        );
      });
    });
});
