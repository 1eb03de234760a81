/** Products on WebGPU, kernel by kernel, against float64. */
import { expect } from 'chai';
import type { KernelFeatures } from '../../compiler/codegen/clike/kernel-builder.ts';
import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import type { BlockGemmKernel, GemmKernel } from '../../compiler/kernel/kernel.ts';
import { dequantise, formatBlockFormat, type BlockFormat } from '../../compiler/weights/block-format.ts';
import { requires, requiresTime } from '../requirements.ts';
import { webgpuIsThere } from '../webgpu-adapter.ts';
import {
  asBytes,
  blockFormats,
  blockRight,
  epilogues,
  expectedProduct,
  firstError,
  halfRight,
  makeProduct,
  numbers,
  plainRight,
  randomBlocks,
  restartNumbers,
  type ExpectedProduct,
  type ProductShape,
  type RightSide,
} from './products.ts';
import { kernelText, runKernel } from './run-kernel.ts';

interface Settings extends ProductShape {
  /** Rows that the schedule is for; more than four: tiles. */
  readonly scheduledRows?: number;
  readonly features?: KernelFeatures;
}
interface Computed {
  readonly found: Float32Array;
  readonly expected: ExpectedProduct;
}

async function multiply(right: RightSide, settings: Settings): Promise<Computed> {
  const { rows, columns, depth, scheduledRows = rows, features } = settings;
  const product = makeProduct(right, settings);
  const schedule =
    right.kernel.kind === 'gemm'
      ? webgpuTarget.gemmSchedule(scheduledRows, columns, depth)
      : webgpuTarget.blockGemmSchedule(scheduledRows, columns, depth);
  const { epilogue, left, extras, result, integers } = product;
  const found = await runKernel({
    kernel: { ...right.kernel, epilogue, schedule } as GemmKernel | BlockGemmKernel,
    reads: [left, ...right.reads, ...extras],
    result,
    integers,
    ...(features ? { features } : {}),
  });
  return { found, expected: expectedProduct(product) };
}
function expectProduct({ found, expected }: Computed, what: string): void {
  expect(firstError(found, expected), what).to.equal(undefined);
}

