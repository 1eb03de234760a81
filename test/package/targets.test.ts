import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compile, type CompileReport } from '../../compiler/index.ts';
import { loadPackage } from '../../compiler/package/load-package.ts';
import { hostTarget, targetNames, targetsNamed } from '../../compiler/codegen/targets.ts';
import { targetNames as commandLineTargets } from '../../compiler/cli/compile-flags.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import type { Program } from '../../runtime/format/program.ts';
import { requires } from '../requirements.ts';
import { webgpuIsThere } from '../webgpu-adapter.ts';
import { refusal, TemporaryFolder } from './tiny-package.ts';

const model = fileURLToPath(new URL('../../examples/sentiment/model', import.meta.url));

describe('a package for several targets', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  let both: CompileReport;
  let wasm: CompileReport;
  before(async () => {
    folder = await TemporaryFolder.create();
    both = await compile({ model, out: folder.file('both'), attention: 'dense', targets: ['webgpu', 'wasm'] });
    wasm = await compile({ model, out: folder.file('wasm'), attention: 'dense' });
  });
  after(() => folder?.remove());
  const text = (name: string, file: string): Promise<string> => readFile(folder.file(name, file), 'utf8');
  const programOf = async (name: string, { program }: ManifestTarget): Promise<Program> =>
    JSON.parse(await text(name, program)) as Program;
  const hashes = ({ files }: Manifest, keep: (file: string) => boolean): readonly string[] =>
    files.filter(({ path: file }) => keep(file)).map(({ path: file, sha256 }) => `${file} ${sha256}`);

  it('has a program and kernels for each, in the order of the table', () => {
    const { targets, files } = both.manifest;
    expect(targets.map(({ name, program }) => [name, program])).to.deep.equal([
      ['wasm', 'program.json'],
      ['webgpu', 'kernels/webgpu/program.json'],
    ]);
    const listed = files.map(({ path: file }) => file);
    for (const { program, variants } of targets)
      expect(listed).to.include.members([program, ...variants.map(({ file }) => file)]);
    expect(targets[1]?.variants.map(({ features }) => features)).to.deep.include.members([[], ['subgroups']]);
    expect(both.programs.map(({ target }) => target)).to.deep.equal(['wasm', 'webgpu']);
  });

  it('is for WebAssembly what a package for that alone is, weights included', () => {
    const shared = (file: string): boolean => /^(kernels\/wasm|weights|tokenizer)\/|^(program|explain)\.json$/.test(file);
    expect(hashes(both.manifest, shared)).to.deep.equal(hashes(wasm.manifest, shared));
    expect(both.manifest.tensors).to.deep.equal(wasm.manifest.tensors);
    expect(both.manifest.targets[0]).to.deep.equal(wasm.manifest.targets[0]);
    for (const part of ['attention', 'golden', 'approximations', 'inputs', 'outputs', 'dims'] as const)
      expect(both.manifest[part], part).to.deep.equal(wasm.manifest[part]);
  });

  it('holds every tensor of every program once, in the shape that each expects', async () => {
    const { targets, tensors } = both.manifest;
    expect(new Set(tensors.map(({ name }) => name)).size).to.equal(tensors.length);
    const used = new Set<string>();
    for (const target of targets) {
      for (const { tensor, shape } of (await programOf('both', target)).weights) {
        used.add(tensor);
        expect(tensors.find(({ name }) => name === tensor)?.shape, `${target.name}: ${tensor}`).to.deep.equal(shape);
      }
    }
    expect([...used].sort()).to.deep.equal(tensors.map(({ name }) => name).sort());
  });

  it('has a text of every kernel of the program in every build', async () => {
    const target = both.manifest.targets[1] as ManifestTarget;
    const program = await programOf('both', target);
    const kernels = new Set(
      program.entryPoints.forward?.steps.flatMap((step) => (step.kind === 'dispatch' ? [step.kernel] : [])),
    );
    for (const { file } of target.variants) {
      const headers = [...(await text('both', file)).matchAll(/^\/\/ === kernel (\w+) ===$/gm)].map(([, name]) => name);
      expect(headers.sort(), file).to.deep.equal([...kernels].sort());
    }
  });

  it('says what it runs on, and asks for webgpu of npm as an option only', async () => {
    const manifest = JSON.parse(await text('both', 'package.json')) as Record<string, unknown>;
    expect(manifest['peerDependencies']).to.have.keys('webgpu');
    expect(manifest['peerDependenciesMeta']).to.deep.equal({ webgpu: { optional: true } });
    expect(manifest).to.not.have.any.keys('dependencies', 'optionalDependencies');
    expect(await text('both', 'index.d.ts')).to.contain(`readonly backend?: 'auto' | 'wasm' | 'webgpu';`);
    expect(await text('wasm', 'index.d.ts')).to.contain(`readonly backend?: 'auto' | 'wasm';`);
    expect(await text('both', 'README.md')).to.contain('npm install webgpu');
    for (const file of ['README.md', 'package.json', 'index.js', 'worker.js'])
      expect(await text('wasm', file), file).to.not.match(/requestAdapter|npm install webgpu|peerDependencies/);
  });

  it('gives the same numbers on both', async function () {
    requires(this, 'webgpu', webgpuIsThere());
    const { load } = await loadPackage(folder.file('both'));
    const texts = ['A fine film, and a long one at that.', 'Dull.'];
    await using here = await load({ backend: 'wasm' });
    await using device = await load({ backend: 'webgpu' });
    expect(device.info().backend).to.equal('webgpu');
    const expected = await here.classify(texts);
    for (const [index, { score, label }] of (await device.classify(texts)).entries()) {
      expect(label).to.equal(expected[index]?.label);
      expect(score).to.be.closeTo(expected[index]?.score ?? NaN, 1e-4);
    }
  });

  it('has golden vectors of its own for a target that chooses keys otherwise', async function () {
    const out = folder.file('expand');
    const { manifest } = await compile({ model, out, attention: 'expand', targets: ['wasm', 'webgpu'] });
    const [wasmTarget, webgpuTarget] = manifest.targets;
    expect(wasmTarget).to.not.have.any.keys('golden', 'approximations');
    expect(webgpuTarget?.approximations?.join()).to.contain('16 queries choose together');
    expect(webgpuTarget?.golden?.map(({ inputs }) => inputs)).to.have.length(2);
    expect(manifest.approximations.join()).to.not.contain('together');
    const outputs = (golden: Manifest['golden'] | undefined, index: number): unknown => golden?.[index]?.outputs;
    // The short input is read exactly; the long one by principal keys, other ones on each target.
    expect(outputs(webgpuTarget?.golden, 0)).to.deep.equal(outputs(manifest.golden, 0));
    expect(outputs(webgpuTarget?.golden, 1)).to.not.deep.equal(outputs(manifest.golden, 1));
    requires(this, 'webgpu', webgpuIsThere());
    await using device = await (await loadPackage(out)).load({ backend: 'webgpu', selfTest: false });
    await device.selfTest();
    expect(device.info().approximations).to.deep.equal(webgpuTarget?.approximations);
  });

  it('may be for WebGPU alone: without any code for WebAssembly, and not run by the compiler', async function () {
    const report = await compile({ model, out: folder.file('webgpu'), attention: 'dense', targets: ['webgpu'] });
    expect(report.manifest.targets.map(({ name }) => name)).to.deep.equal(['webgpu']);
    expect(report.notes.join('\n')).to.contain('has not run the kernels for webgpu');
    expect(report.manifest.files.filter(({ path: file }) => /wasm|^program\.json$/.test(file))).to.deep.equal([]);
    for (const file of ['index.js', 'worker.js'])
      expect(await text('webgpu', file), file).to.not.contain('WebAssembly.instantiate');
    const { load } = await loadPackage(folder.file('webgpu'));
    expect(await refusal(load({ backend: 'wasm' }))).to.match(/ATPC-501.*no kernels for wasm/);
    requires(this, 'webgpu', webgpuIsThere());
    await using device = await load();
    expect(device.info()).to.include({ backend: 'webgpu' });
  });

  it('does not depend on the order of their names', async () => {
    const other = await compile({ model, out: folder.file('other'), attention: 'dense', targets: ['wasm', 'webgpu', 'wasm'] });
    expect(other.manifest).to.deep.equal(both.manifest);
  });

  it('refuses literal ATP for a device, and says what else there is', async () => {
    const options = { model, out: folder.file('refused'), attention: 'svd', force: true };
    const error: unknown = await compile({ ...options, targets: ['wasm', 'webgpu'] }).catch((reason: unknown) => reason);
    expect(error)
      .to.include({ code: 'ATPC-307' })
      .and.have.property('message')
      .that.matches(/svd.*webgpu.*float64/);
    expect(error)
      .to.have.property('hint')
      .that.matches(/-t wasm.*another mode/);
    expect(await refusal(compile({ ...options, targets: [] }))).to.match(/ATPC-301.*No target/);
    expect(await refusal(compile({ ...options, targets: ['wgpu'] }))).to.match(/ATPC-307.*'wgpu'/);
  });

  it('has the targets that the command line offers', () => {
    expect(commandLineTargets).to.deep.equal(targetNames);
    expect(targetsNamed().map(({ name }) => name)).to.deep.equal(['wasm']);
    expect(targetsNamed(['webgpu'])).to.not.include(hostTarget);
  });
});
