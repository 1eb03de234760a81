import { expect } from 'chai';
import type { Precision } from '../../compiler/codegen/cuda/precision.ts';
import { cudaTarget } from '../../compiler/codegen/cuda/target.ts';
import type { ClustersSegment } from '../../compiler/kernel/kernel.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaIsThere } from '../cuda-device.ts';
import { requires, requiresTime } from '../requirements.ts';
import { attentionKernels } from './attention-kernels.ts';
import {
  attentionProblem,
  headsFirst,
  largestError,
  randomFloats,
  referenceAttention,
  type Rows,
} from './attention-reference.ts';
import { clusters, clusterSizes, holes, keysSegment, ranked, type Shape } from './attention-segments.ts';
import { cudaAttention } from './cuda-attention.ts';

/** Half a unit in the last place of a number from 1 to 2, relative to it: 11 and 8 bits of a significand. */
const roundoff = { f16: 2 ** -11, bf16: 2 ** -8 } as const;
/** To the nearest number of so many bits; all are far from the ends of the range. */
function rounded(values: Float32Array, precision: keyof typeof roundoff): void {
  values.forEach((value, index) => {
    const unit = 2 ** Math.floor(Math.log2(Math.abs(value) || 1)) * roundoff[precision] * 2;
    values[index] = Math.round(value / unit) * unit;
  });
}

