/**
 * The golden causal cases of the modes expand, cluster and stream by the kernels of a cache, block by block: these tests play the
 * program that a compiled model will be, with the sizes of ir/cache.ts.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Target } from '../../compiler/codegen/target.ts';
import type { AttentionKernel, AttentionKernelSegment, Kernel } from '../../compiler/kernel/kernel.ts';
import {
  blockRound,
  clusteredBlocks,
  expandRows,
  stateTensorsOf,
  streamRows,
  type BlockRound,
  type CacheSpec,
  type ExpandCache,
  type StreamCache,
} from '../../ir/cache.ts';
import { evaluateSize, type Size } from '../../ir/size.ts';
import { readTensors, sharedFile } from '../shared-data.ts';
import { largestError } from './attention-reference.ts';
import type { KernelBuild, KernelInstance } from './kernel-instance.ts';

const [heads, tokens, size] = [2, 200, 16];
const scale = 1 / Math.sqrt(size);
const keys = { kind: 'keys', bias: false, mask: false, causal: false, window: null, tokens: null } as const;

type Round = { readonly [K in keyof BlockRound]: number };
type Evaluate = (value: Size) => number;
const numeric: Evaluate = (value) => evaluateSize(value, {});

/** What a program holds: the memory, the state by name, and the sequence in it. */
interface Playing {
  readonly queryTile: number;
  readonly instance: KernelInstance;
  readonly state: Readonly<Record<string, number>>;
  /** [token, head, size] and [token, size] each. */
  readonly query: Float32Array;
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** [token, head, size], and f32 [head, token of the block]. */
  readonly result: number;
  readonly queryAt: number;
  readonly logSumExp: number;
}
const rowBytes = size * 4;

function append({ instance, state, key, value }: Playing, row: number, start: number, end: number): void {
  for (const [name, data] of [
    ['key', key],
    ['value', value],
  ] as const) {
    instance.write((state[name] ?? NaN) + row * rowBytes, data.subarray(start * size, end * size));
  }
}
/** One call of attention; a single token's query heads are the queries of one head, as decoding does it. */
function attend(
  { instance, queryTile, queryAt, result, logSumExp }: Playing,
  { start, rows }: Round,
  operands: readonly number[],
  integers: readonly number[],
  withLogSumExp: boolean,
): void {
  const at = start * heads * rowBytes;
  const one = rows === 1;
  const [kernelHeads, queries] = one ? [1, heads] : [heads, rows];
  const [headStride, rowStride] = one ? [heads * size, size] : [size, heads * size];
  const strides = [0, headStride, rowStride];
  const own = [1, kernelHeads, 1, queries, ...strides, ...strides, ...(withLogSumExp ? [0, queries] : []), ...integers];
  const items = kernelHeads * Math.ceil(queries / queryTile);
  const results = [result + at, ...(withLogSumExp ? [logSumExp] : [])];
  instance.run(one ? 'attendOne' : 'attend', items, [queryAt + at, ...operands, ...results], own);
}
function attentionKernel(
  { attentionSchedule }: Schedules,
  segments: readonly AttentionKernelSegment[],
  logSumExp: boolean,
): AttentionKernel {
  const schedule = attentionSchedule(size, size, true);
  return { kind: 'attention', headSize: size, valueSize: size, scale, segments, logSumExp, schedule };
}
const ofKeys = (count: number): readonly number[] => [count, 0, 0, size, 0, 0, size];

