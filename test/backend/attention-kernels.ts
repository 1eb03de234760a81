/** What attention kernels of any target must compute: `attentionKernels(backend)`. */
import { expect } from 'chai';
import type { AttentionKernel } from '../../compiler/kernel/kernel.ts';
import type { Size } from '../../ir/size.ts';
import {
  attentionProblem,
  headsFirst,
  largestError,
  randomFloats,
  referenceAttention,
  referenceLogSumExp,
  rowAt,
  rowsFirst,
} from './attention-reference.ts';
import type { AttentionCase, AttentionProblem, AttentionResult, Rows } from './attention-reference.ts';
import { clusters, clusterSizes, holes, keysSegment, ranked, shape } from './attention-segments.ts';
import type { KeysOptions, Shape } from './attention-segments.ts';

export interface AttentionBackend {
  readonly name: string;
  /** Of a result against float64. */
  readonly tolerance: number;
  /** Builds of the kernel. */
  readonly builds: readonly { readonly title: string; skip(context: Mocha.Context): void }[];
  schedule(
    headSize: number,
    valueSize: number,
    decodes: boolean,
    segments: AttentionKernel['segments'],
  ): AttentionKernel['schedule'];
  /** Not what the target takes by itself. */
  readonly otherSchedule: AttentionKernel['schedule'];
  /** Runs a kernel several times, cut as a target may cut its items: all of it has to be the same to the bit. */
  run(problem: AttentionProblem, build: string): Promise<readonly AttentionResult[]>;
}

