/** What the kernels that build principal keys must compute on any target: the results of their ops, and the golden cases of the modes. */
import { expect } from 'chai';
import type { AttentionKernelSegment, ClusterKernel, Kernel, SegmentMeansKernel } from '../../compiler/kernel/kernel.ts';
import type { EvaluationContext, OpDefinition, Tensor } from '../../ir/ops/definition.ts';
import { cluster, segment_means } from '../../ir/ops/principal.ts';
import { evaluateSize, type Size } from '../../ir/size.ts';
import { readTensors, sharedFile } from '../shared-data.ts';
import type { AttentionBackend } from './attention-kernels.ts';
import { attentionProblem, dot, headsFirst, largestError, rowsFirst, strides } from './attention-reference.ts';
import type { AttentionCase, Rows } from './attention-reference.ts';
import { randomStream } from './kernel-instance.ts';

export type KernelTensor = Float32Array | Int32Array;
export interface ModeBackend {
  readonly name: string;
  /** Of means against float64, relative to the largest. */
  readonly tolerance: number;
  readonly attention: AttentionBackend;
  /**
   * Runs a kernel several times, as a target may cut its items, and gives the results of each: all of them have to be the same to the
   * bit. `results` say their types and lengths; `items` are those of kernel.ts.
   */
  run(
    kernel: Kernel,
    inputs: readonly KernelTensor[],
    results: readonly KernelTensor[],
    integers: readonly number[],
    items: number,
  ): Promise<readonly (readonly KernelTensor[])[]>;
}

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
export function maskTensor({ batches, keys, mask }: Pick<KeysAndValues, 'batches' | 'keys' | 'mask'>): Tensor {
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
export function evaluate<K extends 'cluster' | 'segment_means' | 'principal_rows'>(
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
/** max(1, round(tokens / n)). */
const oneKeyPer = (n: number): Size => ['max', 1, ['floor/', ['+', 'tokens', n / 2], n]];

export function modeKernels(backend: ModeBackend): void {
  async function run(
    kernel: Kernel,
    inputs: readonly KernelTensor[],
    results: readonly KernelTensor[],
    integers: readonly number[],
    items: number,
  ): Promise<readonly KernelTensor[]> {
    const [first, ...others] = await backend.run(kernel, inputs, results, integers, items);
    if (first === undefined || others.length === 0) throw new RangeError('A kernel has to run more than once.');
    for (const other of others) expect(other).to.deep.equal(first);
    return first;
  }
  async function runCluster(of: KeysAndValues, options: ClusterOptions): Promise<Clusters> {
    const { batches, groups, keys, headSize, valueSize } = of;
    const kernel: ClusterKernel = { kind: 'cluster', headSize, valueSize, ...options };
    const count = Math.ceil(keys / options.blockTokens) * evaluateSize(options.keysPerBlock, { tokens: options.blockTokens });
    const integers = [batches, groups, keys, count, ...strides(of.key), ...strides(of.value)];
    const heads = batches * groups;
    const integersOf = (size: number): Int32Array => new Int32Array(heads * size);
    const floatsOf = (size: number): Float32Array => new Float32Array(heads * size);
    const results = [...[keys, count + 1].map(integersOf), ...[count * headSize, count * valueSize, count, count].map(floatsOf)];
    const found = await run(kernel, [of.key.data, of.value.data, of.mask], results, integers, heads);
    const [order, offsets, meanKey, meanValue, logMass, radius] = found;
    return { count, order, offsets, meanKey, meanValue, logMass, radius } as Clusters;
  }
  async function runSegmentMeans(of: KeysAndValues, count: Size): Promise<readonly Float32Array[]> {
    const { batches, groups, keys, headSize, valueSize } = of;
    const kernel: SegmentMeansKernel = { kind: 'segment_means', headSize, valueSize, count };
    const segments = evaluateSize(count, { tokens: keys });
    const integers = [batches, groups, keys, segments, ...strides(of.key), ...strides(of.value)];
    const results = [headSize, valueSize, 1].map((size) => new Float32Array(size * segments * batches * groups));
    const found = await run(kernel, [of.key.data, of.value.data, of.mask], results, integers, batches * groups);
    return found as readonly Float32Array[];
  }

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
      expect(largestError(finite(values), finite(wanted)) / size).to.be.at.most(backend.tolerance);
    });
  }

  describe(`cluster kernels for ${backend.name}`, () => {
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
        expectClusters(await runCluster(of, options), expected);
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
  describe(`segment mean kernels for ${backend.name}`, () => {
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
            value === -Infinity
              ? expect(wanted[at]).to.equal(-Infinity)
              : expect(value).to.be.closeTo(wanted[at] ?? NaN, backend.tolerance),
          );
        });
      });
    });
  });
  describe(`golden cases of the modes, by ${backend.name} kernels`, () => {
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
        const schedule = backend.attention.schedule(attention.headSize, attention.valueSize, false, [kernel]);
        const [found] = await backend.attention.run(
          attentionProblem(attention, schedule, false),
          backend.attention.builds[0]?.title ?? '',
        );
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
      await expectGolden(
        'enc_segment_c12',
        { kind: 'clusters', expand: null, tokens: null },
        [meanKey, meanValue, logMass],
        [12],
      );
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
  });
}
