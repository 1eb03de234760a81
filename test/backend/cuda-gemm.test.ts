/** Products on CUDA, kernel by kernel: by tensor cores against what rounded sides give in float64, and against sides as they are. */
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { gemmSchedule } from '../../compiler/codegen/cuda/gemm-schedules.ts';
import { chunkExchangeText, chunkPlace, chunkPlaceText, tileLayout } from '../../compiler/codegen/cuda/kernels/tile-layout.ts';
import { cudaTarget, type Precision } from '../../compiler/codegen/cuda/target.ts';
import { formatBlockFormat, type BlockFormat } from '../../compiler/weights/block-format.ts';
import type { BlockGemmKernel, GemmKernel, TensorCoreSchedule } from '../../compiler/kernel/kernel.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaIsThere } from '../cuda-device.ts';
import { requires, requiresTime } from '../requirements.ts';
import {
  blockFormats,
  blockRight,
  epilogues,
  expectedProduct,
  firstError,
  halfRight,
  makeProduct,
  numbers,
  plainRight,
  restartNumbers,
  type Product,
  type ProductShape,
  type RightSide,
} from './products.ts';
import { roundings, unitsOf } from './rounded.ts';
import { runCudaKernels } from './run-cuda-kernels.ts';

interface Settings extends ProductShape {
  /** What the schedule is for, where it is something else than the product: a longer one has larger tiles. */
  readonly scheduled?: { readonly rows?: number; readonly columns?: number };
  readonly precision?: Precision;
}
type Pair = readonly [right: RightSide, settings: Settings];

/** Computes products with kernels that are compiled together. */
async function multiply(pairs: readonly Pair[]): Promise<readonly { product: Product; found: Float32Array; what: string }[]> {
  const products = pairs.map(([right, settings]) => makeProduct(right, settings));
  const found = await runCudaKernels(
    products.map(({ epilogue, left, right, extras, result, integers }, index) => {
      const { rows, columns, depth, scheduled, precision = 'f16' } = (pairs[index] as Pair)[1];
      const target = cudaTarget(precision);
      const shape = [scheduled?.rows ?? rows, scheduled?.columns ?? columns, depth] as const;
      const schedule = right.kernel.kind === 'gemm' ? target.gemmSchedule(...shape) : target.blockGemmSchedule(...shape);
      const kernel = { ...right.kernel, epilogue, schedule } as GemmKernel | BlockGemmKernel;
      return { kernel, reads: [left, ...right.reads, ...extras], result, integers };
    }),
  );
  return products.map((product, index) => {
    const { rows, columns, depth, gap = 0, scheduled, precision = 'f16' } = (pairs[index] as Pair)[1];
    const { kernel } = product.right;
    const stored = kernel.kind === 'gemm' ? kernel.right : formatBlockFormat(kernel.format);
    const what = `${precision} ${stored}: ${rows} x ${columns} x ${depth}, gap ${gap}, for ${JSON.stringify(scheduled ?? {})}`;
    return { product, found: found[index] as Float32Array, what };
  });
}
/**
 * The sums of rounded sides are those of f32. Those of the sides as they are differ by the rounding of both factors, at most
 * 2 u + u^2 of each product, u being half of the last place: 2^-11 in f16, 2^-8 in bf16.
 */
async function expectProducts(pairs: readonly Pair[]): Promise<void> {
  const computed = await multiply(pairs);
  computed.forEach(({ product, found, what }, index) => {
    const { precision = 'f16', epilogue = [] } = (pairs[index] as Pair)[1];
    expect(firstError(found, expectedProduct(product, roundings[precision])), what).to.equal(undefined);
    const unit = unitsOf[precision];
    // An activation is steeper than one at places.
    if (epilogue.every(({ step }) => step !== 'activation'))
      expect(firstError(found, expectedProduct(product), 2 * unit + unit ** 2 + 2e-6), what).to.equal(undefined);
  });
}
const rounded = ['f16', 'bf16'] as const;
const rights = { f32: plainRight, f16: halfRight } as const;

