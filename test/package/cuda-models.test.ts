import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compile } from '../../compiler/compile.ts';
import { precisions, type CompileOptions } from '../../compiler/compile-options.ts';
import { loadPackage, type PackageModule } from '../../compiler/package/load-package.ts';
import type { Model } from '../../runtime/api.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaEnvironment, cudaIsThere, simulateModules } from '../cuda-device.ts';
import { writeTinyLlama } from '../models/tiny-folders.ts';
import { tokenIds } from '../models/tiny-llama.ts';
import { temporaryFolder } from '../null/import-files.ts';
import { requires, requiresTime } from '../requirements.ts';

const plans = {
  dense: 'version: 1\n',
  stream: 'version: 1\ndefault: { mode: stream, sinks: 2, window: 24, block: 16, atoms: 12 }\n',
};

describe('compiled models on CUDA, beside WebAssembly', function () {
  this.timeout(240_000);
  const parent = temporaryFolder();
  before(async function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
    requiresTime(this);
    Object.assign(process.env, await cudaEnvironment());
  });

  /** Compiles a model, and its kernels for the device that tests have. */
  async function compiled(options: Omit<CompileOptions, 'targets'>): Promise<PackageModule> {
    const { manifest } = await compile({ ...options, targets: ['wasm', 'cuda'] });
    const read = (file: string): Promise<string> => readFile(path.join(options.out, file), 'utf8');
    const files = manifest.targets.find(({ name }) => name === 'cuda')?.variants.map(({ file }) => file) ?? [];
    expect(files).to.have.length(2);
    await simulateModules(await read('kernels/cuda/kernels.cu'), await Promise.all(files.map(read)));
    return loadPackage(options.out);
  }

  for (const precision of precisions)
    it(`give the same labels, and scores as close as ${precision} is`, async () => {
      const model = fileURLToPath(new URL('../../examples/sentiment/model', import.meta.url));
      const { load } = await compiled({ model, out: path.join(parent(), `sentiment-${precision}`), precision });
      await using wasm = await load({ backend: 'wasm' });
      const texts = ['A good film.', 'bad', 'I would watch this again, and again, and again.'];
      const expected = await wasm.classify(texts);
      // Its self-test has compared it with the recorded outputs.
      await using device = await load({ backend: 'cuda' });
      expect(device.info().backend).to.equal('cuda');
      for (const [index, { score, label }] of (await device.classify(texts)).entries()) {
        expect(label).to.equal(expected[index]?.label);
        expect(score).to.be.closeTo(expected[index]?.score ?? NaN, precision === 'f32' ? 1e-4 : 0.05);
      }
    });

  for (const [name, plan] of Object.entries(plans))
    it(`give the same tokens and logits in sessions (${name})`, async () => {
      const model = await writeTinyLlama(path.join(parent(), `model-${name}`), 300);
      const planFile = path.join(parent(), `${name}.yaml`);
      await writeFile(planFile, plan);
      const { load } = await compiled({ model, out: path.join(parent(), `llama-${name}`), plan: planFile });
      await using wasm = await load({ backend: 'wasm' });
      await using device = await load({ backend: 'cuda' });
      const ids = tokenIds(150);
      const logitsOf = async (loaded: Model): Promise<ArrayLike<number>> =>
        (await loaded.run({ input_ids: [[...ids]] }))['logits']?.data ?? [];
      const [found, expected] = [await logitsOf(device), await logitsOf(wasm)];
      expect(found.length).to.equal(expected.length);
      const worst = Math.max(...Array.from(expected, (value, at) => Math.abs((found[at] ?? NaN) - value)));
      expect(worst).to.be.below(1e-4);
      const answerOf = async (loaded: Model): Promise<readonly number[]> => {
        const session = loaded.session();
        const { ids: first } = await session.generate(ids, { maxTokens: 12 }).result;
        const { ids: second } = await session.generate([...ids, ...first, 5], { maxTokens: 12 }).result;
        return [...first, ...second];
      };
      expect(await answerOf(device)).to.deep.equal(await answerOf(wasm));
    });
});
