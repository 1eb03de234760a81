/** Norms on CUDA: which of them products take in, and that it pays by the roofline. */
import { expect } from 'chai';
import { build, buildStateful, type Built } from '../../compiler/build.ts';
import { cudaLeftNorm } from '../../compiler/codegen/cuda/left-norms.ts';
import { cudaTarget, precisions, type Precision } from '../../compiler/codegen/cuda/target.ts';
import type { Target } from '../../compiler/codegen/target.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import type { Dispatch } from '../../compiler/kernel/dispatch.ts';
import type { GemmKernel, Kernel } from '../../compiler/kernel/kernel.ts';
import type { LeftNorm, Norm } from '../../compiler/kernel/row-norm.ts';
import { devices } from '../../compiler/roofline/devices.ts';
import { workOf } from '../../compiler/roofline/kernel-work.ts';
import { predict, type Launch } from '../../compiler/roofline/prediction.ts';
import { NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import type { EntryPointName } from '../../runtime/format/program.ts';
import { uniformCachePlan } from '../../passes/atp/cache-plan.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { tinyBert } from '../models/tiny-bert.ts';
import { tinyLlama } from '../models/tiny-llama.ts';

const layers = 3;
async function llama(target: Target): Promise<Built> {
  const { graph } = await tinyLlama({ layers });
  return buildStateful(graph, { target, verify: true, plan: uniformCachePlan('dense', [2, 2, 2], 128, 'test'), maxTokens: 128 });
}
function dispatchesOf(built: Built, entry: EntryPointName): readonly Dispatch[] {
  return built.entries.find(({ name }) => name === entry)?.list.dispatches ?? [];
}
/** Of each product in order: how it comes by the statistics of a norm, and whether it gathers some. */
function productsOf(dispatches: readonly Dispatch[]): readonly (readonly [LeftNorm['statistics'] | null, Norm | null])[] {
  return dispatches.flatMap(({ kernel }) =>
    kernel.kind === 'gemm' ? [[kernel.leftNorm?.statistics ?? null, kernel.gathers ?? null] as const] : [],
  );
}
const normsOf = (dispatches: readonly Dispatch[]): readonly Dispatch[] =>
  dispatches.filter(({ kernel }) => kernel.kind === 'norm');

describe('norms on CUDA', () => {
  for (const precision of precisions) {
    it(`${precision}: decoding a Llama has no kernel of a norm; a layer has four products, two of which normalise`, async () => {
      const decode = dispatchesOf(await llama(cudaTarget(precision)), 'decode');
      expect(normsOf(decode)).to.deep.equal([]);
      const layer = [
        ['computed', null],
        [null, null],
        ['computed', null],
        [null, null],
      ];
      expect(productsOf(decode)).to.deep.equal([...[layer, layer, layer].flat(), ['computed', null]]);
    });
    it(`${precision}: a chunk of a prompt has one, of the embeddings; products hand on the statistics of what they write`, async () => {
      const score = dispatchesOf(await llama(cudaTarget(precision)), 'score');
      expect(normsOf(score).map(({ boundary }) => boundary)).to.deep.equal(['rows without statistics']);
      const [given, makes] = [
        ['gathered', null],
        [null, 'rms'],
      ];
      const layer = [given, makes, given, makes];
      expect(productsOf(score)).to.deep.equal([[null, null], ...[layer, layer, layer].flat().slice(1), given]);
    });
  }
  it('a product names the norm among what it computes', async () => {
    const decode = dispatchesOf(await llama(cudaTarget('f16')), 'decode');
    for (const { kernel, nodes } of decode)
      if (kernel.kind === 'gemm') expect(nodes[0]?.op).to.equal(kernel.leftNorm ? 'rms_norm' : 'matmul');
  });
  it('BERT normalises rows where they are read, as left sides and as residuals: two norms of all layers are kernels', async () => {
    const { graph } = await tinyBert();
    for (const precision of precisions) {
      const { list } = build(graph, { target: cudaTarget(precision), verify: true, plan: densePlan });
      // The embeddings are summed in the loop of the first; the last is an output.
      expect(normsOf(list.dispatches).map(({ boundary }) => boundary)).to.deep.equal(['several users', 'output of the model']);
      const products = list.dispatches.flatMap(({ kernel }) => (kernel.kind === 'gemm' ? [kernel] : []));
      const residuals = products.map(({ epilogue }) =>
        epilogue.some((step) => step.step === 'residual' && step.normed?.norm === 'layer'),
      );
      expect(residuals).to.deep.equal([false, false, false, true, false, true, false, true]);
      const [given, makes] = [
        ['gathered', null],
        [null, 'layer'],
      ];
      const layer = [given, makes, given, makes];
      expect(productsOf(list.dispatches)).to.deep.equal([[null, null], ...[layer, layer].flat().slice(1)]);
      // The kernel of a norm whose rows a product writes has its statistics: rows have the same bits, whoever reads them.
      const kernels = normsOf(list.dispatches).map(({ kernel }) => kernel.kind === 'norm' && kernel.gathered === true);
      expect(kernels).to.deep.equal([false, true]);
    }
  });
  it('a norm that is added twice, or read by something else than products, stays a kernel', () => {
    const kinds = (root: (graph: NodeTable, sum: Node, normed: Node) => readonly Node[]): readonly string[] => {
      const make = new NodeTable();
      const parameter = (name: string, shape: readonly number[]): Node =>
        make.make('parameter', { name, elementType: 'f32', shape }, []);
      const x = make.make('input', { name: 'x', elementType: 'f32', shape: ['rows', 8] }, []) as Node;
      const product = (left: Node, name: string): Node =>
        make.make('matmul', { transposeRight: true }, [left, parameter(name, [8, 8])]);
      const first = make.make('add', {}, [product(x, 'w'), x]) as Node;
      const normed = make.make('rms_norm', { epsilon: 1e-5 }, [first, parameter('g', [8])]) as Node;
      const outputs = root(make, product(normed, 'v'), normed).map((node, index) => ({ name: `y${index}`, node }));
      const graph: Graph = {
        name: 'test',
        dims: [{ name: 'rows', min: 1, max: 64 }],
        inputs: [x as never],
        outputs,
        nodes: make,
      };
      const { list } = build(graph, { target: cudaTarget('f16'), verify: true, plan: densePlan });
      return list.dispatches.map(({ kernel }) => kernel.kind).filter((kind) => kind === 'norm');
    };
    const add = (make: NodeTable, a: Node, b: Node): Node => make.make('add', {}, [a, b]);
    expect(kinds((_, sum) => [sum])).to.deep.equal([]);
    expect(kinds((make, sum, normed) => [add(make, sum, normed)])).to.deep.equal([]);
    expect(kinds((make, sum, normed) => [add(make, add(make, sum, normed), normed)])).to.deep.equal(['norm']);
    expect(kinds((make, sum, normed) => [sum, make.make('relu', {}, [normed])])).to.deep.equal(['norm']);
    expect(kinds((_, sum, normed) => [sum, normed])).to.deep.equal(['norm']);
  });
  it('other targets have none of it', async () => {
    for (const target of [wasmTarget, webgpuTarget])
      for (const { list } of (await llama(target)).entries) {
        expect(
          productsOf(list.dispatches)
            .flat()
            .every((found) => found === null),
        ).to.equal(true);
        expect(normsOf(list.dispatches).length).to.equal(2 * layers + 1);
      }
  });
  it('where the target says that it costs more, a norm stays a kernel, with that as its reason', async () => {
    const target: Target = { ...cudaTarget('f16'), leftNorm: (norm) => (norm === 'layer' ? 'computed' : null) };
    const decode = dispatchesOf(await llama(target), 'decode');
    expect(normsOf(decode).map(({ boundary }) => boundary)).to.deep.equal(
      Array.from({ length: 2 * layers + 1 }, () => 'norm costs the product more'),
    );
  });
});

describe('norms on CUDA, by the roofline of an H100', () => {
  const occupancy = { resident: 2, share: 1, limit: 'registers' } as const;
  function seconds(kernel: Kernel, integers: readonly number[], blocks: number, launch: Launch): number {
    const tensorCores = 'schedule' in kernel && 'multiply' in kernel.schedule;
    const footprint = { threads: kernel.kind === 'norm' ? 64 : 128, sharedBytes: 0, tensorCores };
    const work = workOf(kernel, { integers, elementBytes: [4, 4, 4] });
    return predict(work, blocks, footprint, occupancy, { device: devices.h100, launch }).seconds;
  }
  /** A product after a norm: in two kernels, and in one. */
  function compare(precision: Precision, norm: Norm, [rows, columns, depth]: readonly [number, number, number]) {
    const few = rows <= 4;
    const schedule = cudaTarget(precision).gemmSchedule(few ? rows : 'rows', columns, depth);
    const statistics = cudaLeftNorm(norm, schedule, depth);
    const launch: Launch = few ? 'graph' : 'stream';
    const product: GemmKernel = { kind: 'gemm', right: 'f16', epilogue: [], schedule };
    const blocks = Math.ceil(rows / schedule.rowTile) * Math.ceil(columns / schedule.columnTile);
    const integers = [rows, columns, depth, depth, columns];
    const read = {
      operands: [{ elementType: 'f32', lastStride: 1, indirect: false }],
      body: { kind: 'load', type: 'f32', operand: 0 },
    } as const;
    const apart =
      seconds(product, integers, blocks, launch) +
      seconds({ kind: 'norm', norm, epsilon: 1e-5, rank: 2, ...read }, [rows, depth, depth, 1], rows, launch);
    const forced = { norm, epsilon: 1e-5, statistics: few ? 'computed' : 'gathered' } as const;
    const together = seconds({ ...product, leftNorm: forced }, few ? integers : [...integers, 64], blocks, launch);
    return { taken: statistics !== null, apart, together };
  }
  const depths = [384, 768, 1536, 2048, 4096, 8192];
  for (const norm of ['rms', 'layer'] as const)
    for (const precision of ['f32', 'f16'] as const) {
      it(`${norm} in ${precision}: what products take in takes less time so, and the least products gain most`, () => {
        for (const rows of [1, 4, 128, 2048])
          for (const depth of depths)
            for (const columns of [depth, 3 * depth, 5.5 * depth]) {
              const { taken, apart, together } = compare(precision, norm, [rows, columns, depth]);
              // Near a limit of the table either is as good.
              if (taken) expect(together, `${rows} x ${columns} x ${depth}`).to.be.at.most(1.02 * apart);
            }
        const small = compare(precision, norm, [1, 768, 768]);
        expect(small.together).to.be.below(0.7 * small.apart);
      });
    }
  it('few rows that every thread block would read twice more are normalised apart', () => {
    const { taken, apart, together } = compare('f16', 'layer', [4, 4096, 4096]);
    expect(taken).to.equal(false);
    expect(together).to.be.above(apart);
  });
});