describe('products on CUDA', function () {
  this.timeout(600_000);
  before(function () {
    requiresTime(this);
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
  });
  beforeEach(restartNumbers);

  /** What each schedule is for. */
  const schedules = {
    'tiles of 64 x 64': { rows: 100, columns: 64 },
    'tiles of 128 x 64': { rows: 100, columns: 1024 },
    'tiles of 128 x 128': { rows: 100, columns: 4096 },
    '16 rows, whose depth four warps share': { rows: 16, columns: 64 },
    '32 rows, whose depth four warps share': { rows: 32, columns: 64 },
  } as const;
  for (const precision of rounded)
    for (const [what, scheduled] of Object.entries(schedules)) {
      it(`${precision}, ${what}: any shape, whether rows are aligned or not, is the product`, async () => {
        const shapes = [
          [1, 1, 1],
          [5, 3, 7],
          [16, 40, 8],
          [33, 66, 36],
          [70, 129, 50],
          [64, 64, 64],
          [129, 132, 136],
          [37, 68, 200],
        ] as const;
        await expectProducts(
          Object.values(rights).flatMap((rightOf) =>
            shapes.flatMap(([rows, columns, depth]) =>
              [0, 3, 4].map((gap): Pair => [rightOf(columns, depth), { rows, columns, depth, gap, scheduled, precision }]),
            ),
          ),
        );
      });
      const formats = precision === 'f16' ? blockFormats : [blockFormats[0] as BlockFormat, ...blockFormats.slice(-2)];
      it(`${precision}, ${what}: blocks of ${formats.length} formats are the product`, async () => {
        await expectProducts(
          formats.flatMap((format) =>
            (
              [
                [5, 70, 32],
                [40, 68, 160],
                [130, 33, 96],
              ] as const
            ).map(([rows, columns, depth]): Pair => [
              blockRight(format, columns, depth),
              { rows, columns, depth, scheduled, precision },
            ]),
          ),
        );
      });
    }
  for (const [what, epilogue] of Object.entries(epilogues)) {
    it(`${what}: an epilogue in its order, whether four columns are stored at once or one`, async () => {
      const format = blockFormats.at(-1) as BlockFormat;
      await expectProducts(
        [40, 37].flatMap((columns) =>
          [16, 100].flatMap((rows): readonly Pair[] => [
            [plainRight(columns, 24), { rows: 35, columns, depth: 24, epilogue, gap: 4, scheduled: { rows } }],
            [blockRight(format, columns, 64), { rows: 14, columns, depth: 64, epilogue, scheduled: { rows } }],
          ]),
        ),
      );
    });
  }
  it('few rows, whose depth is shared out, are the product in f32', async () => {
    const shapes = [
      [1, 1],
      [9, 5],
      [16, 128],
      [33, 200],
      [40, 131],
      [21, 1024],
      [6, 4096],
    ] as const;
    const products = [1, 2, 3, 4].flatMap((rows) =>
      Object.values(rights).flatMap((rightOf) =>
        shapes.map(([columns, depth]): Pair => [rightOf(columns, depth), { rows, columns, depth, gap: rows - 1 }]),
      ),
    );
    const blocks = [blockFormats[0], blockFormats.at(-1)].flatMap((format) =>
      [96, 2048].map((depth): Pair => [blockRight(format as BlockFormat, 17, depth), { rows: 2, columns: 17, depth }]),
    );
    for (const { product, found, what } of await multiply([...products, ...blocks]))
      expect(firstError(found, expectedProduct(product)), what).to.equal(undefined);
  });
  it('f32: tiles are the product', async () => {
    const shapes = [
      [33, 65, 36],
      [70, 129, 50],
    ] as const;
    const pairs = Object.values(rights).flatMap((rightOf) =>
      shapes.map(([rows, columns, depth]): Pair => [rightOf(columns, depth), { rows, columns, depth, precision: 'f32' }]),
    );
    for (const { product, found, what } of await multiply(pairs))
      expect(firstError(found, expectedProduct(product)), what).to.equal(undefined);
  });

  it('a row has the same bits whatever the rows beside it, and gives them again', async () => {
    const [columns, depth, most] = [70, 100, 140];
    const left = numbers(most * depth);
    const parts = [
      [0, most],
      [0, most],
      [0, 1],
      [31, 2],
      [40, 90],
      [139, 1],
    ] as const;
    for (const right of [plainRight(columns, depth), halfRight(columns, depth)]) {
      const scheduled = { rows: 100, columns: 1024 };
      const pairs = parts.map(([first, rows]): Pair => [
        right,
        { rows, columns, depth, scheduled, left: left.slice(first * depth, (first + rows) * depth) },
      ]);
      const [whole, ...others] = await multiply(pairs);
      others.forEach(({ found }, index) => {
        const [first, rows] = parts[index + 1] as readonly [number, number];
        expect(found).to.deep.equal(whole?.found.slice(first * columns, (first + rows) * columns));
      });
    }
  });
  it('an infinity goes through to its row alone, and what lies beyond the depth to no sum', async () => {
    const [rows, columns, depth] = [20, 24, 12];
    const left = numbers(rows * depth);
    // The largest of f16 is 65504: what rounds to more is infinite.
    left[3 * depth + depth - 1] = 1e6;
    const [computed] = await multiply([[plainRight(columns, depth), { rows, columns, depth, left, scheduled: { rows: 100 } }]]);
    computed?.found.forEach((value, index) => {
      expect(Number.isNaN(value)).to.equal(false);
      expect(Number.isFinite(value), `${index}`).to.equal(Math.floor(index / columns) !== 3);
    });
  });
});