const builds: Readonly<Record<string, KernelFeatures>> = {
  plain: { subgroups: 'none', half: false },
  subgroups: { subgroups: 'device', half: false },
  ...Object.fromEntries(
    [4, 8, 16, 32, 64].map((imitated) => [`subgroups of ${imitated}`, { subgroups: { imitated }, half: false }]),
  ),
};
describe('products on WebGPU', () => {
  before(function () {
    requires(this, 'webgpu', webgpuIsThere());
    requiresTime(this);
  });
  beforeEach(restartNumbers);

  const shapes = [
    [1, 1, 1],
    [5, 3, 7],
    [7, 70, 33],
    [33, 65, 36],
    [32, 64, 16],
    [70, 129, 50],
    [64, 31, 128],
    [37, 66, 1],
  ] as const;
  for (const [what, rightOf] of Object.entries({ f32: plainRight, f16: halfRight })) {
    it(`${what}: tiles of any shape, whether rows are aligned or not, are the product`, async () => {
      for (const [rows, columns, depth] of shapes)
        for (const gap of [0, 3, 4])
          expectProduct(
            await multiply(rightOf(columns, depth), { rows, columns, depth, gap, scheduledRows: 64 }),
            `${rows} x ${columns} x ${depth}, gap ${gap}`,
          );
    });
    it(`${what}: few rows, whose depth is shared out, are the product`, async () => {
      for (const rows of [1, 2, 3, 4])
        for (const [columns, depth] of [
          [1, 1],
          [9, 5],
          [16, 128],
          [33, 200],
          [40, 131],
        ] as const)
          expectProduct(
            await multiply(rightOf(columns, depth), { rows, columns, depth, gap: rows - 1 }),
            `${rows} x ${columns} x ${depth}`,
          );
    });
  }
  for (const format of blockFormats) {
    it(`${formatBlockFormat(format)}: tiles and few rows are the product`, async () => {
      for (const [rows, columns, depth] of [
        [1, 17, 96],
        [3, 33, 544],
        [5, 70, 32],
        [40, 67, 160],
      ] as const)
        for (const gap of [0, 1])
          expectProduct(
            await multiply(blockRight(format, columns, depth), { rows, columns, depth, gap }),
            `${rows} x ${columns} x ${depth}, gap ${gap}`,
          );
    });
    it(`${formatBlockFormat(format)}: rows that are looked up have the values of the blocks`, async () => {
      const [columns, depth] = [9, 96];
      const matrix = randomBlocks(format, columns, depth);
      const reads = [asBytes(matrix.quants), ...[matrix.scales, matrix.minima ?? []].filter((part) => part.length > 0)];
      const ids = Int32Array.of(8, 0, 3, 3);
      const found = await runKernel({
        kernel: { kind: 'block_lookup', format },
        reads: [ids, ...reads.map((part) => (part instanceof Uint8Array ? part : Float32Array.from(part)))],
        result: new Float32Array(ids.length * depth),
        integers: [ids.length, depth],
      });
      const values = dequantise(matrix);
      ids.forEach((id, row) => {
        for (let at = 0; at < depth; at += 1) {
          // A device may fuse the multiplication with the addition.
          const expected = values[id * depth + at] as number;
          expect(found[row * depth + at]).to.be.closeTo(expected, 4e-7 * Math.max(1, Math.abs(expected)));
        }
      });
    });
  }
  for (const [what, epilogue] of Object.entries(epilogues)) {
    it(`${what}: an epilogue in its order, for tiles and for few rows`, async () => {
      for (const rows of [2, 35]) {
        const size = { rows, columns: 37, depth: 20, epilogue, gap: 2 };
        expectProduct(await multiply(plainRight(size.columns, size.depth), size), `${rows} rows`);
      }
      const format = blockFormats.at(-1) as BlockFormat;
      const size = { rows: 6, columns: 37, depth: 64, epilogue };
      expectProduct(await multiply(blockRight(format, size.columns, size.depth), size), 'blocks');
    });
  }
  it('gelu is the one with erf', async () => {
    const size = { rows: 5, columns: 19, depth: 8 };
    const right = plainRight(size.columns, size.depth);
    const left = numbers(size.rows * size.depth);
    const plain = await multiply(right, { ...size, left });
    const { found } = await multiply(right, { ...size, left, epilogue: [{ step: 'activation', op: 'gelu' }] });
    const erf = (x: number): number => {
      // Its Taylor series, which converges fast for |x| < 4.
      let [term, sum] = [x, x];
      for (let n = 1; n < 120; n += 1) {
        term *= (-x * x) / n;
        sum += term / (2 * n + 1);
      }
      return (2 / Math.sqrt(Math.PI)) * sum;
    };
    plain.expected.values.forEach((x, index) => {
      expect(found[index]).to.be.closeTo(0.5 * x * (1 + erf(x / Math.SQRT2)), 1e-5);
    });
  });

  it('every build gives the same bits, and gives them again', async () => {
    for (const rightOf of [
      plainRight,
      halfRight,
      (n: number, d: number) => blockRight(blockFormats.at(-1) as BlockFormat, n, d),
    ]) {
      for (const rows of [2, 19]) {
        const size = { rows, columns: 21, depth: 352 };
        const right = rightOf(size.columns, size.depth);
        const left = numbers(rows * size.depth);
        const first = (await multiply(right, { ...size, left })).found;
        for (const [build, features] of Object.entries(builds)) {
          const { found } = await multiply(right, { ...size, left, features });
          expect(found, `${right.kernel.kind}, ${rows} rows, ${build}`).to.deep.equal(first);
        }
      }
    }
  });
  it('a row has the same bits whatever the rows beside it', async () => {
    const [columns, depth, most] = [70, 100, 70];
    for (const right of [
      plainRight(columns, depth),
      halfRight(columns, depth),
      blockRight(blockFormats[0] as BlockFormat, columns, 96),
    ]) {
      const size = right.kernel.kind === 'block_gemm' ? 96 : depth;
      const left = numbers(most * size);
      const whole = (await multiply(right, { rows: most, columns, depth: size, left })).found;
      for (const [first, rows] of [
        [0, 1],
        [31, 2],
        [40, 30],
        [69, 1],
      ] as const) {
        const part = await multiply(right, {
          rows,
          columns,
          depth: size,
          left: left.slice(first * size, (first + rows) * size),
          scheduledRows: 64,
        });
        expect(part.found).to.deep.equal(whole.slice(first * columns, (first + rows) * columns));
      }
    }
  });
  it('sixteen-bit floats of a device stay so in the tile; sums are f32', () => {
    const half: KernelFeatures = { subgroups: 'none', half: true };
    const { reads, kernel } = halfRight(64, 64);
    const run = (rows: number): string =>
      kernelText({
        kernel: { ...kernel, epilogue: [], schedule: webgpuTarget.gemmSchedule(rows, 64, 64) },
        reads: [numbers(rows * 64), ...reads],
        result: new Float32Array(rows * 64),
        integers: [rows, 64, 64, 64, 64],
        features: half,
      });
    expect(run(64))
      .to.match(/enable f16;/)
      .and.match(/right_tile: array<vec4<f16>/)
      .and.match(/right_buffer: array<vec4<f16>>/);
    expect(run(64))
      .to.match(/left_tile: array<vec4<f32>/)
      .and.match(/var sum_0_0: f32/);
    expect(run(1))
      .to.match(/right_buffer: array<vec4<f16>>/)
      .and.match(/var sum_0_0: f32/);
  });
});
