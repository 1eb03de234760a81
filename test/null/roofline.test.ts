/** The roofline: laws that hold for every program, and examples that were computed by hand. Nothing of it was measured on a GPU. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { build, buildStateful, type Built } from '../../compiler/build.ts';
import { cudaTarget } from '../../compiler/codegen/cuda/target.ts';
import { inspectPlan } from '../../compiler/index.ts';
import type { Kernel, KernelKind } from '../../compiler/kernel/kernel.ts';
import { elementBytes } from '../../compiler/kernel/view.ts';
import { causalPairs } from '../../compiler/roofline/attention-work.ts';
import type { capabilities } from '../../compiler/roofline/devices.ts';
import { deviceNamed, deviceNames, devices, type Device } from '../../compiler/roofline/devices.ts';
import { EntryRoofline, type CallRoofline } from '../../compiler/roofline/entry-roofline.ts';
import { footprintOfText, registersOfPtxas } from '../../compiler/roofline/footprint.ts';
import { workedKinds, workOf } from '../../compiler/roofline/kernel-work.ts';
import { launchSeconds, occupancyOf, predict } from '../../compiler/roofline/prediction.ts';
import { noWork } from '../../compiler/roofline/work.ts';
import { graphNodes, type Graph } from '../../ir/graph.ts';
import { ops } from '../../ir/ops/table.ts';
import { uniformCachePlan } from '../../passes/atp/cache-plan.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { pastDim, seqDim } from '../../passes/cache.ts';
import { nodeFlops } from '../../passes/cost.ts';
import { isGemm } from '../../passes/fuse/groups.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { EntryPointName } from '../../runtime/format/program.ts';
import { inScratch } from '../cli/command-line.ts';
import { uniformPlan } from '../models/compiled.ts';
import { gpuProgramsFor } from '../models/gpu-programs.ts';
import { tinyBert } from '../models/tiny-bert.ts';
import { writeTinyBert, writeTinyLlama } from '../models/tiny-folders.ts';
import { tinyLlama } from '../models/tiny-llama.ts';

const target = cudaTarget('f32');
const { h100, a100 } = devices;
type Dims = Readonly<Record<string, number>>;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function rooflineOf(built: Built, entry: EntryPointName, dims: Dims, device: Device = h100): CallRoofline {
  return new EntryRoofline(built, entry, target, { device }).at([dims]);
}
/** Dims of an entry point of a small model. */
function dimsOf({ program }: Built, entry: EntryPointName): Dims {
  const dims = Object.fromEntries(program.dims.map(({ name, max }) => [name, Math.min(max, name === 'batch' ? 2 : 128)]));
  return entry === 'decode' ? { ...dims, [seqDim]: 1 } : dims;
}
const longBert = async (): Promise<Graph> => (await tinyBert({ maxPositions: 131_072 })).graph;
const common = { target, verify: false } as const;

/** A kernel without what its work does not depend on. */
const gemm: Extract<Kernel, { kind: 'gemm' }> = {
  kind: 'gemm',
  right: 'f32',
  epilogue: [{ step: 'bias' }, { step: 'residual' }],
  schedule: { rowTile: 64, columnTile: 64, depthTile: 16, threadRows: 8, threadColumns: 4 },
};
const attention: Extract<Kernel, { kind: 'attention' }> = {
  kind: 'attention',
  headSize: 8,
  valueSize: 16,
  scale: 1,
  segments: [{ kind: 'keys', bias: false, mask: false, causal: true, window: null, tokens: null }],
  logSumExp: false,
  schedule: { queryTile: 16, keyTile: 64, fewQueries: false },
};
const numbers = (integers: readonly number[]) => ({ integers, elementBytes: [] });