describe('schedules of products on CUDA', () => {
  const sides = { run: 8, depthTile: 16 };
  const chosen = (precision: Precision, rows: number | string, columns: number): object =>
    gemmSchedule(precision, [rows, columns, 768], sides);
  it('tensor cores multiply what is rounded; decoding reads the right side once', () => {
    expect(chosen('f32', 'tokens', 768)).to.have.property('threadRows');
    for (const precision of rounded) {
      for (const rows of ['tokens', 5, 32, 1000]) expect(chosen(precision, rows, 768)).to.include({ multiply: precision });
      for (const rows of [1, 4])
        expect(chosen(precision, rows, 768))
          .to.include({ rowTile: rows })
          .and.have.property('threads');
    }
  });
  it('static shared memory stays within 48 KiB, whatever the right side is stored as', () => {
    for (const rows of ['tokens', 5, 17, 33])
      for (const columns of [64, 1024, 8192]) {
        const { rowTile, columnTile, depthTile, warpRows, warpColumns, warpDepth, stages } = chosen(
          'f16',
          rows,
          columns,
        ) as TensorCoreSchedule;
        const tiles = 2 * depthTile * (2 * rowTile + Math.max(2, stages) * columnTile);
        expect(tiles + 4 * (warpDepth - 1) * rowTile * columnTile).to.be.at.most(48 * 1024);
        expect(32 * warpRows * warpColumns * warpDepth).to.be.within(128, 256);
      }
  });
});

describe('tiles in shared memory', () => {
  /** Of 16 bytes each: those that the same banks hold are a multiple of 128 bytes apart. */
  const banksOf = (chunks: readonly number[]): number => new Set(chunks.map((chunk) => chunk % 8)).size;
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  for (const depth of [16, 32, 64, 128]) {
    const layout = tileLayout(depth);
    it(`rows of ${depth}: what ldmatrix reads together, and what eight threads store, lies in different banks`, () => {
      for (let row = 0; row < 64; row += 8)
        for (let chunk = 0; chunk < layout.chunks; chunk += 1)
          expect(banksOf(eight.map((next) => chunkPlace(layout, row + next, chunk)))).to.equal(8);
      for (let first = 0; first < 64 * layout.chunks; first += 8) {
        const stored = eight.map((next) =>
          chunkPlace(layout, Math.floor((first + next) / layout.chunks), (first + next) % layout.chunks),
        );
        expect(banksOf(stored)).to.equal(8);
      }
    });
    it(`rows of ${depth}: every chunk has a place of its own, which kernels compute in the same way`, () => {
      const [text, exchanged] = runInNewContext(
        `[(row, chunk) => ${chunkPlaceText(layout, 'row', 'chunk')}, (row) => ${chunkExchangeText(layout, 'row')}]`,
      ) as [(row: number, chunk: number) => number, (row: number) => number];
      const places = new Set<number>();
      for (let row = 0; row < 32; row += 1)
        for (let chunk = 0; chunk < layout.chunks; chunk += 1) {
          const place = chunkPlace(layout, row, chunk);
          places.add(place);
          expect(text(row, chunk)).to.equal(place);
          expect(row * layout.chunks + (chunk ^ exchanged(row))).to.equal(place);
        }
      expect(places.size).to.equal(32 * layout.chunks);
      expect(Math.max(...places)).to.equal(32 * layout.chunks - 1);
    });
  }
});
