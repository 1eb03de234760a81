import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { compile } from '../../compiler/compile.ts';
import { loadPackage, type PackageModule } from '../../compiler/package/load-package.ts';
import type { Model } from '../../runtime/api.ts';
import { nativeKind } from '../../runtime/backends/native/worker-executor.ts';
import { useNative } from '../../runtime/backends/native/use-native.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { writeTinyLlama } from '../models/tiny-folders.ts';
import { tokenIds } from '../models/tiny-llama.ts';
import { nativeIsThere } from '../native-compiler.ts';
import { requires } from '../requirements.ts';
import { sharedFile } from '../shared-data.ts';
import { loadInThread } from './load-here.ts';
import { TemporaryFolder } from './tiny-package.ts';

const plans = {
  dense: 'version: 1\n',
  stream: 'version: 1\ndefault: { mode: stream, sinks: 2, window: 24, block: 16, atoms: 12 }\n',
};

describe('compiled models as machine code, beside WebAssembly', function () {
  this.timeout(240_000);
  let folder: TemporaryFolder;
  before(async function () {
    requires(this, 'native', nativeIsThere());
    folder = await TemporaryFolder.create();
  });
  after(() => folder?.remove());

  /** Loads the package as every build that this processor runs, in this thread. */
  async function everyBuild(
    name: string,
    { targets }: Manifest,
    use: (model: Model, features: string) => Promise<void>,
  ): Promise<void> {
    const builds = targets.find((target) => target.name === 'native')?.variants.map(({ features }) => String(features)) ?? [];
    expect(builds.length).to.be.above(0);
    let loaded = 0;
    for (const build of builds) {
      try {
        const code = { name: 'native', uses: { native: useNative }, kinds: { native: nativeKind } } as const;
        await using model = await loadInThread(code, folder.file(name), { builds: [build] });
        loaded += 1;
        await use(model, build);
      } catch (error) {
        // What this processor lacks.
        expect(String(error)).to.match(/ATPC-501.*lacks/);
      }
    }
    expect(loaded).to.be.above(0);
  }

  describe('sentiment-mini', () => {
    let module: PackageModule;
    let manifest: Manifest;
    before(async function () {
      const model = path.dirname(sharedFile(this, 'models', 'sentiment-mini', 'config.json'));
      ({ manifest } = await compile({ model, out: folder.file('sentiment'), attention: 'dense', targets: ['wasm', 'native'] }));
      module = await loadPackage(folder.file('sentiment'));
    });

    it('gives the logits of the reference to 1e-4, the same bits with one thread and two, whatever else is in the batch', async function () {
      const golden = JSON.parse(readFileSync(sharedFile(this, 'golden', 'golden_sentiment.json'), 'utf8')) as {
        readonly items: readonly {
          readonly text: string;
          readonly ids: readonly number[];
          readonly logits_dense: readonly number[];
        }[];
      };
      await using one = await module.load({ backend: 'native', threads: 1 });
      await using two = await module.load({ backend: 'native', threads: 2 });
      for (const { text, ids, logits_dense: expected } of golden.items) {
        const all: (readonly number[])[] = [];
        for (const model of [one, two]) {
          const { logits } = await model.run({ input_ids: [ids] });
          for (const [at, value] of expected.entries()) expect(logits?.data[at], text).to.be.closeTo(value, 1e-4);
          all.push([...(logits?.data ?? [])]);
        }
        expect(all[1], 'two threads').to.deep.equal(all[0]);
      }
      const texts = golden.items.map(({ text }) => text);
      await using wasm = await module.load({ backend: 'wasm' });
      const expected = await wasm.classify(texts);
      for (const [index, { label, score }] of (await two.classify(texts)).entries()) {
        expect(label).to.equal(expected[index]?.label);
        expect(score).to.be.closeTo(expected[index]?.score ?? NaN, 1e-4);
      }
    });

    it('gives them with every build', async function () {
      await using wasm = await module.load({ backend: 'wasm' });
      const ids = Array.from({ length: 70 }, (_, at) => 1000 + 37 * at);
      const expected = (await wasm.run({ input_ids: [ids] }))['logits']?.data ?? [];
      await everyBuild('sentiment', manifest, async (model, build) => {
        const found = (await model.run({ input_ids: [ids] }))['logits']?.data ?? [];
        for (const [at, value] of Array.from(expected).entries()) expect(found[at], build).to.be.closeTo(value, 1e-4);
      });
    });
  });

  for (const [name, plan] of Object.entries(plans))
    it(`give the same tokens and logits in sessions, saved and restored (${name})`, async () => {
      const model = await writeTinyLlama(folder.file(`llama-${name}`), 300);
      const out = folder.file(name);
      await writeFile(folder.file(`${name}.yaml`), plan);
      const { manifest } = await compile({ model, out, plan: folder.file(`${name}.yaml`), targets: ['wasm', 'native'] });
      const { load } = await loadPackage(out);
      await using wasm = await load({ backend: 'wasm' });
      const ids = tokenIds(150);
      const logitsOf = async (loaded: Model): Promise<readonly number[]> => [
        ...((await loaded.run({ input_ids: [[...ids]] }))['logits']?.data ?? []),
      ];
      const answerOf = async (loaded: Model): Promise<readonly number[]> => {
        const session = loaded.session();
        const { ids: first } = await session.generate(ids, { maxTokens: 12 }).result;
        const restored = await loaded.restore(await session.save());
        session.dispose();
        const { ids: second } = await restored.generate([...ids, ...first, 5], { maxTokens: 12 }).result;
        return [...first, ...second];
      };
      const [expected, answer] = [await logitsOf(wasm), await answerOf(wasm)];
      const bits: (readonly number[])[] = [];
      for (const threads of [1, 2]) {
        await using native = await load({ backend: 'native', threads });
        const found = await logitsOf(native);
        expect(found.length).to.equal(expected.length);
        expect(Math.max(...expected.map((value, at) => Math.abs((found[at] ?? NaN) - value)))).to.be.below(1e-4);
        expect(await answerOf(native)).to.deep.equal(answer);
        bits.push(found);
      }
      expect(bits[1], 'two threads').to.deep.equal(bits[0]);
      await everyBuild(name, manifest, async (loaded) => {
        expect(await answerOf(loaded)).to.deep.equal(answer);
      });
    });
});
