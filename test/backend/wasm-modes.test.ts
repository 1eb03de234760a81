/** The kernels that build principal keys, against the reference evaluations of their ops and the golden cases of every mode. */
import { expect } from 'chai';
import { renderCluster, clusterScratch } from '../../compiler/codegen/wasm/cluster.ts';
import { principalRowsScratch, renderPrincipalRows } from '../../compiler/codegen/wasm/principal-rows.ts';
import { renderSegmentMeans, segmentMeansScratch } from '../../compiler/codegen/wasm/segment-means.ts';
import { ModuleBuilder } from '../../compiler/codegen/wasm/wat-builder.ts';
import type {
  AttentionKernelSegment,
  ClusterKernel,
  PrincipalRowsKernel,
  SegmentMeansKernel,
} from '../../compiler/kernel/kernel.ts';
import type { EvaluationContext, OpDefinition, Tensor } from '../../ir/ops/definition.ts';
import { cluster, principal_rows, segment_means } from '../../ir/ops/principal.ts';
import { evaluateSize } from '../../ir/size.ts';
import type { Size } from '../../ir/size.ts';
import { readTensors, sharedFile } from '../shared-data.ts';
import {
  attend,
  attentionProblem,
  dot,
  headsFirst,
  largestError,
  randomFloats,
  rowsFirst,
  strides,
} from './attention-reference.ts';
import type { AttentionCase, Rows } from './attention-reference.ts';
import { wasmAttention } from './wasm-attention.ts';
import { instantiateWat, randomStream } from './wasm-instance.ts';

interface KeysAndValues {
  readonly batches: number;
  readonly groups: number;
  readonly keys: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly key: Rows;
  readonly value: Rows;
  readonly mask: Int32Array;
}
function randomKeys(seed: number, keys: number, holes = 0.1, headSize = 32, valueSize = 24): KeysAndValues {
  const [batches, groups] = [2, 3];
  const next = randomStream(seed);
  return {
    batches,
    groups,
    keys,
    headSize,
    valueSize,
    key: rowsFirst(seed + 1, batches, groups, keys, headSize, 3),
    value: headsFirst(seed + 2, batches, groups, keys, valueSize),
    mask: Int32Array.from({ length: batches * keys }, () => (next() * 0.5 + 0.5 < holes ? 0 : 1)),
  };
}
/** [b, G, s, e]. */
function tensorOf({ batches, groups, keys }: KeysAndValues, rows: Rows, size: number): Tensor {
  const data = new Float64Array(batches * groups * keys * size);
  for (let b = 0; b < batches; b++)
    for (let g = 0; g < groups; g++)
      for (let j = 0; j < keys; j++) {
        const from = b * rows.batchStride + g * rows.headStride + j * rows.rowStride;
        data.set(rows.data.subarray(from, from + size), ((b * groups + g) * keys + j) * size);
      }
  return { elementType: 'f32', shape: [batches, groups, keys, size], data };
}
function maskTensor({ batches, keys, mask }: Pick<KeysAndValues, 'batches' | 'keys' | 'mask'>): Tensor {
  return { elementType: 'bool', shape: [batches, keys], data: Uint8Array.from(mask) };
}
const context: EvaluationContext = {
  precision: 'f64',
  size: (size, extra = {}) => evaluateSize(size, extra),
  allocate: (elementType, shape) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return { elementType, shape, data: elementType === 'i32' ? new Int32Array(count) : new Float64Array(count) };
  },
  read: (_, name) => {
    throw new Error(`The op reads '${name}'.`);
  },
};
function evaluate<K extends 'cluster' | 'segment_means' | 'principal_rows'>(
  definition: OpDefinition<K>,
  attributes: Parameters<OpDefinition<K>['evaluate']>[0],
  ...inputs: Tensor[]
): readonly Tensor[] {
  return definition.evaluate(
    attributes,
    inputs.map((tensor) => [tensor]),
    context,
  );
}

