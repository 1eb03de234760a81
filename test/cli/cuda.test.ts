import { expect } from 'chai';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DoctorReport } from '../../compiler/cli/doctor-command.ts';
import type { ExplainReport } from '../../compiler/explain/report.ts';
import type { CompileReport } from '../../compiler/index.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import { cudaCompilersAreThere, nvrtcFiles } from '../cuda-compilers.ts';
import { requires } from '../requirements.ts';
import { atpc, inScratch, listing, sentimentModel } from './command-line.ts';

const manifestOf = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(path.join(folder, 'manifest.json'), 'utf8')) as Manifest;
const cudaOf = ({ targets }: Manifest): ManifestTarget =>
  targets.find(({ name }) => name === 'cuda') ?? expect.fail('There is no target cuda.');
async function compiled(out: string, ...more: readonly string[]): Promise<CompileReport> {
  const { code, stdout, stderr } = await atpc(['compile', sentimentModel, '-o', out, '--json', ...more]);
  expect(code, stderr).to.equal(0);
  return JSON.parse(stdout) as CompileReport;
}

describe('the target cuda on the command line', function () {
  this.timeout(300_000);

  it('takes a precision, and no other target does', async () => {
    const refused = await atpc(['compile', sentimentModel, '-o', 'never', '--precision', 'f16']);
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.match(/ATPC-301: Precision f16 is for the target cuda, and the targets are wasm\./);
    expect(refused.stderr).to.include('add -t cuda');
    const unknown = await atpc(['compile', sentimentModel, '-t', 'cuda', '--precision', 'bf1']);
    expect(unknown.code).to.equal(2);
    expect(unknown.stderr).to.match(/ATPC-301: --precision does not know 'bf1'\.\nDid you mean 'bf16'\?/);
    const near = await atpc(['compile', sentimentModel, '-t', 'cdua']);
    expect(near.stderr).to.match(/ATPC-307: .*'cdua'.*\nDid you mean 'cuda'\?/);
    await inScratch(async (folder) => {
      const config = path.join(folder, 'atpc.yaml');
      await writeFile(config, `model: ${sentimentModel}\ntargets: [cuda]\nprecision: fp16\n`);
      const invalid = await atpc(['compile', '--config', config]);
      expect(invalid.stderr).to.match(/ATPC-310: .*atpc\.yaml:3:1: .*precision.* does not know 'fp16'\.\nDid you mean 'f16'\?/);
    });
  });

  it('without a compiler gives the text alone, says what is missing, and does not load', async () => {
    await inScratch(async (folder) => {
      const out = path.join(folder, 'text-alone');
      const { code, stdout } = await atpc(['compile', sentimentModel, '-o', out, '-t', 'cuda', '--attn', 'dense', '--json'], {
        // No NVRTC, and no nvcc either.
        env: { ATPC_NVRTC: '' },
      });
      expect(code).to.equal(0);
      const { notes } = JSON.parse(stdout) as CompileReport;
      expect(notes.join('\n')).to.match(
        /No CUDA compiler was found.*pip install "nvidia-cuda-nvrtc==13\.0\.\*" && npm install koffi/,
      );
      expect(cudaOf(await manifestOf(out)).variants).to.deep.equal([]);
      expect(await listing(path.join(out, 'kernels/cuda'))).to.deep.equal(['explain.json', 'kernels.cu', 'program.json']);
      expect(await readFile(path.join(out, 'README.md'), 'utf8')).to.include('had no CUDA compiler');
      expect((await atpc(['inspect', 'package', out])).stdout).to.include('cuda, as text alone');
      const run = await atpc(['run', out, '--text', 'A fine film.']);
      expect(run.code).to.equal(3);
      expect(run.stderr).to.match(/ATPC-501: The package '.*' has its kernels for CUDA as text alone/);
      expect(run.stderr).to.include('NVRTC');
    });
  });

  it('is reported on by doctor', async function () {
    const none = JSON.parse((await atpc(['doctor', '--json'], { env: { ATPC_NVRTC: '' } })).stdout) as DoctorReport;
    expect(none.cudaCompilers.compilers).to.deep.equal([]);
    expect(none.cudaCompilers.remarks.join()).to.include('pip install "nvidia-cuda-nvrtc==13.0.*" && npm install koffi');
    requires(this, 'cuda-compiler', cudaCompilersAreThere());
    const { stdout } = await atpc(['doctor']);
    expect(stdout).to.match(/CUDA compilers\n +compilers +NVRTC 13\.0, NVRTC 12\.4\n/);
    const json = await atpc(['doctor', '--json']);
    expect((JSON.parse(json.stdout) as DoctorReport).cudaCompilers).to.deep.equal({
      compilers: [
        { kind: 'nvrtc', version: '13.0' },
        { kind: 'nvrtc', version: '12.4' },
      ],
      remarks: [],
    });
    const damaged = await atpc(['doctor', '--json'], {
      env: { ATPC_NVRTC: path.join(path.dirname(nvrtcFiles['13.0']), 'cmake') },
    });
    expect(damaged.stdout)
      .to.match(/cmake cannot be loaded: /)
      .and.not.include(path.dirname(nvrtcFiles['13.0']));
  });

  describe('with the others', () => {
    let folder = '';
    let both = '';
    let report: CompileReport;
    let manifest: Manifest;
    before(async function () {
      requires(this, 'cuda-compiler', cudaCompilersAreThere());
      folder = await mkdtemp(path.join(tmpdir(), 'atpc-test-'));
      both = path.join(folder, 'both');
      report = await compiled(both, '-t', 'cuda,wasm', '--precision', 'bf16', '--name', 'reviews');
      manifest = await manifestOf(both);
    });
    after(async () => {
      if (folder !== '') await rm(folder, { recursive: true });
    });

    it('has PTX for drivers of two generations', async () => {
      expect(cudaOf(manifest).variants).to.deep.equal([
        { file: 'kernels/cuda/kernels-13.0.ptx', features: ['cuda-13.0'] },
        { file: 'kernels/cuda/kernels-12.4.ptx', features: ['cuda-12.4'] },
      ]);
      expect(await listing(path.join(both, 'kernels/cuda'))).to.include('kernels.cu');
      expect(report.notes.join('\n')).to.include('has not run the kernels for cuda').and.not.include('pip install');
    });

    it('says of its precision that it approximates, on this target alone', async () => {
      const words = /both sides of products and of attention rounded to bf16/;
      expect(manifest.approximations.join()).not.to.match(words);
      expect(cudaOf(manifest).approximations?.join()).to.match(words);
      expect(report.notes.join('\n')).to.match(/Approximate on cuda: both sides .* bf16/);
      expect(await readFile(path.join(both, 'README.md'), 'utf8')).to.match(/- on cuda: both sides .* bf16/);
      expect((await atpc(['inspect', 'package', both])).stdout).to.match(/approximation, cuda +both sides .* bf16/);
    });

    it('is held to the outputs of the reference with the tolerance of its precision', () => {
      const [golden] = manifest.golden;
      const [own] = cudaOf(manifest).golden ?? [];
      expect(golden?.tolerance).to.equal(1e-4);
      expect(own?.outputs).to.deep.equal(golden?.outputs);
      expect(own).to.deep.include({ tolerance: 5e-2, toleranceOf: 'largest' });
    });

    it('names koffi as an optional peer, and CUDA in the README', async () => {
      const json = JSON.parse(await readFile(path.join(both, 'package.json'), 'utf8')) as object;
      expect(json).to.deep.include({
        peerDependencies: { koffi: '>=3.0.0' },
        peerDependenciesMeta: { koffi: { optional: true } },
      });
      const readme = await readFile(path.join(both, 'README.md'), 'utf8');
      expect(readme).to.include('It has kernels for WebAssembly and CUDA.');
      expect(readme).to.include("`load({ backend: 'wasm' })` or `'cuda'` decides.");
      expect(readme).to.include('The driver has to support CUDA 12.4 or newer.');
      expect(await readFile(path.join(both, 'index.d.ts'), 'utf8')).to.match(/backend\?: 'auto' \| 'wasm' \| 'cuda'/);
    });

    it('is the same package every time, and in f32 approximates nothing', async () => {
      const again = path.join(folder, 'again');
      await compiled(again, '-t', 'wasm,cuda', '--precision', 'bf16', '--name', 'reviews');
      expect(await manifestOf(again)).to.deep.equal(manifest);
      const plain = path.join(folder, 'plain');
      const { notes } = await compiled(plain, '-t', 'cuda', '--attn', 'dense');
      expect(notes.join('\n')).not.to.match(/rounded to b?f16, on tensor cores/);
      const { golden } = await manifestOf(plain);
      expect(golden.map(({ tolerance }) => tolerance)).to.deep.equal(golden.map(() => 1e-4));
    });

    it('has PTX of one generation where one compiler is there, and says for which drivers', async () => {
      const out = path.join(folder, 'one');
      const { code, stdout } = await atpc(['compile', sentimentModel, '-o', out, '-t', 'cuda', '--attn', 'dense', '--json'], {
        env: { ATPC_NVRTC: nvrtcFiles['13.0'] },
      });
      expect(code).to.equal(0);
      expect(cudaOf(await manifestOf(out)).variants.map(({ features }) => features)).to.deep.equal([['cuda-13.0']]);
      expect((JSON.parse(stdout) as CompileReport).notes.join('\n')).to.match(/need a driver for CUDA 13\.0 .*cu12==12\.4\.127/);
      expect(await readFile(path.join(out, 'README.md'), 'utf8')).to.include('has to support CUDA 13.0 or newer');
    });

    it('is explained by its own program, whatever is asked for', async () => {
      const report = JSON.parse(
        (await atpc(['explain', both, '-t', 'cuda', '--json', '--tokens', '64'])).stdout,
      ) as ExplainReport;
      expect(report.target.name).to.equal('cuda');
      expect(report.approximations.join()).to.include('rounded to bf16');
      const model = await atpc(['explain', sentimentModel, '-t', 'cuda', '--precision', 'f16', '--json']);
      expect((JSON.parse(model.stdout) as ExplainReport).approximations.join()).to.include('rounded to f16');
      const wrong = await atpc(['explain', both, '--precision', 'f16']);
      expect(wrong.code).to.equal(2);
      expect(wrong.stderr).to.match(/--precision is for models/);
    });
  });
});