describe('work of kernels, by hand', () => {
  it('a product of [2, 4] and [3, 4]', () => {
    const work = workOf(gemm, numbers([2, 3, 4, 4, 3, 3]));
    expect(work.productFlops).to.equal(2 * 2 * 3 * 4);
    expect(work.scalarFlops, 'a bias and a residual').to.equal(2 * 6);
    expect(work.readBytes).to.equal(4 * (2 * 4 + 3 * 4 + 3 + 6));
    expect(work.writtenBytes).to.equal(4 * 6);
    expect(work.tileFill).to.be.closeTo((2 / 64) * (3 / 64), 1e-12);
    expect(workOf({ ...gemm, right: 'f16' }, numbers([2, 3, 4, 4, 3, 3])).readBytes, 'halves').to.equal(work.readBytes - 2 * 12);
  });
  it('tiles of 64 x 64 read the left side for every column of tiles, and the right side for every row of them', () => {
    const work = workOf({ ...gemm, epilogue: [] }, numbers([128, 192, 4, 4, 192]));
    expect(work.rereadBytes).to.equal(4 * 4 * (128 * 2 + 192 * 1));
    expect(work.tileFill).to.equal(1);
  });
  it('a product of [2, 4] and [3, 4] that normalises its left side and gathers statistics of its rows', () => {
    const plain = workOf(gemm, numbers([2, 3, 4, 4, 3, 3]));
    const leftNorm = { norm: 'layer', epsilon: 1e-5, statistics: 'gathered' } as const;
    const work = workOf({ ...gemm, leftNorm, gathers: 'rms' }, numbers([2, 3, 4, 4, 3, 3, 2]));
    expect(work.readBytes - plain.readBytes, 'weight and bias, and two numbers of two parts of two rows').to.equal(
      4 * (2 * 4 + 8),
    );
    expect(work.writtenBytes - plain.writtenBytes, 'a sum of squares a row').to.equal(4 * 2);
    expect(work.scalarFlops - plain.scalarFlops).to.equal(4 * 8 + 2 * 6);
    const few: Kernel = { ...gemm, schedule: { rowTile: 2, columnTile: 1, threads: 32 }, epilogue: [] };
    const norm = { norm: 'rms', epsilon: 1e-5, statistics: 'computed' } as const;
    const reread = (kernel: Kernel): number => workOf(kernel, numbers([2, 3, 4, 4, 3])).rereadBytes;
    expect(reread({ ...few, leftNorm: norm }) - reread(few), 'three thread blocks read the weight').to.equal(4 * 4 * 2);
    expect(reread({ ...few, leftNorm: { ...norm, norm: 'layer' } }) - reread(few), 'and rows twice more').to.equal(
      4 * (8 * 2 + 3 * 2 * 8),
    );
  });
  it('a product with blocks of 32: four bits, a scale and a minimum', () => {
    const format = { bits: 4, block: 32, minima: true } as never;
    const kernel: Kernel = { ...gemm, kind: 'block_gemm', format, epilogue: [] };
    const work = workOf(kernel, numbers([1, 2, 64, 64, 2]));
    expect(work.readBytes).to.equal(4 * 64 + 2 * (64 / 2 + 2 * 8));
    expect(work.scalarFlops, 'every number of the right side once').to.equal(2 * 2 * 64);
  });
  it('causal attention of the last 3 of 5 tokens: 3 + 4 + 5 pairs', () => {
    expect(causalPairs(3, 5)).to.equal(12);
    const work = workOf(attention, numbers([1, 2, 1, 3, ...[0, 0, 0], ...[0, 0, 0], 5, ...[0, 0, 0], ...[0, 0, 0]]));
    expect(work.productFlops).to.equal(2 * 12 * 2 * (8 + 16));
    expect(work.specialFlops, 'an exponential a pair').to.equal(2 * 12);
    expect(work.readBytes, 'two queries heads, one key head').to.equal(4 * (2 * 3 * 8 + 5 * (8 + 16)));
    expect(work.writtenBytes).to.equal(4 * 2 * 3 * 16);
  });
  it('query heads that share keys read them again, and so does every tile of queries, as far as it sees', () => {
    const place = (queries: number) => [1, 2, 1, queries, ...[0, 0, 0], ...[0, 0, 0], 40, ...[0, 0, 0], ...[0, 0, 0]];
    const once = 40 * (8 + 16);
    expect(workOf(attention, numbers(place(16))).rereadBytes).to.equal(4 * once);
    // 40 queries of a tile of 16: they see 16, 32 and 40 keys.
    expect(workOf(attention, numbers(place(40))).rereadBytes).to.equal(4 * (2 * (16 + 32 + 40) * (8 + 16) - once));
  });
  it('keys that a workgroup keeps for several tiles of queries are read once for all of them', () => {
    const [segment] = attention.segments as readonly [Extract<(typeof attention.segments)[number], { kind: 'keys' }>];
    const segments = [{ ...segment, causal: false }];
    const place = numbers([1, 2, 2, 80, ...[0, 0, 0], ...[0, 0, 0], 40, ...[0, 0, 0], ...[0, 0, 0]]);
    const once = 2 * 40 * (8 + 16);
    expect(workOf({ ...attention, segments }, place).rereadBytes, 'five tiles').to.equal(4 * 4 * once);
    // Ten tiles for three workgroups: three each.
    const resident = { segment: 0, keys: 64, tiles: 4, workgroups: 3 };
    const schedule = { ...attention.schedule, resident };
    expect(workOf({ ...attention, segments, schedule }, place).rereadBytes, 'two workgroups a head').to.equal(4 * once);
  });
  it('batch rows that share out the keys of one sequence read and compute what one of them would', () => {
    const [segment] = attention.segments as readonly [Extract<(typeof attention.segments)[number], { kind: 'keys' }>];
    const plain = { ...segment, causal: false };
    const place = (batch: number) => numbers([batch, 2, 2, 3, ...[0, 0, 0], ...[0, 0, 0], 40, ...[0, 0, 0], ...[0, 0, 0]]);
    const whole = workOf({ ...attention, segments: [plain] }, place(1));
    const shared = workOf({ ...attention, segments: [{ ...plain, parts: true }] }, place(5));
    expect(shared.productFlops).to.equal(whole.productFlops);
    // Queries and results are those of every part.
    expect(shared.readBytes - whole.readBytes).to.equal(4 * 4 * 2 * 3 * 8);
    expect(shared.writtenBytes).to.equal(5 * whole.writtenBytes);
  });
  it('with a window of 2: the last two keys of each', () => {
    const [segment] = attention.segments as readonly [Extract<(typeof attention.segments)[number], { kind: 'keys' }>];
    const kernel = { ...attention, segments: [{ ...segment, window: 2 }] };
    const work = workOf(kernel, numbers([1, 1, 1, 3, ...[0, 0, 0], ...[0, 0, 0], 5, ...[0, 0, 0], ...[0, 0, 0]]));
    expect(work.specialFlops).to.equal(6);
    expect(work.readBytes, 'four of the five keys').to.equal(4 * (3 * 8 + 4 * (8 + 16)));
  });
  it('eviction moves what stays, and compares candidates with each other', () => {
    const kernel: Kernel = { kind: 'evict', headSize: 4, valueSize: 4, atoms: 2, sinks: 1, blockTokens: 4 };
    const work = workOf(kernel, numbers([3, 100, 2, 4, 5]));
    expect(work.scalarFlops).to.equal(3 * 3 * 36);
    expect(work.writtenBytes).to.equal(4 * 3 * (2 + 5) * 10);
    expect(work.readBytes).to.equal(work.writtenBytes + 4 * 3 * 6);
  });
  it('loops side by side do the work of each', () => {
    const operand = { elementType: 'f32', lastStride: 1, indirect: false } as const;
    const load = (at: number) => ({ kind: 'load', type: 'f32', operand: at }) as const;
    const common = {
      kind: 'map',
      rank: 1,
      reduction: null,
      epilogue: null,
      result: { elementType: 'f32', lastStride: 1 },
    } as const;
    const product = { kind: 'apply', type: 'f32', op: 'multiply', inputs: [load(0), load(1)] } as const;
    const kernel: Kernel = {
      kind: 'maps',
      parts: [
        { ...common, operands: [operand, operand], body: product },
        { ...common, operands: [operand], body: load(0) },
      ],
    };
    // The second operand of the product is the same element for all.
    const work = workOf(kernel, { integers: [10, 1, 0, 1, 7, 1, 1], elementBytes: [4, 4, 4] });
    expect(work.scalarFlops).to.equal(10);
    expect(work.readBytes).to.equal(4 * (10 + 1 + 7));
    expect(work.writtenBytes).to.equal(4 * (10 + 7));
  });
  it('a gather reads the rows that it looks up, not the table', async () => {
    const built = build(await longBert(), { ...common, plan: densePlan });
    const { kernels } = rooflineOf(built, 'forward', { batch: 1, seq: 128 });
    const embeddings = kernels.find(({ kind }) => kind === 'norm');
    // Three tables, of which that of positions alone has 131,072 rows of 32 numbers.
    expect(embeddings?.readBytes).to.be.below(4 * 128 * (3 * 32 + 2) + 1024);
  });
});

