import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import type { BenchReport } from '../../compiler/cli/bench-command.ts';
import type { DoctorReport } from '../../compiler/cli/doctor-command.ts';
import type { ExplainReport } from '../../compiler/explain/report.ts';
import type { CompileReport } from '../../compiler/index.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { nativeIsThere } from '../native-compiler.ts';
import { requires } from '../requirements.ts';
import { atpc, inScratch, listing, sentimentModel } from './command-line.ts';

interface RunReport {
  readonly backend: string;
  readonly results: readonly { readonly label: string; readonly score: number }[];
}
/** What `CC` says where there is no compiler. */
const without = { env: { CC: '/nonexistent/cc' } };

describe('the target native on the command line', function () {
  this.timeout(300_000);

  it('without a compiler gives the text alone, says what is missing, and runs as WebAssembly', async () => {
    await inScratch(async (folder) => {
      const out = path.join(folder, 'text-alone');
      const compiled = await atpc(
        ['compile', sentimentModel, '-o', out, '-t', 'wasm,native', '--attn', 'dense', '--json'],
        without,
      );
      expect(compiled.code, compiled.stderr).to.equal(0);
      const { notes, manifest } = JSON.parse(compiled.stdout) as CompileReport;
      expect(notes.join('\n')).to.match(/No C compiler was found.*apt-get install gcc/);
      expect(manifest.targets.find(({ name }) => name === 'native')?.variants).to.deep.equal([]);
      expect(await listing(path.join(out, 'kernels/native'))).to.deep.equal(['explain.json', 'kernels.c', 'program.json']);
      expect(await readFile(path.join(out, 'README.md'), 'utf8')).to.include('had no C compiler');
      expect((await atpc(['inspect', 'package', out])).stdout).to.include('native, as text alone');
      expect((await atpc(['run', out, '--text', 'A fine film.'])).code).to.equal(0);
      const run = await atpc(['run', out, '--text', 'A fine film.', '--backend', 'native']);
      expect(run.code).to.equal(3);
      expect(run.stderr).to.match(/ATPC-501: The package '.*' has its kernels for native as text alone/);
      const bad = await atpc(['compile', sentimentModel, '-t', 'nativ']);
      expect(bad.stderr).to.match(/ATPC-307: .*'nativ'.*\nDid you mean 'native'\?/);
    });
  });

  it('compiles, runs, profiles and explains', async function () {
    requires(this, 'native', nativeIsThere());
    await inScratch(async (folder) => {
      const out = path.join(folder, 'both');
      const compiled = await atpc(['compile', sentimentModel, '-o', out, '-t', 'native,wasm', '--attn', 'dense']);
      expect(compiled.code, compiled.stderr).to.equal(0);
      const { targets } = JSON.parse(await readFile(path.join(out, 'manifest.json'), 'utf8')) as Manifest;
      const system = `${process.platform}-${process.arch}`;
      const variants = targets.find(({ name }) => name === 'native')?.variants ?? [];
      expect(variants.length).to.be.above(0);
      for (const { features } of variants) expect(features).to.include(system);
      expect(await readFile(path.join(out, 'README.md'), 'utf8')).to.include(`It is compiled for ${system}.`);

      const answers = await Promise.all(
        ['wasm', 'native'].map((backend) => atpc(['run', out, '--text', 'A fine film.', '--backend', backend, '--json'])),
      );
      const [wasm, native] = answers.map(({ stdout }) => JSON.parse(stdout) as RunReport);
      expect(native?.backend).to.equal('native');
      expect(native?.results[0]?.label).to.equal(wasm?.results[0]?.label);
      expect(native?.results[0]?.score).to.be.closeTo(wasm?.results[0]?.score ?? NaN, 1e-4);

      const args = ['bench', out, '--backend', 'native', '--tokens', '32', '--runs', '2', '--warmup', '1', '--profile'];
      const report = JSON.parse((await atpc([...args, '--json'])).stdout) as BenchReport;
      expect(report.backend).to.equal('native');
      const { simdLimit } = report;
      if (!simdLimit || !('native' in simdLimit)) throw new Error('There is no limit of native.');
      expect(simdLimit.build.split(', ')[0]).to.equal(system);
      const gemm = report.results[0]?.profile?.find(({ kind }) => kind === 'gemm');
      expect(gemm?.shareOfLimit).to.be.closeTo((gemm?.gflopsPerSecond ?? NaN) / simdLimit.native / report.threads.used, 1e-9);
      expect((await atpc(args)).stdout).to.match(/^SIMD limit of a core: \d+\.\d GFLOP\/s of multiply-adds \(/m);
      // Whoever profiles without a compiler gets times and rates.
      const bare = JSON.parse((await atpc([...args, '--json'], without)).stdout) as BenchReport;
      expect(bare).not.to.have.property('simdLimit');

      const explained = await atpc(['explain', out, '-t', 'native', '--tokens', '32', '--runs', '1', '--profile', '--json']);
      expect(explained.code, explained.stderr).to.equal(0);
      expect((JSON.parse(explained.stdout) as ExplainReport).measured?.how).to.include('on native');
    });
  });

  it('is reported on by doctor', async function () {
    const none = JSON.parse((await atpc(['doctor', '--json'], without)).stdout) as DoctorReport;
    expect(none.native).to.deep.equal({ compiler: null, platform: null, level: null });
    expect((await atpc(['doctor'], without)).stdout).to.match(/Machine code\n +C compiler +none found .*apt-get install gcc/);
    requires(this, 'native', nativeIsThere());
    const { native } = JSON.parse((await atpc(['doctor', '--json'])).stdout) as DoctorReport;
    expect(native.platform).to.equal(`${process.platform}-${process.arch}`);
    expect(native.compiler).to.match(/\d+\.\d+/);
    if (process.arch === 'x64') expect(native.level?.[0]).to.match(/^x86-64-v[234]$/);
    else expect(native.level).to.deep.equal([]);
  });
});
