import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import type { CacheSpec } from '../../ir/cache.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { parseGraph } from '../../ir/parse.ts';
import { printGraph } from '../../ir/print.ts';
import { verifyGraph } from '../../ir/verify.ts';
import { readTensors, sharedFile } from '../shared-data.ts';
import { cachedGraph, runCached, tokenRows, type CachedText } from './cached-attention.ts';
import { goldenBlocks, goldenCaches, goldenSizes } from './golden-caches.ts';
import { expectClose, largestDifference, randomNumbers, randomTensor } from './tensors.ts';

describe('ir: causal caches against the golden cases', () => {
  let golden: ReadonlyMap<string, Tensor>;
  let text: CachedText;
  const heads = (name: string): Tensor => {
    const tensor = golden.get(name) as Tensor;
    return { ...tensor, shape: tensor.shape.length === 2 ? [1, 1, ...tensor.shape] : [1, ...tensor.shape] };
  };
  before(function () {
    golden = readTensors(sharedFile(this, 'golden', 'modes.safetensors'));
    text = { query: heads('lm_q'), key: heads('lm_k'), value: heads('lm_v') };
  });

  for (const [name, cache] of Object.entries(goldenCaches)) {
    it(`${name}, in one call`, () => {
      expectClose(runCached(cachedGraph(cache, goldenSizes), text, [200]).result, heads(name), 1e-9);
    });
    it(`${name}, in calls of 1, 37, 16, 100 and 46 tokens`, () => {
      expectClose(runCached(cachedGraph(cache, goldenSizes), text, [1, 37, 16, 100, 46]).result, heads(name), 1e-9);
    });
  }

  it('stream keeps the tokens of the golden case after every block', function () {
    const { causal } = JSON.parse(readFileSync(sharedFile(this, 'golden', 'modes.json'), 'utf8')) as {
      causal: { lm_stream_r12: { kept_after_each_block: readonly (readonly number[])[] } };
    };
    const calls = Array.from({ length: 13 }, (_, block) => Math.min(16, 200 - block * 16));
    const { states } = runCached(cachedGraph(goldenCaches['lm_stream_r12'] as CacheSpec, goldenSizes), text, calls);
    states.forEach(({ position }, block) => {
      const count = Math.min(12, Math.max(0, block * 16 - goldenBlocks.window - goldenBlocks.sinks));
      expect([...(position as Tensor).data.subarray(0, count)]).to.deep.equal(causal.lm_stream_r12.kept_after_each_block[block]);
    });
  });
});

/** Texts of up to 90 tokens in small blocks, so that everything happens often. */
const small = { heads: 4, kvHeads: 2, size: 4, tokens: 90 };
const smallSizes = { sinks: 3, window: 10, block: 8 };
const smallCaches: readonly CacheSpec[] = [
  { kind: 'dense', capacity: 90 },
  { kind: 'expand', capacity: 90, ...smallSizes, keysPerBlock: 3, iterations: 2, expand: { most: 4, share: 0.05 } },
  { kind: 'expand', capacity: 90, ...smallSizes, keysPerBlock: 3, iterations: 2, expand: null },
  { kind: 'stream', ...smallSizes, atoms: 9, decay: 0.85 },
];
function randomText(seed: number, tokens: number): CachedText {
  const next = randomNumbers(seed);
  const tensor = (count: number): Tensor => randomTensor(next, [1, count, tokens, small.size], -2, 2);
  return { query: tensor(small.heads), key: tensor(small.kvHeads), value: tensor(small.kvHeads) };
}
const cuts = (tokens: number): fc.Arbitrary<readonly number[]> =>
  fc.uniqueArray(fc.integer({ min: 1, max: tokens - 1 }), { maxLength: 12 }).map((places) => {
    const ends = [...places.sort((a, b) => a - b), tokens];
    return ends.map((end, index) => end - (ends[index - 1] ?? 0));
  });

describe('ir: laws of causal caches', () => {
  for (const cache of smallCaches) {
    const name = cache.kind === 'expand' && cache.expand === null ? 'cluster' : cache.kind;
    const graph = cachedGraph(cache, small);
    it(`${name}: results and states do not depend on how tokens are split over calls`, () => {
      const text = randomText(1, 90);
      const whole = runCached(graph, text, [90]);
      fc.assert(
        fc.property(cuts(90), (calls) => {
          const split = runCached(graph, text, calls);
          expectClose(split.result, whole.result, 1e-12);
          for (const [state, tensor] of Object.entries(whole.states.at(-1) ?? {}))
            expectClose(split.states.at(-1)?.[state] as Tensor, tensor, 1e-12);
        }),
        { numRuns: 20 },
      );
    });
    it(`${name}: a token changes nothing before it`, () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 89 }), fc.integer({ min: 0, max: 1000 }), (changed, seed) => {
          const text = randomText(2, 90);
          const other = randomText(seed + 3, 90);
          const swap = (a: Tensor, b: Tensor): Tensor => {
            const data = a.data.slice();
            const [, count, , size] = a.shape as readonly [number, number, number, number];
            for (let head = 0; head < count; head += 1) {
              const from = (head * 90 + changed) * size;
              data.set(b.data.subarray(from, (head + 1) * 90 * size), from);
            }
            return { ...a, data };
          };
          const later = {
            query: swap(text.query, other.query),
            key: swap(text.key, other.key),
            value: swap(text.value, other.value),
          };
          const [a, b] = [text, later].map((each) => runCached(graph, each, [90]).result) as [Tensor, Tensor];
          expectClose(tokenRows(a, 0, changed), tokenRows(b, 0, changed), 1e-12);
          expect(largestDifference(tokenRows(a, changed, 90), tokenRows(b, changed, 90))).to.be.above(1e-3);
        }),
        { numRuns: 20 },
      );
    });
    it(`${name}: prints, parses and verifies`, () => {
      verifyGraph(graph);
      const parsed = parseGraph(printGraph(graph));
      verifyGraph(parsed);
      expect(printGraph(parsed)).to.equal(printGraph(graph));
    });
  }

  it('every mode with room for all is dense', () => {
    const text = randomText(4, 90);
    const expected = runCached(cachedGraph({ kind: 'dense', capacity: 90 }, small), text, [90]).result;
    const all: readonly CacheSpec[] = [
      { kind: 'expand', capacity: 90, ...smallSizes, keysPerBlock: 3, iterations: 2, expand: { most: 90, share: null } },
      { kind: 'expand', capacity: 90, ...smallSizes, keysPerBlock: 8, iterations: 5, expand: null },
      { kind: 'stream', ...smallSizes, atoms: 90, decay: 0.85 },
      { kind: 'stream', sinks: 3, window: 87, block: 8, atoms: 1, decay: 0.85 },
    ];
    for (const cache of all) expectClose(runCached(cachedGraph(cache, small), text, [40, 50]).result, expected, 1e-9);
  });

  it('a state that is used twice, or not declared, is a fault', () => {
    const graph = cachedGraph(smallCaches[0] as CacheSpec, small);
    expect(() => verifyGraph({ ...graph, states: [] })).to.throw('is not declared by the graph');
    const [first] = graph.states ?? [];
    if (!first) throw new Error('The graph has states.');
    const doubled = { name: 'again', node: first.before };
    expect(() => verifyGraph({ ...graph, outputs: [...graph.outputs, doubled] })).to.throw('should be used once');
  });
});
