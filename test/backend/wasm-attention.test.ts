import { expect } from 'chai';
import type { ClustersSegment, KeysSegment, RankedSegment, TokenRange } from '../../compiler/kernel/kernel.ts';
import { evaluateSize } from '../../ir/size.ts';
import type { Size } from '../../ir/size.ts';
import {
  dot,
  headsFirst,
  largestError,
  logSumExpOf,
  randomFloats,
  referenceAttention,
  referenceLogSumExp,
  rowAt,
  rowsFirst,
  runAttention,
  runAttentionWithLogSumExp,
  strides,
} from './attention-reference.ts';
import type { AttentionCase, Rows, Segment, SeenKey } from './attention-reference.ts';
import { randomStream, simdBuilds } from './wasm-instance.ts';

type Shape = Omit<AttentionCase, 'query' | 'segments'>;
const shape: Shape = { batches: 2, heads: 6, keyHeads: 2, queries: 37, headSize: 32, valueSize: 32 };
const keyHeadOf = ({ heads, keyHeads }: Shape, head: number): number => Math.floor(head / (heads / keyHeads));
const inRange = (range: TokenRange | null, tokens: number): boolean =>
  range === null || (tokens >= (range.atLeast ?? 0) && tokens < (range.below ?? Infinity));

interface KeysOptions {
  readonly keys: number;
  readonly key?: Rows;
  readonly value?: Rows;
  readonly bias?: Float32Array;
  readonly mask?: Int32Array;
  readonly causal?: boolean;
  readonly window?: number;
  readonly tokens?: { readonly range: TokenRange; readonly counts: readonly number[] };
}
function keysSegment(of: Shape, query: Rows, options: KeysOptions, seed = 10): Segment {
  const { batches, keyHeads, headSize, valueSize, queries } = of;
  const { keys, bias, mask, causal = false, window = null, tokens } = options;
  const key = options.key ?? headsFirst(seed, batches, keyHeads, keys, headSize, 2);
  const value = options.value ?? headsFirst(seed + 1, batches, keyHeads, keys, valueSize);
  const kernel: KeysSegment = {
    kind: 'keys',
    bias: bias !== undefined,
    mask: mask !== undefined,
    causal,
    window,
    tokens: tokens?.range ?? null,
  };
  return {
    kernel,
    operands: [
      key.data,
      value.data,
      ...(bias ? [bias] : []),
      ...(mask ? [mask] : []),
      ...(tokens ? [Int32Array.from(tokens.counts)] : []),
    ],
    integers: [keys, ...strides(key), ...strides(value), ...(bias ? [keyHeads * keys, keys] : [])],
    keys(batch, head, i) {
      const group = keyHeadOf(of, head);
      const row = rowAt(query, batch, head, i, headSize);
      const seen: SeenKey[] = [];
      if (!inRange(kernel.tokens, tokens?.counts[batch] ?? 0)) return seen;
      for (let j = 0; j < keys; j++) {
        if (mask && mask[batch * keys + j] === 0) continue;
        if (causal && j > i + keys - queries) continue;
        if (window !== null && j <= i + keys - queries - window) continue;
        const score = dot(row, rowAt(key, batch, group, j, headSize)) / Math.sqrt(headSize);
        const extra = bias ? (bias[(batch * keyHeads + group) * keys + j] as number) : 0;
        seen.push({ score: score + extra, value: rowAt(value, batch, group, j, valueSize) });
      }
      return seen;
    },
  };
}
function holes(seed: number, count: number, share: number): Int32Array {
  const next = randomStream(seed);
  return Int32Array.from({ length: count }, () => (next() * 0.5 + 0.5 < share ? 0 : 1));
}
async function expectReference(test: AttentionCase, tolerance = 2e-6): Promise<Float32Array> {
  const [whole = new Float32Array(), ...parts] = await runAttention(test, [[], [1, 2, 5], [3]]);
  expect(largestError(whole, referenceAttention(test)), 'largest error').to.be.at.most(tolerance);
  for (const part of parts) expect(part).to.deep.equal(whole);
  return whole;
}

