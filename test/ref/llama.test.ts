/** The Llama family against the same model in plain loops. */
import { expect } from 'chai';
import { build } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { Parameters } from '../../compiler/program/parameters.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { llamaVariants } from '../models/llama-variants.ts';
import { plainLlama } from '../models/plain-llama.ts';
import { llamaInputs, tinyLlama, tinyLlamaConfig, tokenIds, type TinyLlama } from '../models/tiny-llama.ts';
import { expectClose, tensorOfList } from './tensors.ts';

function plainLogits({ config, weights }: TinyLlama, ids: readonly number[]): Tensor {
  return tensorOfList('f32', [1, ids.length, config.vocabSize], plainLlama(config, weights, ids).flat());
}

describe('ref: llama', () => {
  const ids = tokenIds(23);
  for (const [what, changes] of Object.entries(llamaVariants)) {
    it(`${what}: gives what plain loops give, to 1e-9`, async () => {
      const model = await tinyLlama(changes);
      const found = interpret(model.graph, { inputs: llamaInputs(ids), parameters: model.parameters, precision: 'f64' });
      expectClose(found['logits'] as Tensor, plainLogits(model, ids), 1e-9);
    });
    it(`${what}: and after the passes`, async () => {
      const model = await tinyLlama(changes);
      const { stage, formats } = build(model.graph, { plan: densePlan, target: wasmTarget, verify: true });
      const parameters = new Parameters({ source: model.source, derived: stage.derived, computed: {}, storage: null, formats });
      const values = new Map<string, Tensor>();
      for (const name of parameterNames(model, stage.derived))
        values.set(name, { elementType: 'f32', shape: parameters.shape(name), data: await parameters.read(name) });
      const found = interpret(stage.graph, {
        inputs: llamaInputs(ids),
        parameters: (name) => values.get(name) as Tensor,
        precision: 'f64',
      });
      // Rope tables are f32 in a package.
      expectClose(found['logits'] as Tensor, plainLogits(model, ids), 1e-5);
    });
  }

  it('is causal: a token changes nothing before it', async () => {
    const model = await tinyLlama();
    const logits = (changed: readonly number[]): Tensor['data'] => {
      const outputs = interpret(model.graph, { inputs: llamaInputs(changed), parameters: model.parameters, precision: 'f64' });
      return (outputs['logits'] as Tensor).data;
    };
    const [before, after] = [logits(ids), logits(ids.with(11, ((ids[11] as number) + 1) % tinyLlamaConfig.vocabSize))];
    const vocab = tinyLlamaConfig.vocabSize;
    expect([...after.subarray(0, 11 * vocab)]).to.deep.equal([...before.subarray(0, 11 * vocab)]);
    expect([...after.subarray(11 * vocab)]).to.not.deep.equal([...before.subarray(11 * vocab)]);
  });

  it('stacks query, key and value, and gate and up', async () => {
    const { graph } = await tinyLlama({ attentionBias: true });
    const { list, stage } = build(graph, { plan: densePlan, target: wasmTarget, verify: true });
    expect([...stage.derived.keys()]).to.include.members([
      'model.layers.0.self_attn.{q_proj,k_proj,v_proj}.weight',
      'model.layers.1.self_attn.{q_proj,k_proj,v_proj}.bias',
      'model.layers.1.mlp.{gate_proj,up_proj}.weight',
    ]);
    // Four a layer (projections, output, gate and up, down), and the head.
    expect(list.dispatches.filter(({ kernel }) => kernel.kind === 'gemm').length).to.equal(2 * 4 + 1);
  });

  it('has rope tables of the full precision of f32 at late positions', async () => {
    const { graph, source } = await tinyLlama({ maxLength: 32_768, trainedLength: 32_768 });
    const { stage, formats } = build(graph, { plan: densePlan, target: wasmTarget, verify: true });
    const tables = new Parameters({ source, derived: stage.derived, computed: {}, storage: null, formats });
    const names = [...stage.derived.keys()].filter((name) => name.startsWith('constant'));
    expect(names.length).to.equal(2);
    const found = await Promise.all(names.map(async (name) => await tables.read(name)));
    for (const position of [1, 4097, 32_767]) {
      for (let i = 0; i < 4; i += 1) {
        const angle = position * 10_000 ** ((-2 * i) / 8);
        const at = found.map((table) => table[position * 4 + i] as number);
        const expected = [Math.cos(angle), Math.sin(angle)];
        // An angle near 32,767 has a spacing of 2e-3 in f32.
        for (const value of expected) expect(Math.min(...at.map((each) => Math.abs(each - value)))).to.be.at.most(1e-7);
      }
    }
  });
});

function parameterNames({ weights }: TinyLlama, derived: ReadonlyMap<string, unknown>): readonly string[] {
  return [...Object.keys(weights), ...derived.keys()];
}