describe('occupancy and time, by hand', () => {
  const footprint = { threads: 128, sharedBytes: 10_240, tensorCores: false };
  it('96 registers let five blocks of 128 threads into a multiprocessor', () => {
    // 65,536 registers, 4 warps of 32 x 96: 5.3 blocks. Shared memory: 228 KiB by 11 KiB, 20 blocks.
    expect(occupancyOf(h100, footprint, 96)).to.deep.equal({ resident: 5, share: (5 * 128) / 2048, limit: 'registers' });
  });
  it('48 KiB of shared memory let three into one of 164 KiB', () => {
    expect(occupancyOf(a100, { threads: 128, sharedBytes: 48 * 1024 }, 32)).to.deep.equal({
      resident: 3,
      share: (3 * 128) / 2048,
      limit: 'shared memory',
    });
  });
  const full = { resident: 16, share: 1, limit: 'threads' } as const;
  const options = { device: h100, launch: 'graph' } as const;
  it('3.35 GB take a millisecond of memory', () => {
    const prediction = predict({ ...noWork, readBytes: 3.35e9 }, 1e6, footprint, full, options);
    expect(prediction.memorySeconds).to.be.closeTo(1e-3, 1e-12);
    expect(prediction.bound).to.equal('memory');
    expect(prediction.seconds).to.be.closeTo(1e-3 + launchSeconds.graph, 1e-12);
  });
  it('what is read again goes through the cache: 5,120 bytes a clock', () => {
    const prediction = predict({ ...noWork, readBytes: 1e6, rereadBytes: 5120 * 1.98e6 - 1e6 }, 1e6, footprint, full, options);
    expect(prediction.cacheSeconds).to.be.closeTo(1e-3, 1e-12);
    expect(prediction.bound).to.equal('cache');
    expect(prediction.seconds).to.be.closeTo(1e-3 + launchSeconds.graph, 1e-12);
  });
  it('products take f32 lanes, or tensor cores where a kernel uses them', () => {
    const work = { ...noWork, productFlops: 66.9e9 };
    const blocks = 132 * 100;
    expect(predict(work, blocks, footprint, full, options).computeSeconds).to.be.closeTo(1e-3, 1e-12);
    const onTensorCores = predict(work, blocks, { ...footprint, tensorCores: true }, full, options);
    expect(onTensorCores.computeSeconds).to.be.closeTo(66.9e9 / (0.62 * 989.4e12), 1e-12);
  });
  it('one block keeps one multiprocessor busy, and half as many warps as it needs run at half its rate', () => {
    const work = { ...noWork, scalarFlops: 66.9e9 / 132 };
    const block = predict(work, 1, { ...footprint, threads: 256 }, full, options);
    expect(block.computeSeconds).to.be.closeTo(1e-3, 1e-12);
    expect(predict(work, 1, footprint, full, options).computeSeconds).to.be.closeTo(2e-3, 1e-12);
    // 133 blocks on 132 multiprocessors: one of them has two, and the others wait for it.
    const uneven = predict({ ...work, scalarFlops: 66.9e9 }, 133, { ...footprint, threads: 256 }, full, options);
    expect(uneven.computeSeconds).to.be.closeTo((2 * 132) / 133 / 1e3, 1e-12);
  });
  it('nothing to do takes a launch', () => {
    expect(predict(noWork, 1, footprint, full, options)).to.include({ bound: 'launch', seconds: launchSeconds.graph });
  });
});

