import { expect } from 'chai';
import { build } from '../../compiler/build.ts';
import type { Target } from '../../compiler/codegen/target.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { interpret } from '../../ir/interpret.ts';
import { isOp, graphNodes } from '../../ir/graph.ts';
import { parseGraph } from '../../ir/parse.ts';
import { printGraph } from '../../ir/print.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import type { AttentionPlan, HeadGroup } from '../../passes/atp/plan.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { modeNames, modes } from '../../passes/atp/modes/table.ts';
import { sharedProjectionParameter } from '../../passes/atp/modes/shared.ts';
import { directionsParameter } from '../../passes/atp/modes/topr.ts';
import { parseKeys, type Share } from '../../passes/atp/share.ts';
import { pipeline } from '../../passes/pipeline.ts';
import { compiledParameters, uniformPlan } from '../models/compiled.ts';
import { bertInputs, tinyBert, type TinyBert } from '../models/tiny-bert.ts';
import { attentionWork } from '../../passes/cost.ts';
import { measureKeysRead } from '../../compiler/calibrate/keys-read.ts';
import { workOf } from '../../compiler/explain/costs.ts';
import { explainProgram } from '../../compiler/explain/explain.ts';
import type { Explanation } from '../../compiler/explain/explanation.ts';
import type { FloatTensor } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { largestDifference, randomNumbers, randomTensor } from './tensors.ts';

const half: Share = [1, 2];
function planOf(groups: readonly HeadGroup[]): AttentionPlan {
  return { reason: 'test', layers: [{ layer: 0, groups }] };
}

/** As a GPU has it; no kernel of this target can be emitted, but passes and planning can be seen. */
const tiles: Target = { ...wasmTarget, queriesPerChoice: 16 };

function run(
  model: TinyBert,
  plan: AttentionPlan,
  inputs: Record<string, Tensor>,
  target: Target = wasmTarget,
): Record<string, Tensor> {
  const { stage } = build(model.graph, { plan, target, verify: true });
  return interpret(stage.graph, { inputs, parameters: compiledParameters(stage, model), precision: 'f64' });
}
const sentence = (outputs: Record<string, Tensor>): Tensor => outputs['sentence_embedding'] as Tensor;

