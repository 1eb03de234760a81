import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { compileSettings } from '../../compiler/cli/compile-settings.ts';
import { inScratch } from './command-line.ts';

describe('the options of a compilation', () => {
  it('have a folder named for the model, or for the package', async () => {
    expect(await compileSettings('models/all-MiniLM-L6-v2/', {})).to.deep.equal({
      model: 'models/all-MiniLM-L6-v2/',
      out: path.join('dist', 'all-MiniLM-L6-v2'),
    });
    expect(await compileSettings('models/bert.ts', {})).to.include({ out: path.join('dist', 'bert') });
    for (const model of ['hf:org/tiny', 'hf:org/tiny@v1', 'hf:org/other:tiny.gguf', 'models/tiny.gguf']) {
      expect(await compileSettings(model, {})).to.deep.equal({ model, out: path.join('dist', 'tiny') });
    }
    expect(await compileSettings('models/bert.ts', { name: '@scope/tiny' })).to.include({
      name: '@scope/tiny',
      out: path.join('dist', 'tiny'),
    });
  });

  it('take text for calibration with mode hybrid or a bound', async () => {
    expect(await compileSettings('m', { attn: 'hybrid', calibrate: ['a.txt'] })).to.deep.include({
      attention: 'hybrid',
      calibrate: ['a.txt'],
    });
    for (const flags of [
      { calibrate: ['a.txt'] },
      { attn: 'stream', calibrate: ['a.txt'] },
      { plan: 'p.yaml', calibrate: ['a.txt'] },
    ]) {
      const error: unknown = await compileSettings('m', flags).catch((reason: unknown) => reason);
      expect(error).to.have.property('code', 'ATPC-301');
    }
    await inScratch(async (folder) => {
      const file = path.join(folder, 'atpc.yaml');
      await writeFile(
        file,
        'model: hf:org/tiny\nattention: { mode: hybrid, calibrate: texts/a.txt }\nbeyondTrainedContext: true\n',
      );
      expect(await compileSettings(undefined, { config: file })).to.deep.include({
        model: 'hf:org/tiny',
        attention: 'hybrid',
        calibrate: [path.join(folder, 'texts/a.txt')],
        beyondTrainedContext: true,
      });
      // Another mode on the command line replaces what the file says about attention.
      expect(await compileSettings(undefined, { config: file, attn: 'dense' })).to.not.have.property('calibrate');
    });
  });

  it('take a bound of the loss, with the texts that it is measured on', async () => {
    const found = await compileSettings('m', {
      attn: 'auto',
      maxLoss: 0.02,
      calibrate: ['a.txt', 'b.jsonl'],
      writePlan: 'p.yaml',
    });
    expect(found).to.deep.include({ attention: 'auto', maxLoss: 0.02, calibrate: ['a.txt', 'b.jsonl'], writePlan: 'p.yaml' });
    expect(await compileSettings('m', { plan: 'p.yaml', maxLoss: 0.02, calibrate: ['a.txt'] })).to.include({ plan: 'p.yaml' });
    const missing: unknown = await compileSettings('m', { plan: 'p.yaml', maxLoss: 0.02 }).catch((reason: unknown) => reason);
    expect(missing).to.have.property('code', 'ATPC-301');
    await inScratch(async (folder) => {
      const file = path.join(folder, 'atpc.yaml');
      const attention = '{ mode: auto, maxLoss: 0.05, calibrate: [a.txt, /b.txt], writePlan: p.yaml }';
      await writeFile(file, `model: hf:org/tiny\nattention: ${attention}\n`);
      const read = await compileSettings(undefined, { config: file });
      expect(read).to.deep.include({ maxLoss: 0.05, calibrate: [path.join(folder, 'a.txt'), '/b.txt'] });
      expect(read.writePlan).to.equal(path.join(folder, 'p.yaml'));
      expect(await compileSettings(undefined, { config: file, maxLoss: 0.1 })).to.include({ attention: 'auto', maxLoss: 0.1 });
      expect(await compileSettings(undefined, { config: file, attn: 'dense' })).to.not.have.any.keys('maxLoss', 'writePlan');
      await writeFile(file, 'model: hf:org/tiny\nattention: { mode: auto, maxLoss: 0 }\n');
      const wrong: unknown = await compileSettings(undefined, { config: file }).catch((reason: unknown) => reason);
      expect(wrong).to.have.property('code', 'ATPC-310');
    });
  });

  it('come from the file, with paths from its folder, and the command line wins', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'atpc.yaml');
      await writeFile(
        file,
        [
          'model: model',
          'weights: /abs/weights',
          'out: build/out',
          'name: tiny',
          'targets: [wasm]',
          'attention: { mode: expand, keys: 0.25, typicalLength: 512 }',
          'quant: f16',
          'maxSeq: 4096',
          'dump: dump',
        ].join('\n'),
      );
      expect(await compileSettings(undefined, { config: file })).to.deep.equal({
        model: path.join(folder, 'model'),
        weights: '/abs/weights',
        out: path.join(folder, 'build/out'),
        name: 'tiny',
        targets: ['wasm'],
        attention: 'expand',
        keys: '0.25',
        typicalLength: 512,
        storage: 'f16',
        maxLength: 4096,
        dump: path.join(folder, 'dump'),
      });
      const settings = await compileSettings('other', { config: file, attn: 'topr', keys: '1/8', quant: 'f32', out: 'here' });
      expect(settings).to.include({
        model: 'other',
        attention: 'topr',
        keys: '1/8',
        storage: 'f32',
        out: 'here',
        typicalLength: 512,
      });
      const planned = await compileSettings(undefined, { config: file, plan: 'plan.yaml' });
      expect(planned).to.include({ plan: 'plan.yaml' }).and.not.have.any.keys('attention', 'keys');
    });
  });
});