describe('footprints', () => {
  it('are what the text of a kernel says', () => {
    const text =
      'extern "C" __global__ void __launch_bounds__(96) k(\n) {\n  __shared__ f32 a[10];\n  __shared__ vec4<u32> b[3];\n}\n';
    expect(footprintOfText(text)).to.deep.equal({ threads: 96, sharedBytes: 40 + 48 });
    expect(() => footprintOfText(text.replace('f32', 'double'))).to.throw(RangeError, "'double'");
    expect(() => footprintOfText(text.replace('a[10]', 'a[SIZE]'))).to.throw(RangeError, '2 shared arrays, of which 1');
    expect(() => footprintOfText('void k() {}')).to.throw(RangeError, 'threads');
  });
  it('registers come from ptxas where it was asked', () => {
    const text = [
      "ptxas info    : Compiling entry function 'gemm_bias' for 'sm_90'",
      'ptxas info    : Function properties for gemm_bias',
      '    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads',
      'ptxas info    : Used 72 registers, used 1 barriers, 10240 bytes smem',
      "ptxas info    : Compiling entry function 'map_cast' for 'sm_90'",
      'ptxas info    : Used 10 registers, used 0 barriers',
    ].join('\n');
    expect([...registersOfPtxas(text)]).to.deep.equal([
      ['gemm_bias', 72],
      ['map_cast', 10],
    ]);
  });
});