interface ClusterOptions {
  readonly blockTokens: number;
  readonly keysPerBlock: Size;
  readonly iterations: number;
}
interface Clusters {
  readonly count: number;
  readonly order: Int32Array;
  readonly offsets: Int32Array;
  readonly meanKey: Float32Array;
  readonly meanValue: Float32Array;
  readonly logMass: Float32Array;
  readonly radius: Float32Array;
}
async function runCluster(of: KeysAndValues, options: ClusterOptions, cuts: readonly number[] = []): Promise<Clusters> {
  const { batches, groups, keys, headSize, valueSize } = of;
  const kernel: ClusterKernel = { kind: 'cluster', headSize, valueSize, ...options };
  const count = Math.ceil(keys / options.blockTokens) * evaluateSize(options.keysPerBlock, { tokens: options.blockTokens });
  const integers = [batches, groups, keys, count, ...strides(of.key), ...strides(of.value)];
  const module = new ModuleBuilder();
  renderCluster(kernel, { module, name: 'cluster' });
  const instance = await instantiateWat(module.print(), { scratchBytes: evaluateSize(clusterScratch(kernel, integers), {}) });
  const heads = batches * groups;
  const inputs = [of.key.data, of.value.data, of.mask].map(instance.place);
  const sizes = [keys, count + 1, count * headSize, count * valueSize, count, count].map((size) => size * heads);
  const results = sizes.map(instance.reserve);
  instance.run('cluster', heads, [...inputs, ...results], integers, cuts);
  const [order, offsets, meanKey, meanValue, logMass, radius] = results.map((address, i) =>
    i < 2 ? instance.integers(address, sizes[i] ?? 0) : instance.floats(address, sizes[i] ?? 0),
  );
  return { count, order, offsets, meanKey, meanValue, logMass, radius } as Clusters;
}
/** max(1, round(tokens / n)). */
const oneKeyPer = (n: number): Size => ['max', 1, ['floor/', ['+', 'tokens', n / 2], n]];

function expectClusters(found: Clusters, expected: readonly Tensor[]): void {
  const [order, offsets, ...floats] = expected;
  expect([...found.offsets]).to.deep.equal([...(offsets?.data ?? [])]);
  expect([...found.order]).to.deep.equal([...(order?.data ?? [])]);
  [found.meanKey, found.meanValue, found.logMass, found.radius].forEach((values, i) => {
    const wanted = floats[i]?.data ?? new Float64Array();
    const infinite = (x: number): boolean => x === -Infinity;
    expect([...values].map(infinite)).to.deep.equal([...wanted].map(infinite));
    const finite = (list: ArrayLike<number>): number[] => Array.from(list, (x) => (infinite(x) ? 0 : x));
    const size = Math.max(1, ...finite(wanted).map(Math.abs));
    expect(largestError(finite(values), finite(wanted)) / size).to.be.at.most(1e-6);
  });
}

