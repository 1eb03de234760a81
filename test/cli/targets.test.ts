import { expect } from 'chai';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { CompileReport } from '../../compiler/index.ts';
import type { ExplainReport } from '../../compiler/explain/report.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { mainEntryPoint, type Program } from '../../runtime/format/program.ts';
import { atpc, compileSentiment, sentimentModel } from './command-line.ts';

describe('targets on the command line', function () {
  this.timeout(300_000);
  let folder = '';
  let wasm = '';
  let both = '';
  let report: CompileReport;
  before(async () => {
    ({ folder, sentiment: wasm } = await compileSentiment());
    both = path.join(folder, 'both');
    const { code, stdout } = await atpc([
      'compile',
      sentimentModel,
      '-o',
      both,
      '-t',
      'webgpu, wasm',
      '--attn',
      'expand',
      '--json',
    ]);
    expect(code).to.equal(0);
    report = JSON.parse(stdout) as CompileReport;
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('are a list with commas, in any order', () => {
    expect(report.programs.map(({ target }) => target)).to.deep.equal(['wasm', 'webgpu']);
    expect(report.notes.join('\n')).to.contain('has not run the kernels for webgpu');
  });

  it('are each explained by their own program', async () => {
    const { targets } = JSON.parse(await readFile(path.join(both, 'manifest.json'), 'utf8')) as Manifest;
    for (const { name, program } of targets) {
      const { stdout } = await atpc(['explain', both, '-t', name, '--json', '--tokens', '128']);
      const explained = JSON.parse(stdout) as ExplainReport;
      expect(explained.target.name).to.equal(name);
      const { steps } = mainEntryPoint(JSON.parse(await readFile(path.join(both, program), 'utf8')) as Program);
      expect(explained.steps.map(({ kernel }) => kernel)).to.deep.equal(
        steps.flatMap((step) => (step.kind === 'dispatch' ? [step.kernel] : [])),
      );
      expect(explained.approximations.join().includes('16 queries choose together')).to.equal(name === 'webgpu');
    }
    const model = JSON.parse((await atpc(['explain', sentimentModel, '-t', 'webgpu', '--json'])).stdout) as ExplainReport;
    expect(model.target.name).to.equal('webgpu');
    const none = await atpc(['explain', wasm, '-t', 'webgpu']);
    expect(none.code).to.equal(2);
    expect(none.stderr).to.match(/ATPC-307.*no program for webgpu/);
  });

  it('are shown by inspect, with the memory of each', async () => {
    const { stdout } = await atpc(['inspect', 'package', both]);
    for (const part of ['wasm + simd128', 'webgpu + subgroups', 'peak memory, wasm', 'peak memory, webgpu'])
      expect(stdout).to.include(part);
    expect((await atpc(['inspect', 'package', wasm])).stdout).to.not.include('peak memory,');
  });

  it('refuse literal ATP for a device before anything is written', async () => {
    const { code, stderr } = await atpc([
      'compile',
      sentimentModel,
      '-o',
      path.join(folder, 'svd'),
      '-t',
      'webgpu',
      '--attn',
      'svd',
      '--force',
    ]);
    expect(code).to.equal(2);
    expect(stderr)
      .to.match(/ATPC-307: Mode svd cannot be compiled for webgpu: .*float64/)
      .and.match(/-t wasm/);
  });
});