describe('the table of devices', () => {
  /** f32 multiply-adds a clock and multiprocessor (CUDA C++ Programming Guide, throughput of arithmetic instructions). */
  const lanes: { readonly [K in keyof typeof capabilities]: number } = {
    '8.0': 64,
    '8.6': 128,
    '8.9': 128,
    '9.0': 128,
    '12.0': 128,
  };
  for (const name of deviceNames) {
    it(`${name}: its f32 rate is that of its lanes at its clock`, () => {
      const { capability, multiprocessors, clockHertz, f32FlopsPerSecond, halfFlopsPerSecond } = devices[name];
      const expected = 2 * lanes[capability] * multiprocessors * clockHertz;
      expect(f32FlopsPerSecond / expected).to.be.within(0.98, 1.02);
      expect(halfFlopsPerSecond).to.be.above(f32FlopsPerSecond);
    });
  }
  it('says what is near a name that it does not have, and what it has', () => {
    expect(deviceNamed('H100')).to.equal('h100');
    try {
      deviceNamed('rtx4909');
      expect.fail('a device that there is not');
    } catch (error) {
      if (!(error instanceof AtpcError)) throw error;
      expect(error.code).to.equal('ATPC-307');
      expect(error.hint).to.match(/Did you mean 'rtx4090'\? Devices: h100, /);
    }
  });
});

