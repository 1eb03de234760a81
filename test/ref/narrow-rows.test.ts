import { expect } from 'chai';
import fc from 'fast-check';
import { nativeOps } from '../../compiler/codegen/native-ops.ts';
import { graphNodes, isOp, NodeTable, tensorOf, type Graph } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { verifyGraph } from '../../ir/verify.ts';
import { densePlan, type AttentionPlan } from '../../passes/atp/plan.ts';
import { nodeFlops } from '../../passes/cost.ts';
import { narrowRows } from '../../passes/narrow-rows.ts';
import type { Stage } from '../../passes/pass.ts';
import { pipeline, runPipeline } from '../../passes/pipeline.ts';
import { compiledParameters, uniformPlan } from '../models/compiled.ts';
import { bertInputs, tinyBert, type TinyBert } from '../models/tiny-bert.ts';
import { randomGraph } from './random-graph.ts';
import { largestDifference } from './tensors.ts';

function narrowed(graph: Graph): Graph {
  const stage: Stage = { graph, derived: new Map(), properties: new Set(), fusion: null };
  const result = narrowRows.run(stage, { plan: densePlan, queriesPerChoice: 1, nativeOps }).graph;
  verifyGraph(result);
  return result;
}
/** The graph with the first row of a symbolic axis in place of each output that has one. */
function ofFirstRows(graph: Graph): Graph {
  const outputs = graph.outputs.map(({ name, node }, index) => {
    const axes = tensorOf(node).shape.flatMap((size, axis) => (typeof size === 'number' ? [] : [axis]));
    const axis = axes[index % Math.max(1, axes.length)];
    return axis === undefined ? { name, node } : { name, node: graph.nodes.make('slice', { axis, start: 0, length: 1 }, [node]) };
  });
  return { ...graph, outputs };
}
function flopsOf(graph: Graph, dims: Readonly<Record<string, number>>): number {
  return graphNodes(graph).reduce((sum, node) => sum + nodeFlops(node, dims), 0);
}

describe('rows that nothing reads', () => {
  it('are not computed, and the others do not change', () => {
    let changed = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 2, max: 10 }), (seed, length) => {
        const random = randomGraph({ seed, length });
        const graph = ofFirstRows(random.graph);
        const result = narrowed(graph);
        const given = { inputs: random.inputs, parameters: random.parameters, dims: random.dims, precision: 'f64' } as const;
        const [expected, found] = [interpret(graph, given), interpret(result, given)];
        for (const name of Object.keys(expected)) {
          expect(largestDifference(found[name] as Tensor, expected[name] as Tensor), name).to.be.at.most(1e-9);
        }
        const [before, after] = [flopsOf(graph, random.dims), flopsOf(result, random.dims)];
        expect(after).to.be.at.most(before);
        if (after < before) changed += 1;
      }),
      { numRuns: 300, seed: 20240305 },
    );
    expect(changed).to.be.greaterThan(50);
  });

  describe('of a classifier', () => {
    let model: TinyBert;
    const inputs = bertInputs([70, 33], 70);
    const build = (plan: AttentionPlan, passes = pipeline): Stage =>
      runPipeline(model.graph, passes, { plan, queriesPerChoice: 1, nativeOps, verify: true });
    const logits = (stage: Stage): Tensor =>
      interpret(stage.graph, { inputs, parameters: compiledParameters(stage, model), precision: 'f64' })['logits'] as Tensor;
    const queriesOf = ({ graph }: Stage): unknown[] =>
      graphNodes(graph)
        .filter((node) => isOp(node, 'attention'))
        .map((node) => tensorOf(node).shape[2]);
    const without = pipeline.filter((pass) => pass !== narrowRows);
    before(async () => {
      model = await tinyBert({ head: { kind: 'classify', labels: ['negative', 'positive'] } });
    });

    for (const mode of ['dense', 'topr', 'cluster', 'segment', 'svd'] as const) {
      it(`${mode}: the last layer asks with one query`, () => {
        const plan = mode === 'dense' ? densePlan : uniformPlan(mode, [1, 2]);
        const [all, one] = [build(plan, without), build(plan)];
        expect(largestDifference(logits(one), logits(all))).to.be.at.most(1e-9);
        expect(queriesOf(all)).to.deep.equal(['seq', 'seq']);
        expect(queriesOf(one)).to.deep.equal(['seq', 1]);
      });
    }
    it('expand: selects with every query, since the size of a selection goes by their number', () => {
      const plan = uniformPlan('expand', [1, 2]);
      const [all, one] = [build(plan, without), build(plan)];
      expect(largestDifference(logits(one), logits(all))).to.be.at.most(1e-9);
      expect(queriesOf(one)).to.deep.equal(['seq', 'seq']);
      // The feed-forward part of the last layer is narrow all the same.
      const ends = graphNodes(one.graph).filter((node) => isOp(node, 'gelu'));
      expect(ends.map((node) => tensorOf(node).shape[1])).to.deep.equal(['seq', 1]);
    });
    it('take most of the FLOPs of the last layer with them', () => {
      const dims = { batch: 2, seq: 70 };
      const [all, one] = [flopsOf(build(densePlan, without).graph, dims), flopsOf(build(densePlan).graph, dims)];
      // What is left of the second of two layers: its keys and values, which are two of the eight products of width 32.
      expect(one / all).to.be.within(0.5, 0.68);
    });
  });

  it('are computed where last_hidden_state is an output', async () => {
    const model = await tinyBert({ head: { kind: 'embedding', pooling: 'cls', normalize: false } });
    const stage = runPipeline(model.graph, pipeline, { plan: densePlan, queriesPerChoice: 1, nativeOps, verify: true });
    const shapes = graphNodes(stage.graph)
      .filter((node) => isOp(node, 'attention'))
      .map((node) => tensorOf(node).shape[2]);
    expect(shapes).to.deep.equal(['seq', 'seq']);
  });
  it('of causal attention are computed: the position of a query counts', () => {
    const nodes = new NodeTable();
    const shape = ['batch', 2, 'seq', 4] as const;
    const heads = ['query', 'key', 'value'].map((name) => nodes.make('input', { name, elementType: 'f32', shape }, []));
    for (const rule of ['padding', 'causal'] as const) {
      const mask = nodes.make('input', { name: 'mask', elementType: 'bool', shape: ['batch', 'seq'] }, []);
      const attributes = { scale: 1, segments: [{ scored: false, bias: false, visible: [{ rule }] }] };
      const attention = nodes.make('attention', attributes, [...heads, ...(rule === 'padding' ? [mask] : [])]);
      const first = nodes.make('slice', { axis: 2, start: 0, length: 1 }, [attention]);
      const dims = ['batch', 'seq'].map((name) => ({ name, min: 1, max: 8 }));
      const graph: Graph = { name: rule, dims, inputs: [...heads, mask], outputs: [{ name: 'first', node: first }], nodes };
      const queries = graphNodes(narrowed(graph)).flatMap((node) => (isOp(node, 'attention') ? [tensorOf(node).shape[2]] : []));
      expect(queries, rule).to.deep.equal([rule === 'causal' ? 'seq' : 1]);
    }
  });
});