describe('cluster kernels for wasm', () => {
  const cases: readonly (readonly [string, number, number, ClusterOptions])[] = [
    ['blocks of 128', 300, 0.1, { blockTokens: 128, keysPerBlock: oneKeyPer(8), iterations: 5 }],
    ['a last block of one token', 33, 0, { blockTokens: 16, keysPerBlock: oneKeyPer(4), iterations: 5 }],
    ['fewer tokens than a block', 21, 0.3, { blockTokens: 128, keysPerBlock: oneKeyPer(8), iterations: 2 }],
    ['blocks that are no multiple of the lanes', 100, 0.2, { blockTokens: 37, keysPerBlock: oneKeyPer(6), iterations: 1 }],
    ['only padding', 40, 1.1, { blockTokens: 16, keysPerBlock: oneKeyPer(4), iterations: 5 }],
    ['one key a token', 40, 0, { blockTokens: 16, keysPerBlock: 'tokens', iterations: 3 }],
  ];
  cases.forEach(([title, keys, holes, options], seed) => {
    it(`gives the clusters of the op: ${title}`, async () => {
      const of = randomKeys(100 + seed, keys, holes);
      const expected = evaluate(cluster, options, tensorOf(of, of.key, 32), tensorOf(of, of.value, 24), maskTensor(of));
      const found = await runCluster(of, options);
      expectClusters(found, expected);
      expect(await runCluster(of, options, [1, 4])).to.deep.equal(found);
    });
  });
  it('gives ties to the lowest cluster and leaves the others empty', async () => {
    const of = randomKeys(120, 32, 0);
    of.key.data.fill(0.5);
    const options = { blockTokens: 16, keysPerBlock: 4, iterations: 5 };
    const found = await runCluster(of, options);
    expectClusters(found, evaluate(cluster, options, tensorOf(of, of.key, 32), tensorOf(of, of.value, 24), maskTensor(of)));
    expect([...found.logMass.subarray(0, 8)]).to.deep.equal([
      Math.fround(Math.log(16)),
      -Infinity,
      -Infinity,
      -Infinity,
      Math.fround(Math.log(16)),
      -Infinity,
      -Infinity,
      -Infinity,
    ]);
  });
  it('takes heads of any size', async () => {
    const of = randomKeys(130, 60, 0.1, 7, 5);
    const options = { blockTokens: 20, keysPerBlock: oneKeyPer(4), iterations: 5 };
    expectClusters(
      await runCluster(of, options),
      evaluate(cluster, options, tensorOf(of, of.key, 7), tensorOf(of, of.value, 5), maskTensor(of)),
    );
  });
});

async function runSegmentMeans(of: KeysAndValues, count: Size, cuts: readonly number[] = []): Promise<Float32Array[]> {
  const { batches, groups, keys, headSize, valueSize } = of;
  const kernel: SegmentMeansKernel = { kind: 'segment_means', headSize, valueSize, count };
  const segments = evaluateSize(count, { tokens: keys });
  const integers = [batches, groups, keys, segments, ...strides(of.key), ...strides(of.value)];
  const module = new ModuleBuilder();
  renderSegmentMeans(kernel, { module, name: 'means' });
  const instance = await instantiateWat(module.print(), {
    scratchBytes: evaluateSize(segmentMeansScratch(kernel, integers), {}),
  });
  const inputs = [of.key.data, of.value.data, of.mask].map(instance.place);
  const sizes = [headSize, valueSize, 1].map((size) => size * segments * batches * groups);
  const results = sizes.map(instance.reserve);
  instance.run('means', batches * groups, [...inputs, ...results], integers, cuts);
  return results.map((address, i) => instance.floats(address, sizes[i] ?? 0));
}
describe('segment mean kernels for wasm', () => {
  const counts: readonly (readonly [string, number, number, Size])[] = [
    ['a fixed number', 90, 0.2, 12],
    ['a share of the tokens', 131, 0.3, ['ceil/', 'tokens', 4]],
    ['more segments than tokens', 9, 0.4, 20],
    ['only padding', 9, 1.1, ['ceil/', 'tokens', 4]],
  ];
  counts.forEach(([title, keys, holes, count], seed) => {
    it(`gives the means of the op: ${title}`, async () => {
      const of = randomKeys(200 + seed, keys, holes);
      const expected = evaluate(segment_means, { count }, tensorOf(of, of.key, 32), tensorOf(of, of.value, 24), maskTensor(of));
      const found = await runSegmentMeans(of, count);
      found.forEach((values, i) => {
        const wanted = [...(expected[i]?.data ?? [])];
        values.forEach((value, at) =>
          value === -Infinity ? expect(wanted[at]).to.equal(-Infinity) : expect(value).to.be.closeTo(wanted[at] ?? NaN, 1e-6),
        );
      });
      expect(await runSegmentMeans(of, count, [2])).to.deep.equal(found);
    });
  });
});