describe('laws of the roofline', function () {
  this.timeout(300_000);
  const entriesOf = (built: Built): readonly EntryPointName[] => built.entries.map(({ name }) => name);

  it('every kind of kernel has a row, and every dispatch of the small programs has work', async () => {
    const met = new Set<KernelKind>();
    for (const [name, program] of Object.entries(gpuProgramsFor(target))) {
      const built = await program();
      for (const entry of entriesOf(built)) {
        for (const row of rooflineOf(built, entry, dimsOf(built, entry)).kernels) {
          met.add(row.kind);
          const where = `${name} ${entry} ${row.kernel}`;
          expect(row.readBytes + row.writtenBytes, where).to.be.above(0);
          expect(row.writtenBytes, where).to.be.above(0);
          for (const value of [row.flops, row.seconds, row.intensity, row.workgroups])
            expect(Number.isFinite(value) && value >= 0, where).to.equal(true);
          expect(row.occupancy, where).to.be.within(0.01, 1);
          expect(row.threads % 32, where).to.equal(0);
        }
      }
    }
    expect([...met].sort()).to.deep.equal(workedKinds.filter((kind) => kind !== 'principal_rows').sort());
  });

  it('products have the FLOPs that the passes give them: 2 M N K each', async () => {
    const bert = build(await longBert(), { ...common, plan: densePlan });
    const { graph } = await tinyLlama({ maxLength: 1024, trainedLength: 1024 });
    const llama = buildStateful(graph, {
      ...common,
      plan: uniformCachePlan('dense', [2, 2], 1024, 'test'),
      maxTokens: 1024,
    });
    const calls = [
      [bert, 'forward', { batch: 3, seq: 100 }],
      [llama, 'prefill', { [seqDim]: 77, [pastDim]: 300 }],
      [llama, 'decode', { [seqDim]: 1, [pastDim]: 300 }],
    ] as const;
    for (const [built, entry, dims] of calls) {
      const stage = built.entries.find(({ name }) => name === entry)?.stage;
      const expected = sum(graphNodes(stage?.graph as Graph).map((node) => (isGemm(node) ? nodeFlops(node, dims) : 0)));
      const { kernels } = rooflineOf(built, entry, dims);
      const found = sum(kernels.map(({ kind, productFlops }) => (kind === 'gemm' ? productFlops : 0)));
      expect(expected).to.be.above(0);
      expect(found, entry).to.equal(expected);
    }
  });
  it('dense attention too: q . k and p v for every pair', async () => {
    const built = build(await longBert(), { ...common, plan: densePlan });
    const dims = { batch: 2, seq: 640 };
    const nodes = graphNodes(built.stage.graph).filter(({ op }) => op === 'attention');
    const expected = sum(
      nodes.map((node) => {
        const types = node.inputs.map(({ type }) => type);
        return evaluateExpression(ops.attention.cost(node.attributes as never, types, node.type).flops, dims);
      }),
    );
    const { kernels } = rooflineOf(built, 'forward', dims);
    const found = sum(kernels.map(({ kind, productFlops }) => (kind === 'attention' ? productFlops : 0)));
    expect(found).to.equal(expected);
    expect(found).to.equal(2 * 2 * (2 * 4 * 640 * 640 * (8 + 8)));
  });

  it('bytes are at least the weights of products and the outputs', async () => {
    for (const program of Object.values(gpuProgramsFor(target))) {
      const built = await program();
      for (const entry of entriesOf(built)) {
        const dims = dimsOf(built, entry);
        const list = built.entries.find(({ name }) => name === entry)?.list;
        const products = list?.dispatches.filter(({ kernel }) => kernel.kind === 'gemm' || kernel.kind === 'block_gemm') ?? [];
        const weights = products.flatMap(({ reads }) => reads.filter(({ buffer }) => buffer.class === 'weights'));
        const bytes = (elements: number, type: keyof typeof elementBytes): number => elements * elementBytes[type];
        const least = [
          ...weights.map(({ buffer }) => bytes(Number(buffer.elements), buffer.elementType)),
          ...(list?.outputs ?? []).map(({ buffer }) => bytes(evaluateExpression(buffer.elements, dims), buffer.elementType)),
        ];
        expect(rooflineOf(built, entry, dims).bytes).to.be.at.least(sum(least));
      }
    }
  });

  it('what is summed up by kernel is the whole', async () => {
    const built = build(await longBert(), { ...common, plan: uniformPlan('expand', [1, 4]) });
    const call = rooflineOf(built, 'forward', { batch: 1, seq: 4096 });
    expect(sum(call.kernels.map(({ flops }) => flops))).to.equal(call.flops);
    expect(sum(call.kernels.map(({ seconds }) => seconds))).to.be.closeTo(call.seconds, 1e-12);
    expect(sum(Object.values(call.boundSeconds))).to.be.closeTo(call.seconds, 1e-12);
    expect(call.dispatches).to.equal(built.list.dispatches.length);
    for (const { kernel } of call.kernels) expect(built.kernels.map(({ name }) => name)).to.include(kernel);
  });

  it('on every device, twice as many tokens take no less time, and some more', async () => {
    const lengths = Array.from({ length: 9 }, (_, power) => 512 * 2 ** power);
    const plans = [densePlan, uniformPlan('expand', [1, 4]), uniformPlan('cluster', [1, 4]), uniformPlan('topr', [1, 4])];
    const { graph } = await tinyLlama({ maxLength: 131_072, trainedLength: 131_072 });
    const causal = (['dense', 'expand', 'cluster'] as const).map((mode) =>
      buildStateful(graph, { ...common, plan: uniformCachePlan(mode, [2, 2], 131_072, 'test'), maxTokens: 131_072 }),
    );
    const bert = await longBert();
    const encoders = plans.map((plan) => build(bert, { ...common, plan }));
    for (const name of deviceNames) {
      const rising = (what: string, at: (tokens: number) => number): void => {
        const seconds = lengths.map(at);
        seconds.forEach((value, index) => expect(value, `${what} on ${name}`).to.be.at.least(seconds[index - 1] ?? 0));
        expect(seconds.at(-1), `${what} on ${name}`).to.be.above(seconds[0] ?? 0);
      };
      encoders.forEach((built, index) => {
        const roofline = new EntryRoofline(built, 'forward', target, { device: devices[name] });
        rising(`encoder ${index}`, (seq) => roofline.at([{ batch: 1, seq }]).seconds);
      });
      causal.forEach((built, index) => {
        const roofline = new EntryRoofline(built, 'decode', target, { device: devices[name] });
        rising(`decoder ${index}`, (tokens) => roofline.at([{ [seqDim]: 1, [pastDim]: tokens - 1 }]).seconds);
      });
    }
  });

  it('a stream costs the same however much was read', async () => {
    const { graph } = await tinyLlama({ maxLength: 131_072, trainedLength: 131_072 });
    const plan = uniformCachePlan('stream', [2, 2], 131_072, 'test');
    const built = buildStateful(graph, { ...common, plan, maxTokens: 131_072 });
    const roofline = new EntryRoofline(built, 'decode', target, { device: h100 });
    // At the same place in a block.
    const at = (past: number): CallRoofline => roofline.at([{ [seqDim]: 1, [pastDim]: past }]);
    expect(at(128 * 512 + 5)).to.deep.equal(at(128 * 16 + 5));
  });
});

