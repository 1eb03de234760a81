import { expect } from 'chai';
import { buildStateful, type Built, type BuiltEntry } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { evaluateNodes, emptyStates, interpret, interpretStep } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { verifyGraph } from '../../ir/verify.ts';
import { causalModes, uniformCachePlan, type CachePlan } from '../../passes/atp/cache-plan.ts';
import { withCaches } from '../../passes/cache.ts';
import { entryGraph } from '../../passes/entry-points.ts';
import { llamaInputs, positionsTensor, tinyLlama, tokenIds, type TinyLlama } from '../models/tiny-llama.ts';
import { expectClose } from './tensors.ts';

const capacity = 120;
const dense = uniformCachePlan('dense', [3, 3], capacity, 'Dense.');
const settings = { sinks: 2, window: 12, block: 8, atoms: 6 };
/** Heads of three modes, out of order, in the first layer; all in one mode in the second. */
const mixed: CachePlan = {
  reason: 'Mixed.',
  layers: [
    [
      { mode: 'stream', kvHeads: [2], cache: causalModes.stream.cache(capacity, settings) },
      { mode: 'dense', kvHeads: [0], cache: causalModes.dense.cache(capacity) },
      { mode: 'expand', kvHeads: [1], cache: causalModes.expand.cache(capacity, { ...settings, most: 2, share: 0 }) },
    ],
    [{ mode: 'stream', kvHeads: [0, 1, 2], cache: causalModes.stream.cache(capacity, settings) }],
  ],
};
/** Caches that never have to leave anything out, for heads in every order. */
const roomy: CachePlan = {
  reason: 'Roomy.',
  layers: [
    [
      { mode: 'stream', kvHeads: [2, 0], cache: causalModes.stream.cache(capacity, { ...settings, atoms: 120 }) },
      { mode: 'expand', kvHeads: [1], cache: causalModes.expand.cache(capacity, { ...settings, most: 120, share: 0 }) },
    ],
    [
      { mode: 'dense', kvHeads: [1], cache: causalModes.dense.cache(capacity) },
      { mode: 'stream', kvHeads: [0, 2], cache: causalModes.stream.cache(capacity, { ...settings, window: 120 }) },
    ],
  ],
};

/** Logits of every call, by the entry points of a plan; the last call reads one token. */
function run(
  model: TinyLlama,
  built: Built,
  ids: readonly number[],
  calls: readonly number[],
  entry: 'prefill' | 'score',
): Tensor[] {
  const named = (name: string): BuiltEntry => built.entries.find((each) => each.name === name) as BuiltEntry;
  let states = emptyStates(named('prefill').stage.graph, 'f64');
  let past = 0;
  return calls.map((count) => {
    const { graph } = named(count === 1 && entry === 'prefill' ? 'decode' : entry).stage;
    const derived = [...built.stage.derived.values()];
    const values = evaluateNodes(derived, { parameters: model.parameters, precision: 'f64' });
    const { outputs, states: after } = interpretStep(graph, {
      inputs: { ...llamaInputs(ids.slice(past, past + count)), position_ids: positionsTensor(past, count) },
      states,
      dims: graph.dims.some(({ name }) => name === 'seq') ? { seq: count, past } : { past },
      parameters: (name) => {
        const node = built.stage.derived.get(name);
        return node ? (values.get(node)?.[0] as Tensor) : model.parameters(name);
      },
      precision: 'f64',
    });
    past += count;
    states = after;
    return outputs['logits'] as Tensor;
  });
}
const row = (logits: Tensor, index: number): Tensor => {
  const vocabulary = logits.shape[2] as number;
  return { ...logits, shape: [1, 1, vocabulary], data: logits.data.slice(index * vocabulary, (index + 1) * vocabulary) };
};

describe('passes: caches for causal models', () => {
  let model: TinyLlama;
  const ids = tokenIds(70);
  const buildWith = (plan: CachePlan): Built =>
    buildStateful(model.graph, { plan, maxTokens: capacity, target: wasmTarget, verify: true });
  let whole: Tensor;
  before(async () => {
    model = await tinyLlama({ heads: 6, kvHeads: 3 });
    const outputs = interpret(model.graph, {
      inputs: llamaInputs(ids),
      parameters: model.parameters,
      precision: 'f64',
    });
    whole = outputs['logits'] as Tensor;
  });

  for (const [name, plan] of Object.entries({ dense, roomy })) {
    it(`${name}: pieces of a text give what the model gives on the whole`, () => {
      const calls = [1, 20, 7, 33, 8, 1];
      let end = 0;
      for (const [index, logits] of run(model, buildWith(plan), ids, calls, 'prefill').entries()) {
        end += calls[index] as number;
        expectClose(logits, row(whole, end - 1), 1e-9);
      }
      const [first, second] = run(model, buildWith(plan), ids, [30, 40], 'score') as [Tensor, Tensor];
      for (const at of [0, 13, 29]) expectClose(row(first, at), row(whole, at), 1e-9);
      for (const at of [0, 39]) expectClose(row(second, at), row(whole, 30 + at), 1e-9);
    });
  }

  it('mixed modes: results do not depend on how the text is cut', () => {
    const built = buildWith(mixed);
    const [all] = run(model, built, ids, [70], 'score') as [Tensor];
    const calls = [5, 11, 16, 1, 36, 1];
    let end = 0;
    for (const [index, logits] of run(model, built, ids, calls, 'prefill').entries()) {
      end += calls[index] as number;
      expectClose(logits, row(all, end - 1), 1e-9);
    }
  });

  it('the state is bound to its names and verifies in every entry point', () => {
    const cached = withCaches(model.graph, mixed, capacity);
    for (const entry of ['prefill', 'decode', 'score'] as const) verifyGraph(entryGraph(cached, entry));
    const names = (cached.states ?? []).map(({ before }) => before.attributes.name);
    expect(names).to.include.members([
      'layer0.heads0.score',
      'layer0.heads1.key',
      'layer0.heads2.meanKey',
      'layer1.heads0.position',
    ]);
  });

  it('a plan that leaves out heads or names them twice is refused', () => {
    const [layer = []] = dense.layers;
    const [group] = layer;
    if (!group) throw new Error('The plan has a group.');
    const wrong = (kvHeads: readonly number[]): CachePlan => ({ ...dense, layers: [[{ ...group, kvHeads }], layer] });
    for (const heads of [
      [0, 1],
      [0, 1, 1],
      [0, 1, 3],
    ])
      expect(() => buildWith(wrong(heads))).to.throw('the plan gives caches to');
  });
});