interface PrincipalRows {
  readonly rows: Float32Array;
  readonly columnSums: Float32Array;
  readonly bias: Float32Array;
}
async function runPrincipalRows(
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
  const module = new ModuleBuilder();
  renderPrincipalRows(kernel, { module, name: 'rows' });
  const instance = await instantiateWat(module.print(), {
    scratchBytes: evaluateSize(principalRowsScratch(kernel, integers), {}),
  });
  const sizes = [batches * capacity * size, batches * capacity, batches * capacity] as const;
  const inputs = [instance.place(x), instance.place(mask)];
  const results = sizes.map(instance.reserve);
  instance.run('rows', batches, [...inputs, ...results], integers, [1]);
  const [rows, columnSums, bias] = results.map((address, i) => instance.floats(address, sizes[i] ?? 0));
  return { rows, columnSums, bias } as PrincipalRows;
}
describe('principal row kernels for wasm', () => {
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
      const found = await runPrincipalRows(x, mask, batches, size, count);
      const tensor: Tensor = { elementType: 'f32', shape: [batches, keys, size], data: Float64Array.from(x) };
      const [rows, columnSums, bias] = evaluate(principal_rows, { count }, tensor, maskTensor({ batches, keys, mask }));
      expect([...found.bias]).to.deep.equal([...(bias?.data ?? [])]);
      expect(largestError(found.columnSums, columnSums?.data ?? [])).to.be.at.most(2e-6);
      expect(largestError(found.rows, rows?.data ?? [])).to.be.at.most(2e-6);
    });
  });
  it('takes equal rows, whose other eigenvalues are all zero', async () => {
    const found = await runPrincipalRows(new Float32Array(16 * 8).fill(0.5), new Int32Array(16).fill(1), 1, 8, 3);
    expect([...found.bias]).to.deep.equal([0, -Infinity, -Infinity]);
    expect(largestError(found.rows, [...new Array<number>(8).fill(2), ...new Array<number>(16).fill(0)])).to.be.at.most(1e-6);
    expect(found.columnSums[0]).to.be.closeTo(4, 1e-6);
  });
  it('takes a matrix of zeros', async () => {
    const found = await runPrincipalRows(new Float32Array(6 * 4), new Int32Array(6).fill(1), 1, 4, 2);
    expect([...found.bias]).to.deep.equal([-Infinity, -Infinity]);
    expect(found.rows.every((value) => value === 0)).to.equal(true);
  });
});