type Schedules = Pick<Target, 'attentionSchedule' | 'scoreKeysSchedule'>;
interface Program {
  readonly cache: CacheSpec;
  readonly kernels: Readonly<Record<string, Kernel>>;
  round(playing: Playing, round: Round): void;
}
function expandProgram(target: Schedules, cache: ExpandCache): Program {
  const { keysPerBlock, iterations, capacity, expand } = cache;
  const clusters = clusteredBlocks(cache) * keysPerBlock;
  const segments = (causal: boolean) => [keys, { ...keys, causal }, { kind: 'clusters', expand, tokens: null } as const];
  return {
    cache,
    kernels: {
      attend: attentionKernel(target, segments(true), false),
      attendOne: attentionKernel(target, segments(false), false),
      cluster: { kind: 'cluster_block', headSize: size, valueSize: size, blockTokens: cache.block, keysPerBlock, iterations },
    },
    round(playing, round) {
      const { instance, state } = playing;
      const where = expandRows(cache, round.blockStart);
      const [leaving, left, index, inUse, sinkRows, first] = [
        where.leaving,
        where.left,
        where.index,
        where.clusters,
        where.sinkRows,
        where.first,
      ].map(numeric) as [number, number, number, number, number, number];
      const [key, value, meanKey, meanValue, logMass, radius, offsets] = [
        'key',
        'value',
        'meanKey',
        'meanValue',
        'logMass',
        'radius',
        'offsets',
      ].map((name) => state[name] ?? NaN) as [number, number, number, number, number, number, number];
      const count = (left - leaving) * round.beginsBlock;
      instance.run(
        'cluster',
        1,
        [key, value, meanKey, meanValue, logMass, radius, offsets],
        [1, capacity, clusters, leaving, count, index * keysPerBlock],
      );
      append(playing, round.start, round.start, round.end);
      const window = [key, value].map((address) => address + first * rowBytes);
      const means = [meanKey, meanValue, logMass, ...(expand ? [radius, offsets, key, value] : [])];
      const integers = [...ofKeys(sinkRows), ...ofKeys(round.end - first), inUse, clusters, ...(expand ? [capacity] : [])];
      attend(playing, round, [key, value, ...window, ...means], integers, false);
    },
  };
}
function streamProgram(target: Schedules, cache: StreamCache, afterRound: (atoms: Int32Array, round: Round) => void): Program {
  const { sinks, window, block, atoms, decay } = cache;
  const rows = atoms + sinks + window + block;
  const score = target.scoreKeysSchedule(size);
  const segments = (causal: boolean) => [keys, { ...keys, causal }];
  return {
    cache,
    kernels: {
      attend: attentionKernel(target, segments(true), true),
      attendOne: attentionKernel(target, segments(false), true),
      evict: { kind: 'evict', headSize: size, valueSize: size, atoms, sinks, blockTokens: block },
      score: { kind: 'score_keys', headSize: size, scale, atoms, decay, schedule: score },
    },
    round(playing, round) {
      const { instance, state, queryAt, logSumExp } = playing;
      const where = streamRows(cache, round.blockStart);
      const [atomsBefore, used, leaving, left, first, exact] = [
        where.atomsBefore,
        where.atoms,
        where.leaving,
        where.left,
        where.first,
        where.exactRows(round.end),
      ].map(numeric) as [number, number, number, number, number, number];
      const [key, value, scores, position] = ['key', 'value', 'score', 'position'].map((name) => state[name] ?? NaN) as [
        number,
        number,
        number,
        number,
      ];
      const counts = [(left - leaving) * round.beginsBlock, round.start - left];
      instance.run('evict', 1, [key, value, scores, position], [1, rows, atomsBefore, ...counts]);
      append(playing, atoms + sinks + round.start - first, round.start, round.end);
      const exactRows = [key, value].map((address) => address + atoms * rowBytes);
      attend(playing, round, [key, value, ...exactRows], [...ofKeys(used), ...ofKeys(exact)], true);
      const integers = [
        ...[heads, 1, round.rows, size, heads * size, round.rows],
        ...[rows, used, exact, round.start, round.beginsBlock],
      ];
      const operands = [queryAt + round.start * heads * rowBytes, logSumExp, key, scores, position];
      instance.run('score', Math.ceil(rows / score.keyTile), operands, integers);
      afterRound(instance.integers(position, used), round);
    },
  };
}

