/** Literal ATP's principal rows, which take float64: what the kernel must compute on targets that have it. */
import { expect } from 'chai';
import type { PrincipalRowsKernel } from '../../compiler/kernel/kernel.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { principal_rows } from '../../ir/ops/principal.ts';
import { evaluateSize, type Size } from '../../ir/size.ts';
import { readTensors, sharedFile } from '../shared-data.ts';
import { attend, dot, largestError, randomFloats } from './attention-reference.ts';
import { randomStream, type KernelBuild } from './kernel-instance.ts';
import { evaluate, maskTensor } from './mode-kernels.ts';

interface PrincipalRows {
  readonly rows: Float32Array;
  readonly columnSums: Float32Array;
  readonly bias: Float32Array;
}
async function runPrincipalRows(
  { instantiate }: KernelBuild,
  x: Float32Array,
  mask: Int32Array,
  batches: number,
  size: number,
  count: Size,
): Promise<PrincipalRows> {
  const keys = mask.length / batches;
  const capacity = evaluateSize(count, { tokens: keys });
  const kernel: PrincipalRowsKernel = { kind: 'principal_rows', count };
  const integers = [batches, keys, size, capacity];
  const instance = await instantiate({ rows: kernel });
  const sizes = [batches * capacity * size, batches * capacity, batches * capacity] as const;
  const inputs = [instance.place(x), instance.place(mask)];
  const results = sizes.map(instance.reserve);
  instance.run('rows', batches, [...inputs, ...results], integers, [1]);
  const [rows, columnSums, bias] = results.map((address, i) => instance.floats(address, sizes[i] ?? 0));
  return { rows, columnSums, bias } as PrincipalRows;
}
export function principalRowKernels(build: KernelBuild): void {
  describe(`principal row kernels for ${build.title}`, () => {
    before(function () {
      build.skip(this);
    });
    const quarter: Size = ['ceil/', 'tokens', 4];
    const cases: readonly (readonly [string, number, number, number, Size])[] = [
      ['fewer tokens than features', 40, 64, 0.2, quarter],
      ['more tokens than features', 90, 24, 0.2, quarter],
      ['as many rows as tokens, beyond the rank', 40, 12, 0, 'tokens'],
      ['an odd size', 31, 17, 0.1, 9],
      ['one feature', 5, 1, 0, 3],
      ['two tokens', 2, 6, 0, 2],
      ['only padding', 8, 6, 1.1, 3],
    ];
    cases.forEach(([title, keys, size, holes, count], seed) => {
      it(`gives the rows of the op: ${title}`, async () => {
        const batches = 2;
        const next = randomStream(300 + seed);
        const x = randomFloats(310 + seed, batches * keys * size);
        const mask = Int32Array.from({ length: batches * keys }, () => (next() * 0.5 + 0.5 < holes ? 0 : 1));
        const found = await runPrincipalRows(build, x, mask, batches, size, count);
        const tensor: Tensor = { elementType: 'f32', shape: [batches, keys, size], data: Float64Array.from(x) };
        const [rows, columnSums, bias] = evaluate(principal_rows, { count }, tensor, maskTensor({ batches, keys, mask }));
        expect([...found.bias]).to.deep.equal([...(bias?.data ?? [])]);
        expect(largestError(found.columnSums, columnSums?.data ?? [])).to.be.at.most(2e-6);
        expect(largestError(found.rows, rows?.data ?? [])).to.be.at.most(2e-6);
      });
    });
    it('takes equal rows, whose other eigenvalues are all zero', async () => {
      const found = await runPrincipalRows(build, new Float32Array(16 * 8).fill(0.5), new Int32Array(16).fill(1), 1, 8, 3);
      expect([...found.bias]).to.deep.equal([0, -Infinity, -Infinity]);
      expect(largestError(found.rows, [...new Array<number>(8).fill(2), ...new Array<number>(16).fill(0)])).to.be.at.most(1e-6);
      expect(found.columnSums[0]).to.be.closeTo(4, 1e-6);
    });
    it('takes a matrix of zeros', async () => {
      const found = await runPrincipalRows(build, new Float32Array(6 * 4), new Int32Array(6).fill(1), 1, 4, 2);
      expect([...found.bias]).to.deep.equal([-Infinity, -Infinity]);
      expect(found.rows.every((value) => value === 0)).to.equal(true);
    });
  });

  describe(`golden case of literal ATP, by kernels for ${build.title}`, () => {
    before(function () {
      build.skip(this);
    });
    it('svd', async function () {
      const tensors = readTensors(sharedFile(this, 'golden', 'modes.safetensors'));
      const values = (name: string): ArrayLike<number> => tensors.get(name)?.data ?? [];
      const x = Float32Array.from(values('svd_x'));
      const { rows, columnSums, bias } = await runPrincipalRows(build, x, new Int32Array(40).fill(1), 1, 24, 10);
      expect([...bias]).to.deep.equal(new Array<number>(10).fill(0));
      const project = (
        from: ArrayLike<number>,
        weight: string,
        offset: string,
        factor: (row: number) => number,
      ): Float64Array => {
        const [w, b] = [values(weight), values(offset)];
        return Float64Array.from({ length: (from.length / 24) * 32 }, (_, at) => {
          const [row, column] = [Math.floor(at / 32), at % 32];
          let sum = factor(row) * (b[column] as number);
          for (let i = 0; i < 24; i++) sum += (from[row * 24 + i] as number) * (w[i * 32 + column] as number);
          return sum;
        });
      };
      const key = project(rows, 'svd_wk', 'svd_bk', (row) => columnSums[row] as number);
      const value = project(rows, 'svd_wv', 'svd_bv', (row) => columnSums[row] as number);
      expect(largestError(key, values('svd_k')), 'principal keys').to.be.at.most(1e-5);
      expect(largestError(value, values('svd_v')), 'principal values').to.be.at.most(1e-5);
      const query = project(x, 'svd_wq', 'svd_bq', () => 1);
      const result = new Float64Array(40 * 32);
      for (let i = 0; i < 40; i++) {
        for (const head of [0, 16]) {
          const keys = Array.from({ length: 10 }, (_, j) => ({
            score: dot(query.subarray(i * 32 + head, i * 32 + head + 16), key.subarray(j * 32 + head, j * 32 + head + 16)) / 4,
            value: value.subarray(j * 32 + head, j * 32 + head + 16),
          }));
          result.set(attend(keys, 16), i * 32 + head);
        }
      }
      expect(largestError(result, values('svd_out'))).to.be.at.most(1e-4);
    });
  });
}