describe('golden cases of the modes, by wasm kernels', () => {
  const [tokens, size] = [96, 16];
  const golden = (test: Mocha.Context) => {
    const tensors = readTensors(sharedFile(test, 'golden', 'modes.safetensors'));
    const values = (name: string): ArrayLike<number> => tensors.get(name)?.data ?? [];
    const rows = (name: string): Rows => ({
      data: Float32Array.from(values(name)),
      batchStride: tokens * size,
      headStride: tokens * size,
      rowStride: size,
    });
    const of: KeysAndValues = {
      batches: 1,
      groups: 1,
      keys: tokens,
      headSize: size,
      valueSize: size,
      key: rows('enc_k'),
      value: rows('enc_v'),
      mask: new Int32Array(tokens).fill(1),
    };
    const expectGolden = async (
      name: string,
      kernel: AttentionKernelSegment,
      operands: readonly (Float32Array | Int32Array)[],
      integers: readonly number[],
    ) => {
      const segment = { kernel, operands, integers, keys: () => [] };
      const attention: AttentionCase = {
        batches: 1,
        heads: 1,
        keyHeads: 1,
        queries: tokens,
        headSize: size,
        valueSize: size,
        query: rows('enc_q'),
        segments: [segment],
      };
      const schedule = wasmAttention.schedule(attention.headSize, attention.valueSize, false);
      const [found] = await wasmAttention.run(attentionProblem(attention, schedule, false), 'simd128');
      expect(largestError(found?.result ?? [], values(name)), name).to.be.at.most(1e-5);
    };
    return { of, rows, values, expectGolden };
  };
  const clustered = { blockTokens: 40, keysPerBlock: oneKeyPer(8), iterations: 5 };
  const allTokens = Int32Array.of(tokens);

  it('dense', async function () {
    const { of, expectGolden } = golden(this);
    const kernel = { kind: 'keys', bias: false, mask: true, causal: false, window: null, tokens: null } as const;
    await expectGolden(
      'enc_dense',
      kernel,
      [of.key.data, of.value.data, of.mask],
      [tokens, ...strides(of.key), ...strides(of.value)],
    );
  });
  it('cluster', async function () {
    const { of, expectGolden } = golden(this);
    const { meanKey, meanValue, logMass, count } = await runCluster(of, clustered);
    await expectGolden('enc_cluster', { kind: 'clusters', expand: null, tokens: null }, [meanKey, meanValue, logMass], [count]);
  });
  it('expand, with the assignment', async function () {
    const { of, values, expectGolden } = golden(this);
    const { meanKey, meanValue, logMass, radius, offsets, order, count } = await runCluster(of, clustered);
    const used = Array.from({ length: count }, (_, j) => j).filter((j) => j < 12);
    const assignment = new Int32Array(tokens);
    for (const j of used) for (let at = offsets[j] ?? 0; at < (offsets[j + 1] ?? 0); at++) assignment[order[at] ?? 0] = j;
    expect([...assignment]).to.deep.equal([...(values('enc_expand_assignment') as Int32Array)]);
    const sorted = (rows: Rows) =>
      Float32Array.from([...order].flatMap((t) => [...rows.data.subarray(t * size, (t + 1) * size)]));
    const operands = [meanKey, meanValue, logMass, radius, offsets, sorted(of.key), sorted(of.value), allTokens];
    await expectGolden('enc_expand_m3', { kind: 'clusters', expand: { count: 3, tile: 1 }, tokens: null }, operands, [
      count,
      tokens,
    ]);
  });
  it('segment', async function () {
    const { of, expectGolden } = golden(this);
    const [meanKey, meanValue, logMass] = (await runSegmentMeans(of, 12)) as [Float32Array, Float32Array, Float32Array];
    await expectGolden('enc_segment_c12', { kind: 'clusters', expand: null, tokens: null }, [meanKey, meanValue, logMass], [12]);
  });
  for (const [name, rest] of [
    ['enc_topr_r20', false],
    ['enc_topr_r20_residual', true],
  ] as const) {
    it(rest ? 'topr with one key for the rest' : 'topr', async function () {
      const { of, rows, values, expectGolden } = golden(this);
      const basis = values('topr_basis');
      const project = ({ data }: Rows): Float32Array =>
        Float32Array.from({ length: tokens * 6 }, (_, at) => {
          const column = Array.from({ length: size }, (_, i) => basis[i * 6 + (at % 6)] as number);
          return dot(column, data.subarray(Math.floor(at / 6) * size, Math.floor(at / 6) * size + size));
        });
      const mean = Float32Array.from({ length: size }, (_, c) => {
        const column = Array.from({ length: tokens }, (_, t) => of.value.data[t * size + c] as number);
        return column.reduce((sum, x) => sum + x, 0) / tokens;
      });
      const operands = [
        project(rows('enc_q')),
        project(of.key),
        of.key.data,
        of.value.data,
        of.mask,
        allTokens,
        ...(rest ? [mean] : []),
      ];
      const flat = [tokens * 6, tokens * 6, 6];
      const integers = [tokens, ...flat, ...flat, ...strides(of.key), ...strides(of.value)];
      await expectGolden(name, { kind: 'ranked', projectedSize: 6, count: 20, rest, tokens: null }, operands, integers);
    });
  }
  it('svd', async function () {
    const { values } = golden(this);
    const x = Float32Array.from(values('svd_x'));
    const { rows, columnSums, bias } = await runPrincipalRows(x, new Int32Array(40).fill(1), 1, 24, 10);
    expect([...bias]).to.deep.equal(new Array<number>(10).fill(0));
    const project = (from: ArrayLike<number>, weight: string, offset: string, factor: (row: number) => number): Float64Array => {
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
