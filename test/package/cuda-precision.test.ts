import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compile, type CompileReport } from '../../compiler/index.ts';
import { loadPackage } from '../../compiler/package/load-package.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaEnvironment, cudaIsThere, simulateModules } from '../cuda-device.ts';
import { requires } from '../requirements.ts';
import { TemporaryFolder } from './tiny-package.ts';

const model = fileURLToPath(new URL('../../examples/sentiment/model', import.meta.url));

describe('a package for CUDA in 16 bits', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  before(async function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
    Object.assign(process.env, await cudaEnvironment());
    folder = await TemporaryFolder.create();
  });
  after(() => folder?.remove());

  async function compiled(name: string, options: { readonly attention: string; readonly precision: 'f16' | 'bf16' }) {
    const report: CompileReport = await compile({ model, out: folder.file(name), targets: ['cuda'], ...options });
    const text = (file: string): Promise<string> => readFile(folder.file(name, file), 'utf8');
    const variants = report.manifest.targets.flatMap((target) => target.variants);
    await simulateModules(await text('kernels/cuda/kernels.cu'), await Promise.all(variants.map(({ file }) => text(file))));
    return report.manifest;
  }

  for (const precision of ['f16', 'bf16'] as const) {
    for (const attention of ['dense', 'expand']) {
      it(`gives what the reference gives, within its tolerance: ${attention}, ${precision}`, async () => {
        const name = `${attention}-${precision}`;
        const { golden } = await compiled(name, { attention, precision });
        expect(golden.length).to.be.at.least(1);
        for (const { toleranceOf } of golden) expect(toleranceOf).to.equal('largest');
        const { load } = await loadPackage(folder.file(name));
        const loaded = await load({ backend: 'cuda', selfTest: false });
        try {
          await loaded.selfTest();
          const [{ label } = { label: '' }] = [await loaded.classify('A warm, funny and beautifully acted film.')].flat();
          expect(label).to.match(/pos/i);
        } finally {
          await loaded.dispose();
        }
      });
    }
  }
});
