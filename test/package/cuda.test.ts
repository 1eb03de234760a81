import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { loadPackage } from '../../compiler/package/load-package.ts';
import type { LoadProgress } from '../../runtime/api.ts';
import { useCuda } from '../../runtime/backends/cuda/use-cuda.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaEnvironment, cudaIsThere, onHardware } from '../cuda-device.ts';
import { requires } from '../requirements.ts';
import {
  askedScript,
  expectChoice,
  expectFilesOfCaller,
  expectLoadsAborted,
  expectProcessEnds,
  expectSessions,
  expectTimes,
  ids,
  rounds,
  runScript,
} from './any-backend.ts';
import { liveObjects } from './cuda-faults.ts';
import { tinyCuda, writeGeneratorCuda, writeTinyCuda } from './tiny-cuda.ts';
import { expectedLogits, loadTiny, refusal, TemporaryFolder, writeTiny } from './tiny-package.ts';

/** Some tenths of a second on the simulated device. */
const slow = 5_000_000;
const cuda = { backend: 'cuda' } as const;

describe('a package for CUDA, in Node', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  before(async function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
    Object.assign(process.env, await cudaEnvironment());
    folder = await TemporaryFolder.create();
    await writeTinyCuda(folder.file('tiny'));
    await writeGeneratorCuda(folder.file('generator'), true, { rounds: 500_000 });
  });
  after(() => folder?.remove());
  afterEach(async () => {
    if (!onHardware) expect(await liveObjects(), 'left behind').to.equal('nothing');
  });

  it('gives what WebAssembly gives', async () => {
    const progress: LoadProgress[] = [];
    await using model = await loadTiny(folder.file('tiny'), { ...cuda, onProgress: (each) => progress.push(each) });
    for (const [count, batch] of [
      [5, 2],
      [6, 2],
      [7, 2],
      [8, 7],
    ] as const) {
      const rows = Array.from({ length: batch }, () => ids[0] ?? []);
      const { logits, spun } = await model.run({ input_ids: rows, rounds: rounds(count) });
      expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(rows));
      expect([...(spun?.data ?? [])]).to.deep.equal(Array.from({ length: 64 }, () => count));
    }
    expect(model.info()).to.include({ backend: 'cuda', why: 'asked for' });
    expect(model.info().device).to.match(/, compute capability \d+\.\d, driver for CUDA \d+\.\d, cuda-1[23]\.\d$/);
    expect(progress.filter(({ phase }) => phase === 'kernels').at(-1)?.kernels).to.deep.equal({ done: 3, total: 3 });
    expect(progress.filter(({ phase }) => phase === 'weights').at(-1)?.loadedBytes).to.equal(240);
    expect(model.memoryBytes).to.be.above(0);
  });

  it('takes its files from the caller too', () => expectFilesOfCaller(folder, 'cuda'));

  it('refuses an input of another shape, and goes on', async () => {
    await using model = await loadTiny(folder.file('tiny'), cuda);
    expect(await refusal(model.run({ input_ids: [[99]] }))).to.match(/ATPC-604/);
    expect([...((await model.run({ input_ids: ids }))['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
  });

  it('generates in sessions, two models at once, and saves them for its own backend', async () => {
    const { heldBytes, bytesAfter } = await expectSessions(folder, 'cuda', async (wasm, saved) => {
      expect(await refusal(wasm.restore(saved))).to.match(/ATPC-608.*on another backend/);
    });
    expect(bytesAfter).to.be.below(heldBytes);
  });

  it('tells the time of each dispatch', () => expectTimes(folder, 'cuda', slow / 2));

  it('is chosen, or not, by the time of a few of its dispatches', () => expectChoice(folder, 'cuda'));

  it('is aborted at once, and disposed of in the middle of a call', async () => {
    const model = await loadTiny(folder.file('tiny'), cuda);
    const abort = new AbortController();
    const reason = new Error('stop');
    const running = model
      .run({ input_ids: ids, rounds: rounds(slow) }, { signal: abort.signal })
      .catch((error: unknown) => error);
    await wait(30);
    abort.abort(reason);
    expect(await running).to.equal(reason);
    expect((await model.run({ input_ids: ids, rounds: rounds(9) }))['spun']?.data[63]).to.equal(9);
    const calls = [model.run({ input_ids: ids, rounds: rounds(slow) }), model.run({ input_ids: ids })].map(refusal);
    await wait(30);
    await model.dispose();
    for (const message of await Promise.all(calls)) expect(message).to.match(/ATPC-606/);
    expect(model.memoryBytes).to.equal(0);
  });

  it('can be aborted at any time of its load', () => expectLoadsAborted(folder, 'cuda', [0, 5, 20, 40, 60, 90, 130]));

  it('refuses a file of kernels that was changed, or lacks one', async () => {
    await writeTinyCuda(folder.file('damaged'));
    const [ptx] = ['13.0', '12.4'].map((version) => folder.file('damaged', `kernels/cuda/kernels-${version}.ptx`));
    await copyFile(folder.file('generator', 'kernels/cuda/kernels-13.0.ptx'), ptx ?? '');
    expect(await refusal(loadTiny(folder.file('damaged'), cuda))).to.match(/ATPC-402.*kernels-13\.0\.ptx/);
    await writeTinyCuda(folder.file('renamed'), { text: tinyCuda.replaceAll('product', 'another') });
    expect(await refusal(loadTiny(folder.file('renamed'), cuda))).to.match(/ATPC-403.*'product'.*not in the kernel file/);
  });

  it('needs koffi beside it, and says so', async () => {
    await mkdir(folder.file('elsewhere'), { recursive: true });
    const { stdout, stderr } = await runScript(folder, askedScript('cuda'), { cwd: folder.file('elsewhere') });
    expect(stdout, stderr).to.match(
      /"backend":"wasm","why":"cuda cannot be had here: ATPC-501: CUDA in Node needs the npm package/,
    );
    expect(stdout).to.match(/ATPC-501 .*koffi, which is not installed.* Run npm install koffi/);
  });

  it('lets the process end, in the middle of a call too', () =>
    expectProcessEnds((text) => runScript(folder, text), "{ backend: 'cuda' }", slow));

  it('is refused in browsers, with a sentence', async () => {
    const manifest = JSON.parse(await readFile(folder.file('tiny', 'manifest.json'), 'utf8')) as Manifest;
    const target = manifest.targets.find((candidate): candidate is ManifestTarget<'cuda'> => candidate.name === 'cuda');
    if (target === undefined) throw new Error('The package has no kernels for CUDA.');
    const platform = { name: 'browser', availableParallelism: () => 1 } as const;
    expect(() => useCuda(manifest, target, { platform, threads: 1 })).to.throw(AtpcError, /ATPC-501.*in Node; this is a browser/);
  });

  it('leaves no trace in packages for other targets', async () => {
    await writeTiny(folder.file('wasm'));
    for (const [name, found] of [
      ['wasm', false],
      ['tiny', true],
    ] as const) {
      const text = await readFile(folder.file(name, 'worker.js'), 'utf8');
      expect(/cuInit|koffi/.test(text), name).to.equal(found);
    }
    const index = await readFile(folder.file('tiny', 'index.js'), 'utf8');
    expect(index).not.to.match(/cuInit|koffi/);
    const { load } = await loadPackage(folder.file('wasm'));
    expect(await refusal(load({ backend: 'cuda' }))).to.match(/ATPC-501.*no kernels for cuda/);
  });

  it('leaves nothing behind: 30 models, one after the other', async () => {
    for (let count = 0; count < 30; count++) {
      const model = await loadTiny(folder.file('tiny'), { ...cuda, selfTest: false });
      if (count % 10 === 0) await model.run({ input_ids: ids });
      await model.dispose();
    }
  });
});