export function attentionKernels(backend: AttentionBackend): void {
  const { tolerance, builds } = backend;
  const plain = builds[0]?.title ?? '';
  /** The result of all runs, which are equal. */
  async function resultOf(test: AttentionCase, build: string, logSumExp: boolean): Promise<AttentionResult> {
    const kernels = test.segments.map((segment) => segment.kernel);
    const schedule = test.schedule ?? backend.schedule(test.headSize, test.valueSize, test.decodes === true, kernels);
    const [first, ...others] = await backend.run(attentionProblem(test, schedule, logSumExp), build);
    if (first === undefined || others.length === 0) throw new RangeError('A kernel has to run more than once.');
    for (const other of others) expect(other).to.deep.equal(first);
    return first;
  }
  async function runAttention(test: AttentionCase, build = plain): Promise<Float32Array> {
    return (await resultOf(test, build, false)).result;
  }
  async function expectReference(test: AttentionCase, within = tolerance, build = plain): Promise<Float32Array> {
    const result = await runAttention(test, build);
    expect(largestError(result, referenceAttention(test)), 'largest error').to.be.at.most(within);
    return result;
  }
  describe(`attention kernels for ${backend.name}`, () => {
    const query = headsFirst(1, shape.batches, shape.heads, shape.queries, shape.headSize, 2);
    const one = (options: KeysOptions, of: Shape = shape, from = query): AttentionCase => ({
      ...of,
      query: from,
      segments: [keysSegment(of, from, options)],
    });

    describe('keys in order', () => {
      for (const keys of [1, 3, 64, 65, 150]) it(`gives dense attention over ${keys} keys`, () => expectReference(one({ keys })));
      for (const queries of [1, 4, 8, 33]) {
        it(`takes ${queries} queries`, () => {
          const of = { ...shape, queries };
          return expectReference(one({ keys: 70 }, of, headsFirst(3, 2, 6, queries, 32)));
        });
      }
      for (const [headSize, valueSize] of [
        [64, 64],
        [20, 12],
        [7, 5],
        [16, 33],
        [1, 1],
      ] as const) {
        it(`takes heads of ${headSize} with values of ${valueSize}`, () => {
          const of = { ...shape, headSize, valueSize };
          return expectReference(one({ keys: 71 }, of, headsFirst(4, 2, 6, shape.queries, headSize)));
        });
      }
      it('reads rows at any stride', () => {
        const from = rowsFirst(5, 2, 6, 37, 32, 3);
        const options = { keys: 50, key: rowsFirst(6, 2, 2, 50, 32, 5), value: rowsFirst(7, 2, 2, 50, 32, 1) };
        return expectReference(one(options, shape, from));
      });
      it('adds biases, also of -inf', () => {
        const bias = randomFloats(8, 2 * 2 * 90, 3);
        for (let i = 0; i < bias.length; i += 7) bias[i] = -Infinity;
        bias.fill(-Infinity, 70, 90);
        return expectReference(one({ keys: 90, bias }));
      });
      it('leaves out padding, also in holes', () => expectReference(one({ keys: 200, mask: holes(9, 400, 0.6) })));
      it('leaves out whole tiles of padding', () => {
        const mask = new Int32Array(2 * 300).fill(1, 200, 201).fill(1, 480, 590);
        return expectReference(one({ keys: 300, mask }));
      });
      it('gives zeros to a query that sees no key', async () => {
        const mask = new Int32Array(2 * 100).fill(1, 100);
        const result = await expectReference(one({ keys: 100, mask }));
        expect(result.subarray(0, result.length / 2).every((x) => x === 0)).to.equal(true);
        expect(result.subarray(result.length / 2).every((x) => x === 0)).to.equal(false);
      });
      it('is causal', () => expectReference(one({ keys: 37, causal: true })));
      it('is causal with keys before the queries', () => expectReference(one({ keys: 141, causal: true })));
      it('is causal with fewer keys than queries: the first queries see none', async () => {
        const result = await expectReference(one({ keys: 20, causal: true }));
        expect(result.subarray(0, 17 * 6 * 32).every((x) => x === 0)).to.equal(true);
      });
      for (const window of [1, 5, 64, 100]) {
        it(`keeps to a window of ${window}`, () => expectReference(one({ keys: 141, causal: true, window })));
      }
      it('keeps to a window that is open at the end', () => expectReference(one({ keys: 80, window: 9 })));
      it('does not change before a changed token', async () => {
        const first = one({ keys: 37, causal: true });
        const before = await runAttention(first);
        const key = headsFirst(10, 2, 2, 37, 32, 2);
        const value = headsFirst(11, 2, 2, 37, 32);
        for (const rows of [key, value])
          for (let b = 0; b < 2; b++) for (let g = 0; g < 2; g++) rowAt(rows, b, g, 20, 32).fill(9);
        const after = await runAttention(one({ keys: 37, causal: true, key, value }));
        const row = (of: Float32Array, i: number): Float32Array => of.subarray(i * 6 * 32, (i + 1) * 6 * 32);
        for (let i = 0; i < 20; i++) expect(row(after, i)).to.deep.equal(row(before, i));
        expect(row(after, 20)).to.not.deep.equal(row(before, 20));
      });
      it('skips a segment outside of its range of tokens', async () => {
        const range = { atLeast: 20, below: 64 };
        const segments = [
          keysSegment(shape, query, { keys: 50, tokens: { range, counts: [20, 64] } }, 20),
          keysSegment(shape, query, { keys: 30, tokens: { range: { atLeast: 64 }, counts: [20, 64] } }, 30),
        ];
        await expectReference({ ...shape, query, segments });
      });
      it('keeps huge scores finite', () => {
        const far = headsFirst(2, 2, 6, 37, 32, 200);
        return expectReference(
          { ...shape, query: far, segments: [keysSegment(shape, far, { keys: 90, key: headsFirst(3, 2, 2, 90, 32, 50) })] },
          1000 * tolerance,
        );
      });
      it('takes other tiles', () => expectReference({ ...one({ keys: 141, causal: true }), schedule: backend.otherSchedule }));
    });

    describe('clusters', () => {
      it('reads mean keys with log masses', async () => {
        await expectReference({ ...shape, query, segments: [clusters(shape, query, { sizes: clusterSizes(1), expand: null })] });
      });
      for (const count of [0, 1, 3, 11, 200]) {
        it(`expands the best ${count}`, () =>
          expectReference({ ...shape, query, segments: [clusters(shape, query, { sizes: clusterSizes(2), expand: count })] }));
      }
      it('expands a share of the tokens', () => {
        const expand: Size = ['max', 1, ['floor/', ['+', 'tokens', 32], 64]];
        return expectReference({ ...shape, query, segments: [clusters(shape, query, { sizes: clusterSizes(3), expand })] });
      });
      it('expands clusters of many tokens', () => {
        const sizes = clusterSizes(4).map((of) => of.map((size) => size * 40));
        return expectReference({ ...shape, query, segments: [clusters(shape, query, { sizes, expand: 3 })] });
      });
      it('gives ties to the lower cluster', () =>
        expectReference({
          ...shape,
          query,
          segments: [clusters(shape, query, { sizes: clusterSizes(5), expand: 5, equal: true })],
        }));
      for (const spare of [0, 5]) {
        for (const expand of [null, { most: 0, share: null }, { most: 4, share: null }, { most: 400, share: null }]) {
          it(`expands at most ${expand?.most ?? 'none'} beside ${spare} clusters that are not in use`, () =>
            expectReference({ ...shape, query, segments: [clusters(shape, query, { sizes: clusterSizes(8), expand, spare })] }));
        }
      }
      for (const share of [1e-6, 0.01, 0.05, 0.2, 0.9]) {
        for (const most of [3, 200]) {
          it(`expands at most ${most} that hold more than ${share} of what a query sees`, async () => {
            const expand = { most, share };
            const segments = [
              keysSegment(shape, query, { keys: 30 }),
              clusters(shape, query, { sizes: clusterSizes(9), expand, spare: 3 }),
            ];
            await expectReference({ ...shape, query, segments });
            await expectReference({ ...shape, query, segments: segments.slice(1) });
          });
        }
      }
      it('gives ties at the most to the lower cluster, also with a share', () => {
        const options = { sizes: clusterSizes(5), expand: { most: 5, share: 0.001 }, equal: true };
        return expectReference({ ...shape, query, segments: [clusters(shape, query, options)] });
      });
      for (const expand of [null, 3, { most: 3, share: 0.01 }]) {
        it(`touches nothing where no cluster is in use${expand === null ? '' : ` (${JSON.stringify(expand)})`}`, async () => {
          const none = clusters(shape, query, { sizes: [[], [], [], []], expand, spare: 4 });
          // Offsets of nothing: were they read, the rows that they name lie outside of the memory.
          const operands = none.operands.map((operand) => (operand instanceof Int32Array ? operand.fill(1 << 28) : operand));
          const segments = [keysSegment(shape, query, { keys: 30 }), { ...none, operands }];
          await expectReference({ ...shape, query, segments });
        });
      }
      it('has the result of dense attention where all clusters are expanded', async () => {
        const segment = clusters(shape, query, { sizes: clusterSizes(6), expand: 1000 });
        const found = await runAttention({ ...shape, query, segments: [segment] });
        const [, , , , , key, value] = segment.operands as readonly Float32Array[];
        const keys = segment.integers[2] as number;
        const rows = (data: Float32Array): Rows => ({ data, batchStride: 2 * keys * 32, headStride: keys * 32, rowStride: 32 });
        const mask = new Int32Array(2 * keys);
        for (const b of [0, 1]) mask.fill(1, b * keys, b * keys + (segment.operands[7]?.[b] ?? 0));
        const dense = keysSegment(shape, query, {
          keys,
          key: rows(key as Float32Array),
          value: rows(value as Float32Array),
          mask,
        });
        expect(largestError(found, referenceAttention({ ...shape, query, segments: [dense] }))).to.be.at.most(tolerance);
      });
      it('merges with keys in order', () => {
        const range = { atLeast: 4, below: 1000 };
        const segments = [
          keysSegment(shape, query, { keys: 30 }),
          clusters(shape, query, { sizes: clusterSizes(7), expand: 4, range }),
        ];
        return expectReference({ ...shape, query, segments });
      });
    });

    describe('few queries', () => {
      for (const { title, skip } of builds) {
        for (const queries of [1, 2, 3, 4]) {
          const of = { ...shape, queries };
          const from = rowsFirst(70, 2, 6, queries, 32, 3);
          const cases: Readonly<Record<string, KeysOptions>> = {
            'one key': { keys: 1 },
            'keys of one tile': { keys: 127 },
            'keys of several tiles, at any stride': {
              keys: 389,
              key: rowsFirst(71, 2, 2, 389, 32, 5),
              value: rowsFirst(72, 2, 2, 389, 32, 1),
            },
            'a bias, also of -inf': {
              keys: 300,
              bias: randomFloats(73, 2 * 2 * 300, 3).map((x, i) => (i % 7 === 0 ? -Infinity : x)),
            },
            'padding in holes and whole tiles': { keys: 300, mask: holes(74, 600, 0.5).fill(0, 10, 290) },
            'a causal rule': { keys: 300, causal: true },
            'fewer keys than queries': { keys: Math.max(1, queries - 1), causal: true },
            'a window': { keys: 300, causal: true, window: 131 },
            'a window of one key': { keys: 130, causal: true, window: 1 },
            'a window that is open at the end': { keys: 300, window: 9 },
          };
          for (const [what, options] of Object.entries(cases)) {
            it(`${queries} with ${what} (${title})`, async function () {
              skip(this);
              await expectReference({ ...one(options, of, from), decodes: true }, tolerance, title);
            });
          }
          it(`${queries} with values of other sizes (${title})`, async function () {
            skip(this);
            for (const [headSize, valueSize] of [
              [4, 60],
              [12, 4],
              [64, 72],
              [20, 7],
            ] as const) {
              const sized = { ...of, headSize, valueSize };
              await expectReference(
                {
                  ...one({ keys: 200 }, sized, headsFirst(75, 2, 6, queries, headSize, 2)),
                  decodes: true,
                },
                tolerance,
                title,
              );
            }
          });
          it(`${queries} with clusters (${title})`, async function () {
            skip(this);
            const segments = [
              keysSegment(of, from, { keys: 150 }),
              clusters(of, from, { sizes: clusterSizes(76), expand: { most: 6, share: 0.01 }, spare: 1 }),
            ];
            await expectReference({ ...of, query: from, segments, decodes: true }, tolerance, title);
            const unexpanded = clusters(of, from, { sizes: clusterSizes(77), expand: null, spare: 2 });
            await expectReference({ ...of, query: from, segments: [unexpanded], decodes: true }, tolerance, title);
          });
        }
      }
      it('are those of the last tile', () => {
        const of = { ...shape, queries: 35 };
        return expectReference({ ...one({ keys: 300, causal: true }, of, headsFirst(78, 2, 6, 35, 32, 2)), decodes: true });
      });
    });

    describe('log sum exps', () => {
      for (const { title, skip } of builds) {
        for (const queries of [1, 3, 37]) {
          it(`go beside the results of ${queries} queries (${title})`, async function () {
            skip(this);
            const of = { ...shape, queries };
            const from = headsFirst(60, 2, 6, queries, 32, 2);
            const mask = holes(61, 2 * 90, 0.4);
            const segments = [
              keysSegment(of, from, { keys: 90, mask, causal: queries > 1 }),
              clusters(of, from, { sizes: clusterSizes(62), expand: { most: 5, share: 0.02 }, spare: 2 }),
            ];
            const test = { ...of, query: from, segments, decodes: queries < 5 };
            const { result, logSumExp } = await resultOf(test, title, true);
            expect(largestError(result, referenceAttention(test))).to.be.at.most(tolerance);
            expect(largestError(logSumExp, referenceLogSumExp(test))).to.be.at.most(tolerance);
          });
        }
      }
      it('are -inf for a query that sees no key', async () => {
        const test = one({ keys: 20, causal: true });
        const { logSumExp } = await resultOf(test, plain, true);
        expect([...logSumExp].map((x) => x === -Infinity)).to.deep.equal(
          [...referenceLogSumExp(test)].map((x) => x === -Infinity),
        );
        expect(logSumExp[16]).to.equal(-Infinity);
        expect(logSumExp[17]).to.not.equal(-Infinity);
      });
    });

    describe('ranked keys', () => {
      for (const rest of [false, true]) {
        for (const count of [0, 1, 20, 400]) {
          it(`reads the best ${count}${rest ? ' and one key for the rest' : ''}`, () =>
            expectReference({ ...shape, query, segments: [ranked(shape, query, { keys: 90, count, rest })] }));
        }
      }
      it('reads a share of the tokens', () => {
        const count: Size = ['ceil/', 'tokens', 4];
        return expectReference({ ...shape, query, segments: [ranked(shape, query, { keys: 300, count, rest: true })] });
      });
      it('reads more rows than fit one part', () =>
        expectReference({ ...shape, query, segments: [ranked(shape, query, { keys: 700, count: 300, rest: true })] }));
      it('gives ties to the lower position', () =>
        expectReference({ ...shape, query, segments: [ranked(shape, query, { keys: 90, count: 7, rest: true, equal: true })] }));
    });
  });
}