/** The outputs [head, token, size] after calls of so many tokens each. */
async function play(
  { cache, kernels, round }: Program,
  golden: (name: string) => ArrayLike<number>,
  calls: readonly number[],
  { instantiate }: KernelBuild,
): Promise<Float32Array> {
  const block = cache.kind === 'dense' ? tokens : cache.block;
  const instance = await instantiate(kernels);
  const tensors = stateTensorsOf(cache, { kvHeads: 1, headSize: size, valueSize: size });
  const state = Object.fromEntries(
    // A state starts as zeros.
    tensors.map(({ name, shape }) => [name, instance.place(new Int32Array(shape.reduce((product, n) => product * n, 1)))]),
  );
  const byHead = golden('lm_q');
  const query = new Float32Array(tokens * heads * size);
  for (let h = 0; h < heads; h++)
    for (let t = 0; t < tokens; t++)
      for (let c = 0; c < size; c++) query[(t * heads + h) * size + c] = byHead[(h * tokens + t) * size + c] ?? NaN;
  const attention = kernels['attend'] as AttentionKernel;
  const playing: Playing = {
    instance,
    queryTile: attention.schedule.queryTile,
    state,
    query,
    key: Float32Array.from(golden('lm_k')),
    value: Float32Array.from(golden('lm_v')),
    queryAt: instance.place(query),
    result: instance.reserve(tokens * heads * size),
    logSumExp: instance.reserve(heads * block),
  };
  let past = 0;
  for (const seq of calls) {
    const { rounds } = blockRound(block, past, seq, 0);
    for (let i = 0; i < numeric(rounds); i++) {
      const sizes = blockRound(block, past, seq, i);
      round(playing, Object.fromEntries(Object.entries(sizes).map(([name, value]) => [name, numeric(value as Size)])) as Round);
    }
    past += seq;
  }
  expect(past).to.equal(tokens);
  const found = instance.floats(playing.result, tokens * heads * size);
  return Float32Array.from({ length: found.length }, (_, at) => {
    const [h, t, c] = [Math.floor(at / (tokens * size)), Math.floor(at / size) % tokens, at % size];
    return found[(t * heads + h) * size + c] ?? NaN;
  });
}

const ones = (count: number): readonly number[] => new Array<number>(count).fill(1);
const callsOf: Readonly<Record<string, readonly number[]>> = {
  'one call': [tokens],
  'a prompt, then token by token': [37, ...ones(tokens - 37)],
  'calls that end anywhere': [1, 15, 16, 1, 30, ...ones(20), 64, 7, 46],
};

export function cacheGolden(target: Schedules, build: KernelBuild): void {
  describe(`golden causal cases, by kernels block by block, ${build.title}`, () => {
    before(function () {
      build.skip(this);
    });
    const golden = (test: Mocha.Context): ((name: string) => ArrayLike<number>) => {
      const tensors = readTensors(sharedFile(test, 'golden', 'modes.safetensors'));
      return (name) => tensors.get(name)?.data ?? [];
    };
    const common = { sinks: 2, window: 32, block: 16 } as const;
    const expandCache: Omit<ExpandCache, 'expand'> = {
      kind: 'expand',
      ...common,
      capacity: 208,
      keysPerBlock: 4,
      iterations: 5,
    };
    for (const [calls, counts] of Object.entries(callsOf)) {
      for (const [name, expand] of [
        ['lm_cluster', null],
        ['lm_expand_m3', { most: 3, share: null }],
        ['lm_expand_tau', { most: 8, share: 0.02 }],
      ] as const) {
        it(`${name}: ${calls}`, async function () {
          const values = golden(this);
          const found = await play(expandProgram(target, { ...expandCache, expand }), values, counts, build);
          expect(largestError(found, values(name))).to.be.at.most(1e-4);
        });
      }
      it(`lm_stream_r12, with the tokens kept: ${calls}`, async function () {
        const values = golden(this);
        const description = JSON.parse(readFileSync(sharedFile(this, 'golden', 'modes.json'), 'utf8')) as {
          readonly causal: {
            readonly lm_stream_r12: { readonly decay: number; readonly kept_after_each_block: readonly number[][] };
          };
        };
        const { decay, kept_after_each_block: wanted } = description.causal.lm_stream_r12;
        const kept: number[][] = [];
        const cache: StreamCache = { kind: 'stream', ...common, atoms: 12, decay };
        const program = streamProgram(target, cache, (atoms, { blockStart }) => (kept[blockStart / 16] = [...atoms]));
        const found = await play(program, values, counts, build);
        expect(largestError(found, values('lm_stream_r12'))).to.be.at.most(1e-4);
        expect(kept).to.deep.equal(wanted);
      });
    }
  });
}