describe('CUDA', function () {
  this.timeout(300_000);
  before(function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
  });

  /**
   * Where what is multiplied needs no rounding, only the weights are rounded: each by at most half a unit, and with them the result, an
   * average of values of at most 1. Sums are f32.
   */
  describe('attention on tensor cores rounds what it multiplies, and nothing else', () => {
    const of = (headSize: number, valueSize: number, queries = 37): Shape => ({
      ...{ batches: 1, heads: 2, keyHeads: 1, queries, headSize, valueSize },
    });
    const rows = (seed: number, shape: Shape, count: number, size: number, precision: keyof typeof roundoff, heads = 1): Rows => {
      const made = headsFirst(seed, shape.batches, heads, count, size);
      rounded(made.data, precision);
      return made;
    };
    for (const precision of ['f16', 'bf16'] as const) {
      const cases: Readonly<Record<string, readonly [shape: Shape, keys: number, options: object]>> = {
        'heads of 64, causal': [of(64, 64), 150, { causal: true }],
        'heads of 128 in a window': [of(128, 128, 70), 150, { causal: true, window: 40 }],
        'heads of 96 with padding and biases': [of(96, 96), 90, { mask: holes(3, 90, 0.3), bias: randomFloats(4, 90, 3) }],
        'heads of 20 with values of 12': [of(20, 12), 71, {}],
      };
      for (const [what, [shape, keys, options]] of Object.entries(cases)) {
        it(`${precision}: ${what}`, async () => {
          const query = rows(20, shape, shape.queries, shape.headSize, precision, shape.heads);
          const key = rows(21, shape, keys, shape.headSize, precision);
          const value = rows(22, shape, keys, shape.valueSize, precision);
          const test = { ...shape, query, segments: [keysSegment(shape, query, { keys, key, value, ...options })] };
          await expectWithin(test, precision, roundoff[precision] + 2e-6);
        });
      }
      it(`${precision}: clusters by their means`, async () => {
        const shape = { ...of(64, 64), keyHeads: 2, batches: 2 };
        const query = rows(23, shape, shape.queries, shape.headSize, precision, shape.heads);
        const segment = clusters(shape, query, { sizes: clusterSizes(24), expand: null });
        for (const values of segment.operands.slice(0, 2)) rounded(values as Float32Array, precision);
        await expectWithin({ ...shape, query, segments: [segment] }, precision, roundoff[precision] + 2e-6);
      });
    }
    for (const precision of ['f16', 'bf16'] as const) {
      it(`${precision}: 64 queries that choose all clusters together read all of their tokens`, async () => {
        const shape = { ...of(64, 64, 70), keyHeads: 2, batches: 2 };
        const query = headsFirst(28, shape.batches, shape.heads, shape.queries, shape.headSize, 2);
        const own = clusters(shape, query, { sizes: clusterSizes(24), expand: 200 });
        const together = { ...own, kernel: { ...own.kernel, expand: { count: 200, tile: 64 } } as ClustersSegment };
        const schedule = cudaTarget(precision).attentionSchedule(64, 64, false, [together.kernel]);
        expect(schedule).to.include({ queryTile: 64, multiply: precision });
        const backend = cudaAttention(precision);
        const [found] = await backend.run(
          attentionProblem({ ...shape, query, segments: [together] }, schedule, false),
          precision,
        );
        const expected = referenceAttention({ ...shape, query, segments: [own] });
        expect(largestError(found?.result ?? [], expected)).to.be.at.most(backend.tolerance);
      });
    }
    // Of four tiles in each of four heads, workgroups have three and one, or all four.
    for (const [headSize, kept, workgroups] of [
      [64, 96, 5],
      [20, 128, 1],
    ] as const) {
      it(`principal keys of ${headSize} that stay in shared memory: the bits of those that are read for every tile`, async () => {
        const shape = { ...of(headSize, headSize, 3 * 64 + 7), keyHeads: 2, batches: 2 };
        const query = rows(25, shape, shape.queries, headSize, 'f16', shape.heads);
        const bias = randomFloats(26, shape.batches * shape.keyHeads * 90, 3);
        for (let key = 0; key < bias.length; key += 7) bias[key] = -Infinity;
        const [counts, short, long] = [[150, 30], { below: 64 }, { atLeast: 64 }];
        const segments = [
          keysSegment(shape, query, { keys: 30, tokens: { range: short, counts } }, 27),
          keysSegment(shape, query, { keys: 90, bias, tokens: { range: long, counts } }, 29),
        ];
        const kernels = segments.map((segment) => segment.kernel);
        const schedule = cudaTarget('f16').attentionSchedule(headSize, headSize, false, kernels, [30, 90]);
        const { resident, ...without } = schedule;
        if (resident === undefined) throw new Error('Nothing stays in shared memory.');
        expect(resident).to.include({ segment: 1, keys: kept });
        const test = { ...shape, query, segments };
        const [plain, found] = await Promise.all(
          [without, { ...without, resident: { ...resident, workgroups } }].map(async (own) => {
            const [result] = await cudaAttention('f16').run(attentionProblem(test, own, true), 'f16');
            return result;
          }),
        );
        expect(largestError(plain?.result ?? [], referenceAttention(test))).to.be.at.most(cudaAttention('f16').tolerance);
        expect(found).to.deep.equal(plain);
      });
    }
    async function expectWithin(
      test: Parameters<typeof attentionProblem>[0],
      precision: Precision,
      bound: number,
    ): Promise<void> {
      const kernels = test.segments.map((segment) => segment.kernel);
      const schedule = cudaTarget(precision).attentionSchedule(test.headSize, test.valueSize, false, kernels);
      expect(schedule.multiply).to.equal(precision);
      const [found] = await cudaAttention(precision).run(attentionProblem(test, schedule, false), precision);
      const error = largestError(found?.result ?? [], referenceAttention(test));
      expect(error, 'largest error').to.be.at.most(bound);
      // Were it f32, it would be a hundredth of that.
      expect(error, 'largest error').to.be.at.least(bound / 100);
    }
  });

  describe('attention of few queries', () => {
    for (const rest of [false, true]) {
      it(`reads ranked keys by lists${rest ? ', and one key for the rest' : ''}`, async () => {
        const shape: Shape = { batches: 2, heads: 2, keyHeads: 1, queries: 3, headSize: 64, valueSize: 40 };
        const query = headsFirst(30, 2, 2, shape.queries, shape.headSize, 2);
        const test = { ...shape, query, segments: [ranked(shape, query, { keys: 300, count: 70, rest })] };
        const schedule = cudaTarget('f32').attentionSchedule(shape.headSize, shape.valueSize, true);
        expect(schedule.fewQueries).to.equal(true);
        const backend = cudaAttention('f32');
        const [found] = await backend.run(attentionProblem(test, schedule, false), 'f32');
        expect(largestError(found?.result ?? [], referenceAttention(test))).to.be.at.most(backend.tolerance);
      });
    }
  });

  describe('kernels of every segment', () => {
    before(function () {
      requiresTime(this);
    });
    // bf16 differs from f16 in its instructions alone, which other tests see.
    for (const precision of ['f32', 'f16'] as const) attentionKernels(cudaAttention(precision));
  });
});
