import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compile } from '../../compiler/compile.ts';
import { loadPackage } from '../../compiler/package/load-package.ts';
import type { Model, NamedOutputs } from '../../runtime/api.ts';
import { writeTinyLlama } from '../models/tiny-folders.ts';
import { tokenIds } from '../models/tiny-llama.ts';
import { temporaryFolder } from '../null/import-files.ts';
import { requires, requiresTime } from '../requirements.ts';
import { webgpuIsThere } from '../webgpu-adapter.ts';
import { loadHere, WatchedDevices } from './webgpu-thread.ts';

const targets = ['wasm', 'webgpu'];
const stream = `version: 1
default: { mode: stream, sinks: 2, window: 24, block: 16, atoms: 12 }
`;

function expectClose(found: NamedOutputs, expected: NamedOutputs, tolerance = 1e-4): void {
  expect(Object.keys(found)).to.deep.equal(Object.keys(expected));
  for (const [name, { data, shape }] of Object.entries(expected)) {
    expect(found[name]?.shape).to.deep.equal(shape);
    const worst = Math.max(...data.map((value, at) => Math.abs((found[name]?.data[at] ?? NaN) - value)));
    expect(worst, name).to.be.below(tolerance);
  }
}

describe('compiled models on WebGPU, beside WebAssembly', function () {
  this.timeout(240_000);
  const parent = temporaryFolder();
  before(function () {
    requires(this, 'webgpu', webgpuIsThere());
    requiresTime(this);
  });

  it('give the same embeddings and labels, with every build that runs here', async () => {
    const out = path.join(parent(), 'sentiment');
    await compile({ model: fileURLToPath(new URL('../../examples/sentiment/model', import.meta.url)), out, targets });
    const { load } = await loadPackage(out);
    await using wasm = await load({ backend: 'wasm' });
    const texts = ['A good film.', 'bad', 'I would watch this again, and again, and again.'];
    const expected = await wasm.classify(texts);
    {
      await using model = await load({ backend: 'webgpu' });
      expect(model.info().backend).to.equal('webgpu');
      const found = await model.classify(texts);
      expect(found.map(({ label }) => label)).to.deep.equal(expected.map(({ label }) => label));
      for (const [index, { score }] of found.entries()) expect(score).to.be.closeTo(expected[index]?.score ?? NaN, 1e-4);
    }
    const inputs = { input_ids: [[...wasm.tokenize(texts[2] ?? '').ids]] };
    for (const builds of [[''], ['subgroups']]) {
      using watched = new WatchedDevices();
      await using model = await loadHere(out, { builds });
      const before = watched.submissions;
      expectClose(await model.run(inputs), await wasm.run(inputs));
      expect(watched.submissions - before).to.equal(1);
    }
  });

  for (const [name, plan] of Object.entries({ dense: 'version: 1\n', stream }))
    it(`give the same tokens and logits in sessions (${name}), also after a loss`, async () => {
      const model = await writeTinyLlama(path.join(parent(), `model-${name}`), 300);
      const planFile = path.join(parent(), `${name}.yaml`);
      await writeFile(planFile, plan);
      const out = path.join(parent(), `llama-${name}`);
      await compile({ model, out, plan: planFile, targets });
      const { load } = await loadPackage(out);
      await using wasm = await load({ backend: 'wasm' });
      const ids = tokenIds(150);
      const answerOf = async (loaded: Model): Promise<readonly number[]> =>
        (await loaded.session().generate(ids, { maxTokens: 12 }).result).ids;
      const [logits, answer] = [await wasm.run({ input_ids: [[...ids]] }), await answerOf(wasm)];
      for (const builds of [[''], ['subgroups']]) {
        using watched = new WatchedDevices();
        await using device = await loadHere(out, { builds });
        expectClose(await device.run({ input_ids: [[...ids]] }), logits);
        const session = device.session();
        const first = (await session.generate(ids, { maxTokens: 6 }).result).ids;
        expect(first).to.deep.equal(answer.slice(0, 6));
        watched.last.destroy();
        const { ids: second, reusedTokens } = await session.generate([...ids, ...first], { maxTokens: 6 }).result;
        expect(second).to.deep.equal(answer.slice(6, 12));
        expect(reusedTokens).to.be.above(ids.length);
        const before = watched.submissions;
        await session.generate([...ids, ...answer], { maxTokens: 3 }).result;
        // The tokens that were not read, and all of the answer but its last.
        expect(watched.submissions - before).to.be.below(5);
      }
    });
});
