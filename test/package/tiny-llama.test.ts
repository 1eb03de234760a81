import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { compile } from '../../compiler/compile.ts';
import { loadPackage } from '../../compiler/package/load-package.ts';
import { encodeSafetensors } from '../../compiler/weights/safetensors-layout.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Model } from '../../runtime/api.ts';
import { llamaInputs, tinyLlama, tokenIds, type TinyLlama } from '../models/tiny-llama.ts';
import { temporaryFolder, writeFolder } from '../null/import-files.ts';

const config = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 64,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 64,
  max_position_embeddings: 300,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  tie_word_embeddings: true,
  eos_token_id: 2,
};
const small = 'sinks: 2, window: 24, block: 16';
/** Plans by name: everything exact; every kind of cache in one layer, small enough to work at 200 tokens. */
const plans: Readonly<Record<string, string>> = {
  dense: 'version: 1\n',
  mixed: `version: 1
default: { mode: stream, ${small}, atoms: 12 }
layers:
  - layer: 1
    heads:
      - { kvHeads: [1], mode: expand, ${small}, tokensPerKey: 4, most: 3, share: 0 }
`,
};

describe('a small Llama as a package', function () {
  this.timeout(300_000);
  const parent = temporaryFolder();
  const models = new Map<string, Model>();
  let reference: TinyLlama;
  const ids = tokenIds(200);
  const modelOf = (plan: string): Model => {
    const model = models.get(plan);
    if (!model) throw new Error(`There is no model with the plan ${plan}.`);
    return model;
  };

  before(async () => {
    reference = await tinyLlama({ trainedLength: 300, maxLength: 300 });
    const tensors = Object.entries(reference.weights).map(([name, { shape, data }]) => ({
      name,
      shape,
      storage: 'F32' as const,
      data,
    }));
    const folder = await writeFolder(parent(), { 'config.json': config, 'model.safetensors': encodeSafetensors(tensors) });
    for (const [name, text] of Object.entries(plans)) {
      const plan = path.join(parent(), `${name}.yaml`);
      await writeFile(plan, text);
      const out = path.join(parent(), `package-${name}`);
      await compile({ model: folder, out, plan });
      const { load } = await loadPackage(out);
      models.set(name, await load({ threads: 2 }));
    }
  });
  after(async () => {
    for (const model of models.values()) await model.dispose();
  });

  const logitsOf = async (plan: string, tokens: readonly number[]): Promise<Float32Array> => {
    const { logits } = await modelOf(plan).run({ input_ids: [[...tokens]] });
    if (logits?.elementType !== 'f32') throw new Error('The model gives logits.');
    return logits.data;
  };
  const expectNear = (found: ArrayLike<number>, expected: ArrayLike<number>, within: number): void => {
    expect(found.length).to.equal(expected.length);
    let largest = 0;
    for (let i = 0; i < found.length; i += 1)
      largest = Math.max(largest, Math.abs((found[i] as number) - (expected[i] as number)));
    expect(largest).to.be.at.most(within);
  };

  it('gives the logits of the interpreter where it is dense', async () => {
    const whole = { ...reference.graph, dims: [{ name: 'seq', min: 1, max: 300 }] };
    const { logits } = interpret(whole, { inputs: llamaInputs(ids), parameters: reference.parameters, precision: 'f64' });
    expectNear(await logitsOf('dense', ids), logits?.data ?? [], 1e-4);
  });

  for (const plan of Object.keys(plans)) {
    it(`${plan}: a token changes nothing before it`, async () => {
      const before = await logitsOf(plan, ids);
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 199 }), fc.integer({ min: 0, max: 63 }), async (changed, id) => {
          const other = ids.map((own, at) => (at === changed ? id : own));
          const after = await logitsOf(plan, other);
          expectNear(after.subarray(0, changed * 64), before.subarray(0, changed * 64), 1e-5);
        }),
        { numRuns: 6 },
      );
    });
    it(`${plan}: an answer is the same however its prompt was read`, async () => {
      const model = modelOf(plan);
      const options = { maxTokens: 12 };
      const expected = await model.generate(ids, options).result;
      expect(expected.ids.length).to.be.above(0);
      const session = model.session();
      for (const read of [40, 41, 130, 200]) {
        const { ids: answer, reusedTokens } = await session.generate(ids.slice(0, read), {
          ...options,
          maxTokens: read < 200 ? 1 : 12,
        }).result;
        if (read === 200) expect([...answer]).to.deep.equal([...expected.ids]);
        if (read === 41 && plan === 'dense') expect(reusedTokens).to.equal(40);
      }
      const saved = await session.save();
      const restored = await model.restore(saved);
      const goOn = [...session.ids, 5];
      const [a, b] = [await session.generate(goOn, options).result, await restored.generate(goOn, options).result];
      expect([...b.ids]).to.deep.equal([...a.ids]);
      session.dispose();
      restored.dispose();
    });
  }

  it('says what is kept, approximate, and how many bytes a session has', async () => {
    const { attention, approximations } = modelOf('mixed').info();
    expect(attention.layers[1]?.heads.map(({ mode, kvHeads }) => [mode, kvHeads])).to.deep.equal([
      ['expand', [1]],
      ['stream', [0]],
    ]);
    expect(approximations.join()).to.include('stream').and.include('expand');
    const session = modelOf('mixed').session();
    await session.generate(ids.slice(0, 5), { maxTokens: 1 }).result;
    // Keys and values of 300 tokens for a head of the second layer, and 54 rows with scores and positions for the other three.
    expect(session.stateBytes)
      .to.be.above(4 * 300 * 16)
      .and.below(4 * (300 * 16 * 2 + 3 * 54 * 20));
    session.dispose();
  });
  it('takes no text without a tokenizer', async () => {
    expect(await modelOf('dense').generate('Text.').result.catch(String)).to.match(/ATPC-605/);
  });
});