describe('rooflines of models', function () {
  this.timeout(300_000);
  const options = { targets: ['cuda'] as const };
  const shape = (name: string): string => path.resolve('examples/roofline', name);
  const atDevice = { device: 'h100' };

  for (const precision of ['f32', 'f16'] as const) {
    it(`expand computes less than dense attention at long lengths, and needs less time: ${precision}`, async () => {
      const model = shape('bert-base-like');
      const { roofline } = await inspectPlan({ ...options, model, attention: 'expand', precision }, atDevice);
      expect(roofline?.lengths.map(({ tokens }) => tokens)).to.deep.equal([2048, 8192, 32_768, 131_072]);
      for (const { tokens, calls } of roofline?.lengths ?? []) {
        const [{ dense, plan }] = calls as readonly [(typeof calls)[number]];
        expect(plan.flops).to.be.below(dense.flops);
        if (tokens >= 8192) expect(plan.seconds, String(tokens)).to.be.below(dense.seconds);
      }
    });
  }
  it('a hybrid reads and computes less than dense caches at long lengths, and holds less', async () => {
    const model = shape('smollm2-135m');
    const { roofline } = await inspectPlan(
      { ...options, model, plan: path.join(model, 'plan.yaml'), maxLength: 131_072, beyondTrainedContext: true },
      atDevice,
    );
    for (const { tokens, calls, denseBytes, planBytes } of roofline?.lengths ?? []) {
      if (tokens < 8192) continue;
      expect(planBytes).to.be.below(denseBytes);
      for (const { call, dense, plan } of calls) {
        expect(plan.flops, call).to.be.below(dense.flops);
        expect(plan.bytes, call).to.be.below(dense.bytes);
        if (tokens >= 32_768) expect(plan.seconds, call).to.be.below(dense.seconds);
      }
    }
  });
  it('a prompt is the sum of its chunks', async () => {
    const model = shape('smollm2-135m');
    const { roofline } = await inspectPlan({ ...options, model, attention: 'dense' }, { ...atDevice, lengths: [128, 384] });
    const [one, three] = (roofline?.lengths ?? []).map(({ calls }) => Object.fromEntries(calls.map((each) => [each.call, each])));
    expect(one?.['prompt']?.dense).to.deep.equal(one?.['prefill']?.dense);
    const whole = three?.['prompt']?.dense;
    expect(whole?.dispatches).to.equal(3 * (one?.['prefill']?.dense.dispatches ?? 0));
    expect(whole?.seconds).to.be.above((three?.['prefill']?.dense.seconds ?? 0) + (one?.['prefill']?.dense.seconds ?? 0));
  });

  it('a folder with config.json alone gives what the folder with its weights gives', async () => {
    await inScratch(async (folder) => {
      const models = [
        [await writeTinyBert(path.join(folder, 'bert')), 'expand'],
        [await writeTinyLlama(path.join(folder, 'llama')), 'stream'],
      ] as const;
      for (const [model, attention] of models) {
        const report = () => inspectPlan({ ...options, model, attention }, { ...atDevice, lengths: [64] });
        const before = await report();
        await rm(path.join(model, 'model.safetensors'));
        expect(await report()).to.deep.equal(before);
      }
    });
  });
  it('weights that config.json says are halves count as such', async () => {
    const model = shape('llama-2-7b');
    const decode = async (storage?: 'f32' | 'q4'): Promise<number> => {
      const settings = { ...options, model, attention: 'dense', ...(storage ? { storage } : {}) };
      const { roofline } = await inspectPlan(settings, { ...atDevice, lengths: [16] });
      return roofline?.lengths[0]?.calls.find(({ call }) => call === 'decode')?.dense.bytes ?? NaN;
    };
    // Every weight but the table of embeddings is read for every token: 32 layers, and the head.
    const matrices = 32 * (4 * 4096 ** 2 + 3 * 4096 * 11_008) + 32_000 * 4096;
    const halves = await decode();
    expect(halves).to.be.within(2 * matrices, 2.01 * matrices);
    expect(await decode('f32')).to.be.within(4 * matrices, 4.01 * matrices);
    expect(await decode('q4')).to.be.within(0.5 * matrices, 0.8 * matrices);
  });
  it('registers of ptxas go to the kernels of the plan that have the name', async () => {
    const ptxas = "Compiling entry function 'attention_keys_expand' for 'sm_90'\nUsed 200 registers\n";
    const { roofline } = await inspectPlan(
      { ...options, model: shape('bert-base-like'), attention: 'expand' },
      { ...atDevice, lengths: [2048], ptxas },
    );
    const rows = roofline?.lengths[0]?.calls[0]?.plan.kernels ?? [];
    const own = rows.find(({ kernel }) => kernel === 'attention_keys_expand');
    expect(own).to.include({ registers: 200, registersFrom: 'ptxas' });
    expect(rows.filter(({ registersFrom }) => registersFrom === 'ptxas')).to.deep.equal([own]);
  });
  it('say that no GPU has confirmed them', async () => {
    const { roofline } = await inspectPlan(
      { ...options, model: shape('bert-base-like'), attention: 'dense' },
      { ...atDevice, lengths: [64] },
    );
    expect(roofline?.assumptions[0]).to.include('No GPU has confirmed');
  });
});