describe('passes', () => {
  let model: TinyBert;
  before(async () => {
    model = await tinyBert();
  });

  it('keep what a dense model computes', () => {
    const inputs = bertInputs([90, 20], 90);
    const expected = interpret(model.graph, { inputs, parameters: model.parameters, precision: 'f64' });
    const found = run(model, densePlan, inputs);
    expect(largestDifference(sentence(found), sentence(expected))).to.be.at.most(1e-12);
    expect(largestDifference(found['last_hidden_state'] as Tensor, expected['last_hidden_state'] as Tensor)).to.be.at.most(1e-9);
  });
  it('merge query, key and value into one product and fold the stacked weights', () => {
    const { stage, list } = build(model.graph, { plan: densePlan, target: wasmTarget, verify: true });
    expect([...stage.derived.keys()]).to.include('encoder.layer.0.attention.self.{query,key,value}.weight');
    expect(list.dispatches.filter(({ kernel }) => kernel.kind === 'gemm').length).to.equal(2 * 4);
    expect(list.dispatches.filter(({ kernel }) => kernel.kind === 'norm').length).to.equal(1 + 2 * 2);
  });
  it('print and parse back at every stage, in every mode', () => {
    for (const mode of modeNames) {
      build(model.graph, {
        plan: uniformPlan(mode, half),
        target: wasmTarget,
        verify: true,
        dump: (name, text) => {
          if (name.endsWith('.ir')) expect(printGraph(parseGraph(text), { provenance: true }), `${mode} ${name}`).to.equal(text);
        },
      });
    }
  });
  it('are values with names, needs and kinds of error', () => {
    expect(pipeline.map(({ name }) => name)).to.deep.equal([
      'canonicalize',
      'atp',
      'narrow rows',
      'decompose',
      'merge projections',
      'fold parameters',
      'group',
    ]);
    expect(pipeline.filter(({ error }) => error === 'approximate').map(({ name }) => name)).to.deep.equal(['atp']);
  });

  for (const mode of modeNames.filter((name) => name !== 'dense')) {
    it(`${mode}: padding changes nothing`, () => {
      const plan = uniformPlan(mode, half);
      const [plain, padded] = [bertInputs([70], 70), bertInputs([70], 101)];
      expect(largestDifference(sentence(run(model, plan, padded)), sentence(run(model, plan, plain)))).to.be.at.most(1e-9);
    });
    it(`${mode}: the plan says what is computed, head by head`, () => {
      if (!modes[mode].perHead) return;
      const inputs = bertInputs([80], 80);
      const dense = sentence(run(model, densePlan, inputs));
      const everywhere = sentence(run(model, uniformPlan(mode, half, [0]), inputs));
      const some: HeadGroup = { mode, kvHeads: [3, 1], keys: half };
      const rest: HeadGroup = { mode: 'dense', kvHeads: [0, 2], keys: [1, 1] };
      const mixed = sentence(run(model, planOf([some, rest]), inputs));
      const reordered = sentence(
        run(
          model,
          planOf([
            { ...rest, kvHeads: [2, 0] },
            { ...some, kvHeads: [1, 3] },
          ]),
          inputs,
        ),
      );
      expect(largestDifference(mixed, reordered)).to.be.at.most(1e-9);
      expect(largestDifference(mixed, dense)).to.be.greaterThan(1e-9);
      expect(largestDifference(mixed, everywhere)).to.be.greaterThan(1e-9);
      expect(largestDifference(sentence(run(model, uniformPlan(mode, [1, 1], [0]), inputs)), dense)).to.be.at.most(1e-12);
    });
    it(`${mode}: sequences below 64 tokens stay dense`, () => {
      if (mode === 'svd') return;
      const inputs = bertInputs([63], 90);
      const found = run(model, uniformPlan(mode, half), inputs);
      expect(largestDifference(sentence(found), sentence(run(model, densePlan, inputs)))).to.be.at.most(1e-12);
    });
  }

  describe('where the queries of a tile choose together', () => {
    const expand = uniformPlan('expand', half);
    it('padding and other sequences of a batch change nothing', () => {
      const [alone, padded] = [run(model, expand, bertInputs([70], 70), tiles), run(model, expand, bertInputs([70], 101), tiles)];
      expect(largestDifference(sentence(padded), sentence(alone))).to.be.at.most(1e-9);
      const both = sentence(run(model, expand, bertInputs([70, 96], 101), tiles));
      const first = { ...both, shape: sentence(alone).shape, data: both.data.slice(0, sentence(alone).data.length) };
      expect(largestDifference(first, sentence(alone))).to.be.at.most(1e-9);
    });
    it('other clusters are read than where each query chooses, and all of them give dense', () => {
      const inputs = bertInputs([90], 90);
      const together = sentence(run(model, expand, inputs, tiles));
      expect(largestDifference(together, sentence(run(model, expand, inputs)))).to.be.greaterThan(1e-9);
      const dense = sentence(run(model, densePlan, inputs));
      expect(largestDifference(sentence(run(model, uniformPlan('expand', [1, 1]), inputs, tiles)), dense)).to.be.at.most(1e-12);
    });
    it('a kernel says how many do, text comes back, and the target wasm refuses it', async () => {
      const built = build(model.graph, {
        plan: expand,
        target: tiles,
        verify: true,
        dump: (name, text) => {
          if (name.endsWith('.ir')) expect(printGraph(parseGraph(text), { provenance: true }), name).to.equal(text);
        },
      });
      const segments = built.kernels.flatMap(({ kernel }) => (kernel.kind === 'attention' ? kernel.segments : []));
      const clusters = segments.filter(({ kind }) => kind === 'clusters');
      expect(clusters).to.have.length(1);
      for (const segment of clusters) expect(segment).to.have.nested.property('expand.tile', 16);
      const fault = await wasmTarget.emit(built.kernels).then(
        () => null,
        (error: unknown) => error,
      );
      expect(fault).to.be.instanceOf(AtpcError).and.have.property('code', 'ATPC-307');
    });
    it('nothing is gathered, more clusters are expanded, and choosing is work of its own', () => {
      const shape = { layer: 0, queryHeads: 12, kvHeads: 12, headSize: 32, valueSize: 32, encoder: true };
      const group = { mode: 'expand', keys: half, kvHeads: Array.from({ length: 12 }, (_, head) => head) } as const;
      const [own, shared] = [attentionWork(shape, group, 512, 1), attentionWork(shape, group, 512, 16)];
      // At 1/2: 128 clusters of 4 tokens, 32 of them expanded by each query, 48 by a tile.
      const pair = 2 * 12 * 512 * 64;
      expect(own.gathered).to.equal(pair * 32 * 4);
      expect(shared.gathered).to.equal(0);
      expect(shared.streamed - own.streamed).to.equal(pair * 48 * 4 + 2 * (2 * 12 * 512 * 128 * 32));
      expect(modes.expand.keysRead(half, 512, 1)).to.equal(128 + 32 * 3);
      expect(modes.expand.keysRead(half, 512, 16)).to.equal(128 + 48 * 3);
    });
    it('an explanation has no gathered work, and no choice for short inputs', async () => {
      const explain = (target: Target): Promise<Explanation> =>
        explainProgram(build(model.graph, { plan: expand, target, verify: false }), target, '.');
      const [own, shared] = [await explain(wasmTarget), await explain(tiles)];
      const work = (explanation: Explanation, seq: number) =>
        explanation.steps
          .filter(({ kind }) => kind === 'attention')
          .map((step) => workOf(step, explanation.target, { batch: 1, seq }));
      expect(work(own, 128).every(({ gatheredFlops }) => gatheredFlops > 0)).to.equal(true);
      expect(work(shared, 128).every(({ gatheredFlops, flops }) => gatheredFlops === 0 && flops > 0)).to.equal(true);
      // Dense then: the same work under both.
      expect(work(shared, 32)).to.deep.equal(work(own, 32));
    });
    it('keys are counted for the choice that is made', () => {
      const size = 8;
      const tensor = (seed: number): FloatTensor => ({
        elementType: 'f32',
        shape: [1, 1, 128, size],
        data: Float32Array.from(randomTensor(randomNumbers(seed), [128 * size], -2, 2).data),
      });
      const layer = { query: tensor(1), key: tensor(2), value: tensor(3) };
      const group = { mode: 'expand', keys: half, kvHeads: [0] } as const;
      const [own, shared] = [measureKeysRead([layer], group, 1), measureKeysRead([layer], group, 16)];
      // 8 clusters a query, 12 a tile, of 32; those of several tokens come first.
      expect(shared?.mean)
        .to.be.greaterThan(own?.mean ?? 1)
        .and.below(1);
    });
  });

  it('refuse plans that do not fit, with a sentence', () => {
    const inputs = bertInputs([70], 70);
    expect(() => run(model, planOf([{ mode: 'expand', kvHeads: [0, 1], keys: half }]), inputs)).to.throw(
      /ATPC-304.*leaves out 2, 3/,
    );
    expect(() => run(model, planOf([{ mode: 'expand', kvHeads: [0, 1, 1, 2, 3, 7], keys: half }]), inputs)).to.throw(
      /ATPC-304.*names 1, 7/,
    );
    expect(() => run(model, uniformPlan('expand', half, [2]), inputs)).to.throw(/ATPC-304.*layer 2.*2 attention layers/);
    for (const mode of modeNames.filter((name) => !modes[name].perHead)) {
      const parts: HeadGroup[] = [
        { mode, kvHeads: [0, 1], keys: half },
        { mode: 'dense', kvHeads: [2, 3], keys: [1, 1] },
      ];
      expect(() => run(model, planOf(parts), inputs)).to.throw(new RegExp(`ATPC-311.*${mode}`));
    }
  });
  it('name the parameters that are learnt from text by their layer', () => {
    for (const [mode, parameter] of [
      ['topr', directionsParameter],
      ['shared', sharedProjectionParameter],
    ] as const) {
      const { stage } = build(model.graph, { plan: uniformPlan(mode, half), target: wasmTarget, verify: true });
      const names = graphNodes(stage.graph).flatMap((node) => (isOp(node, 'parameter') ? [node.attributes.name] : []));
      expect(names).to.include.members([parameter(0), parameter(1)]);
    }
  });
});

describe('keys', () => {
  it('are shares or counts', () => {
    expect(parseKeys('1/4', 512)).to.deep.equal([1, 4]);
    expect(parseKeys('0.25', 512)).to.deep.equal([1, 4]);
    expect(parseKeys('64', 512)).to.deep.equal([1, 8]);
    expect(parseKeys('1', 512)).to.deep.equal([1, 1]);
    expect(parseKeys('600', 512)).to.deep.equal([1, 1]);
  });
  it('out of range are refused', () => {
    for (const text of ['0', '-1', '3/2', '1.5', 'all', '1/0', '', '1e9', 'NaN']) {
      expect(() => parseKeys(text, 512), text).to.throw(/is not a number of principal keys/);
    }
  });
});