describe('attention kernels for wasm', () => {
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
      const [before] = await runAttention(first);
      const key = headsFirst(10, 2, 2, 37, 32, 2);
      const value = headsFirst(11, 2, 2, 37, 32);
      for (const rows of [key, value]) for (let b = 0; b < 2; b++) for (let g = 0; g < 2; g++) rowAt(rows, b, g, 20, 32).fill(9);
      const [after] = await runAttention(one({ keys: 37, causal: true, key, value }));
      const row = (of: Float32Array | undefined, i: number) => of?.subarray(i * 6 * 32, (i + 1) * 6 * 32);
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
        2e-3,
      );
    });
    it('takes other tiles', () =>
      expectReference({ ...one({ keys: 141, causal: true }), schedule: { queryTile: 16, keyTile: 12, fewQueries: true } }));
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
      const [found] = await runAttention({ ...shape, query, segments: [segment] });
      const [, , , , , key, value] = segment.operands as readonly Float32Array[];
      const keys = segment.integers[2] as number;
      const rows = (data: Float32Array): Rows => ({ data, batchStride: 2 * keys * 32, headStride: keys * 32, rowStride: 32 });
      const mask = new Int32Array(2 * keys);
      for (const b of [0, 1]) mask.fill(1, b * keys, b * keys + (segment.operands[7]?.[b] ?? 0));
      const dense = keysSegment(shape, query, { keys, key: rows(key as Float32Array), value: rows(value as Float32Array), mask });
      expect(largestError(found ?? [], referenceAttention({ ...shape, query, segments: [dense] }))).to.be.at.most(2e-6);
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
    for (const { title, relaxedSimd, skip } of simdBuilds) {
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
            await expectReference({ ...one(options, of, from), relaxedSimd, decodes: true });
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
            await expectReference({
              ...one({ keys: 200 }, sized, headsFirst(75, 2, 6, queries, headSize, 2)),
              relaxedSimd,
              decodes: true,
            });
          }
        });
        it(`${queries} with clusters (${title})`, async function () {
          skip(this);
          const segments = [
            keysSegment(of, from, { keys: 150 }),
            clusters(of, from, { sizes: clusterSizes(76), expand: { most: 6, share: 0.01 }, spare: 1 }),
          ];
          await expectReference({ ...of, query: from, segments, relaxedSimd, decodes: true });
          const unexpanded = clusters(of, from, { sizes: clusterSizes(77), expand: null, spare: 2 });
          await expectReference({ ...of, query: from, segments: [unexpanded], relaxedSimd, decodes: true });
        });
      }
    }
    it('are those of the last tile', () => {
      const of = { ...shape, queries: 35 };
      return expectReference({ ...one({ keys: 300, causal: true }, of, headsFirst(78, 2, 6, 35, 32, 2)), decodes: true });
    });
  });

  describe('log sum exps', () => {
    for (const { title, relaxedSimd, skip } of simdBuilds) {
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
          const test = { ...of, query: from, segments, relaxedSimd, decodes: queries < 5 };
          const [whole, parts] = await runAttentionWithLogSumExp(test, [[], [1, 5]]);
          expect(largestError(whole?.result ?? [], referenceAttention(test))).to.be.at.most(2e-6);
          expect(largestError(whole?.logSumExp ?? [], referenceLogSumExp(test))).to.be.at.most(2e-6);
          expect(parts).to.deep.equal(whole);
        });
      }
    }
    it('are -inf for a query that sees no key', async () => {
      const test = one({ keys: 20, causal: true });
      const [found] = await runAttentionWithLogSumExp(test);
      expect([...(found?.logSumExp ?? [])].map((x) => x === -Infinity)).to.deep.equal(
        [...referenceLogSumExp(test)].map((x) => x === -Infinity),
      );
      expect(found?.logSumExp[16]).to.equal(-Infinity);
      expect(found?.logSumExp[17]).to.not.equal(-Infinity);
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

/** Tokens of each cluster, for each batch row and key head; 0 is an unused cluster. The rows of a batch have equally many tokens. */
function clusterSizes(seed: number): number[][] {
  const next = randomStream(seed);
  return [0, 0, 1, 1].map((batch) => {
    const sizes = Array.from({ length: 21 }, (_, j) => (j % 9 === 4 || j > 18 ? 0 : 1 + Math.floor((next() * 0.5 + 0.5) * 9)));
    sizes[0] = 1;
    sizes[18] = 0;
    const total = sizes.reduce((sum, size) => sum + size, 0);
    sizes[17] = (sizes[17] as number) + (batch === 0 ? 200 : 130) - total;
    return sizes;
  });
}

interface ClustersOptions {
  readonly sizes: readonly (readonly number[])[];
  readonly expand: Size | { readonly most: number; readonly share: number | null } | null;
  readonly range?: TokenRange;
  /** Clusters that there is room for, beyond those in use. */
  readonly spare?: number;
  /** All clusters have the same mean key, mass and radius. */
  readonly equal?: boolean;
}
function clusters(of: Shape, query: Rows, { sizes, expand, range, spare = 0, equal = false }: ClustersOptions): Segment {
  const { batches, keyHeads, headSize, valueSize } = of;
  const inUse = sizes[0]?.length ?? 0;
  const count = inUse + spare;
  const totals = sizes.map((of) => of.reduce((sum, size) => sum + size, 0));
  const keys = Math.max(...totals) + 3;
  const tokens = Int32Array.from({ length: batches }, (_, b) => totals[b * keyHeads] as number);
  const sortedKey = headsFirst(41, batches, keyHeads, keys, headSize, 2);
  const sortedValue = headsFirst(42, batches, keyHeads, keys, valueSize);
  const meanKey = headsFirst(43, batches, keyHeads, count, headSize, 2);
  const meanValue = headsFirst(44, batches, keyHeads, count, valueSize);
  const radius = randomFloats(45, batches * keyHeads * count).map((x) => 1 + x);
  // What lies beyond the clusters in use must not be seen.
  const padded = (values: readonly number[]): number[] => [...values, ...new Array<number>(spare).fill(2)];
  const logMass = Float32Array.from(sizes.flatMap((of) => padded(of.map(Math.log))));
  if (equal) {
    for (let row = 0; row < batches * keyHeads * count; row++) meanKey.data.copyWithin(row * headSize, 0, headSize);
    radius.fill(0.5);
    for (let j = 0; j < logMass.length; j++) if (logMass[j] !== -Infinity) logMass[j] = 1;
  }
  const offsets = Int32Array.from(
    sizes.flatMap((of) => padded(of.reduce<number[]>((ends, size) => [...ends, (ends.at(-1) as number) + size], [0]))),
  );
  const adaptive = expand !== null && typeof expand === 'object' && 'most' in expand ? expand : null;
  const byCount = expand === null || (typeof expand === 'object' && 'most' in expand) ? null : expand;
  const kernel: ClustersSegment = {
    kind: 'clusters',
    expand: adaptive ?? (byCount === null ? null : { count: byCount, tile: 1 }),
    tokens: range ?? null,
  };
  return {
    kernel,
    operands: [
      meanKey.data,
      meanValue.data,
      logMass,
      ...(expand === null ? [] : [radius, offsets, sortedKey.data, sortedValue.data]),
      ...(byCount !== null || range ? [tokens] : []),
    ],
    integers: [inUse, count, ...(expand === null ? [] : [keys])],
    keys(batch, head, i, before) {
      const tokenCount = tokens[batch] as number;
      if (!inRange(kernel.tokens, tokenCount)) return [];
      const group = keyHeadOf(of, head);
      const first = (batch * keyHeads + group) * count;
      const row = rowAt(query, batch, head, i, headSize);
      const scale = 1 / Math.sqrt(headSize);
      const own = Array.from({ length: inUse }, (_, j) => ({
        j,
        mass: logMass[first + j] as number,
        score: scale * dot(row, rowAt(meanKey, batch, group, j, headSize)) + (logMass[first + j] as number),
        spread: (scale ** 2 * dot(row, row) * (radius[first + j] as number)) / (2 * headSize),
      })).filter(({ mass }) => mass > -Infinity);
      const wanted = adaptive?.most ?? (byCount === null ? 0 : sizeOf(byCount, tokenCount));
      const best = [...own].sort((a, b) => (equal ? 0 : b.score + b.spread - a.score - a.spread) || a.j - b.j).slice(0, wanted);
      const estimates = own.map(({ score, spread }) => score + spread);
      const least = Math.log(adaptive?.share ?? 0) + logSumExpOf([...before.map(({ score }) => score), ...estimates]);
      const chosen = new Set(best.filter(({ score, spread }) => score + spread > least).map(({ j }) => j));
      return own.flatMap(({ j, score }) => {
        if (!chosen.has(j)) return [{ score, value: rowAt(meanValue, batch, group, j, valueSize) }];
        const start = (batch * keyHeads + group) * (count + 1) + j;
        return Array.from({ length: (offsets[start + 1] as number) - (offsets[start] as number) }, (_, t) => {
          const token = (offsets[start] as number) + t;
          return {
            score: scale * dot(row, rowAt(sortedKey, batch, group, token, headSize)),
            value: rowAt(sortedValue, batch, group, token, valueSize),
          };
        });
      });
    },
  };
}

interface RankedOptions {
  readonly keys: number;
  readonly count: Size;
  readonly rest: boolean;
  readonly equal?: boolean;
}
function ranked(of: Shape, query: Rows, { keys, count, rest, equal = false }: RankedOptions): Segment {
  const { batches, heads, keyHeads, headSize, valueSize, queries } = of;
  const projectedSize = 10;
  const projectedQuery = rowsFirst(51, batches, heads, queries, projectedSize, 2);
  const projectedKey = headsFirst(52, batches, keyHeads, keys, projectedSize, 3);
  if (equal) {
    const { data } = projectedKey;
    for (let row = 0; row < data.length / projectedSize; row++) data.copyWithin(row * projectedSize, 0, projectedSize);
  }
  const key = headsFirst(53, batches, keyHeads, keys, headSize, 2);
  const value = rowsFirst(54, batches, keyHeads, keys, valueSize, 1);
  const restValue = headsFirst(55, batches, keyHeads, 1, valueSize);
  const mask = holes(56, batches * keys, 0.2);
  const tokens = Int32Array.from({ length: batches }, (_, b) =>
    mask.subarray(b * keys, (b + 1) * keys).reduce((sum, x) => sum + x, 0),
  );
  const kernel: RankedSegment = { kind: 'ranked', projectedSize, count, rest, tokens: null };
  return {
    kernel,
    operands: [projectedQuery.data, projectedKey.data, key.data, value.data, mask, tokens, ...(rest ? [restValue.data] : [])],
    integers: [keys, ...strides(projectedQuery), ...strides(projectedKey), ...strides(key), ...strides(value)],
    keys(batch, head, i) {
      const group = keyHeadOf(of, head);
      const scale = 1 / Math.sqrt(headSize);
      const projected = rowAt(projectedQuery, batch, head, i, projectedSize);
      const order = Array.from({ length: keys }, (_, j) => j)
        .filter((j) => mask[batch * keys + j] !== 0)
        .map((j) => ({ j, score: scale * dot(projected, rowAt(projectedKey, batch, group, j, projectedSize)) }))
        .sort((a, b) => (equal ? 0 : b.score - a.score) || a.j - b.j);
      const wanted = sizeOf(count, tokens[batch] as number);
      const row = rowAt(query, batch, head, i, headSize);
      const seen: SeenKey[] = order.slice(0, wanted).map(({ j }) => ({
        score: scale * dot(row, rowAt(key, batch, group, j, headSize)),
        value: rowAt(value, batch, group, j, valueSize),
      }));
      const others = order.slice(wanted);
      if (!rest || others.length === 0) return seen;
      const most = Math.max(...others.map(({ score }) => score));
      const mass = most + Math.log(others.reduce((sum, { score }) => sum + Math.exp(score - most), 0));
      return [...seen, { score: mass, value: rowAt(restValue, batch, group, 0, valueSize) }];
    },
  };
}
function sizeOf(count: Size, tokens: number): number {
  return evaluateSize(count, { tokens });
}
