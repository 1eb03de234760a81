import { expect } from 'chai';
import { buildEntries } from '../../compiler/build.ts';
import type { CacheSpec } from '../../ir/cache.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { bindDim } from '../../passes/entry-points.ts';
import { cachedGraph, runCached } from '../ref/cached-attention.ts';
import { expectClose } from '../ref/tensors.ts';
import { requires, requiresTime } from '../requirements.ts';
import { cacheConformance, compileCache, randomText, runOn } from './cache-conformance.ts';
import { cudaBackend, disposeExecutors } from './cuda-backend.ts';

describe('CUDA', () => {
  afterEach(disposeExecutors);
  describe('a decoded token attends to parts of a dense cache', function () {
    this.timeout(180_000);
    before(function () {
      requires(this, 'cuda', cudaBackend().needs?.isThere() ?? false);
    });
    const ones = (count: number): readonly number[] => Array.from({ length: count }, () => 1);
    // From 20 tokens on in parts of 8 at least, six or four of each key/value head at most: uneven ones, and some that are empty.
    for (const [heads, kvHeads, size] of [
      [6, 2, 8],
      [15, 3, 20],
    ] as const) {
      it(`${heads} heads of ${size} over ${kvHeads} key/value heads give what the interpreter gives`, async () => {
        const backend = cudaBackend();
        const target = { ...backend.target, decodeParts: { atLeast: 20, keys: 8, workgroups: 12 } };
        const shape = { heads, kvHeads, size, tokens: 70 };
        const cache: CacheSpec = { kind: 'dense', capacity: shape.tokens };
        const program = await compileCache({ ...backend, target }, cache, shape);
        const text = randomText(31, shape);
        const calls = [16, ...ones(8), 15, ...ones(3), 20, ...ones(8)];
        const expected = runCached(cachedGraph(cache, shape), text, [70]).result;
        expectClose(await runOn(program, text, calls), expected, 1e-5);
      });
    }
    it('where the cache is long enough for it', () => {
      const { target } = cudaBackend();
      const kernelsOf = (capacity: number): readonly unknown[] => {
        const shape = { heads: 6, kvHeads: 2, size: 8, tokens: capacity };
        const graph = bindDim(cachedGraph({ kind: 'dense', capacity }, shape), 'seq', 1);
        const { list } = buildEntries(graph.name, [{ name: 'decode', graph }], densePlan, { target, verify: true });
        return list.dispatches.filter(({ kernel }) => kernel.kind === 'attention').map(({ when }) => when?.atLeast ?? null);
      };
      expect(kernelsOf(1023)).to.deep.equal([null]);
      expect(kernelsOf(1024)).to.deep.equal([1, 1024, 1024]);
    });
  });
  describe('caches', () => {
    before(function () {
      requiresTime(this);
    });
    cacheConformance(cudaBackend());
  });
});
