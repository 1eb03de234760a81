import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { loadPackage } from '../../compiler/package/load-package.ts';
import type { LoadProgress, StepTime } from '../../runtime/api.ts';
import { useCuda } from '../../runtime/backends/cuda/use-cuda.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaEnvironment, cudaIsThere, onHardware } from '../cuda-device.ts';
import { requires } from '../requirements.ts';
import { liveObjects } from './cuda-faults.ts';
import { tinyCuda, writeGeneratorCuda, writeTinyCuda } from './tiny-cuda.ts';
import { expectedAnswer } from './tiny-generator.ts';
import { expectedLogits, loadTiny, refusal, TemporaryFolder, writeTiny } from './tiny-package.ts';

const ids = [[2, 4, 6, 3]];
const rounds = (count: number): { data: number[]; shape: number[] } => ({ data: [count], shape: [] });
/** Some tenths of a second on the simulated device. */
const slow = 5_000_000;
const cuda = { backend: 'cuda' } as const;
const repository = fileURLToPath(new URL('../..', import.meta.url));

describe('a package for CUDA, in Node', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  let environment: Readonly<Record<string, string>>;
  before(async function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
    environment = await cudaEnvironment();
    Object.assign(process.env, environment);
    folder = await TemporaryFolder.create();
    await writeTinyCuda(folder.file('tiny'));
    await writeGeneratorCuda(folder.file('generator'), true, { rounds: 500_000 });
  });
  after(() => folder?.remove());
  afterEach(async () => {
    if (!onHardware) expect(await liveObjects(), 'left behind').to.equal('nothing');
  });

  /** Runs a module beside the packages in a process of its own. */
  async function runScript(text: string, own: Readonly<Record<string, string>> = {}, cwd = repository) {
    const script = folder.file('script.mjs');
    await writeFile(script, `import { load } from './tiny/index.js';\n${text}`);
    const env = { ...process.env, ...environment, ...own };
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [script], {
      cwd,
      env,
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status, signal, stdout, stderr };
  }

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

  it('takes its files from the caller too', async () => {
    const files = (name: string): Promise<Uint8Array> => readFile(folder.file('tiny', name));
    await using model = await loadTiny(folder.file('tiny'), { ...cuda, files });
    expect([...((await model.run({ input_ids: ids }))['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
  });

  it('refuses an input of another shape, and goes on', async () => {
    await using model = await loadTiny(folder.file('tiny'), cuda);
    expect(await refusal(model.run({ input_ids: [[99]] }))).to.match(/ATPC-604/);
    expect([...((await model.run({ input_ids: ids }))['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
  });

  it('generates in sessions, two models at once, and saves them for its own backend', async () => {
    const loaded = await Promise.all(
      [cuda, cuda, { backend: 'wasm' } as const].map((options) => loadTiny(folder.file('generator'), options)),
    );
    const [first, second, wasm] = loaded;
    if (!first || !second || !wasm) throw new Error('Three models were loaded.');
    const prompts = [
      [1, 2, 3],
      [30, 20, 10, 5],
    ];
    const sessions = [first, second].flatMap((model) => prompts.map((prompt) => ({ prompt, session: model.session() })));
    const answers = await Promise.all(sessions.map(({ prompt, session }) => session.generate(prompt, { maxTokens: 20 }).result));
    expect(answers.map((answer) => answer.ids)).to.deep.equal(sessions.map(({ prompt }) => expectedAnswer(prompt, 20)));
    const saved = await (sessions[0]?.session ?? first.session()).save();
    const restored = await second.restore(saved);
    expect(restored.ids).to.deep.equal(sessions[0]?.session.ids);
    const next = [...restored.ids, 9];
    expect((await restored.generate(next, { maxTokens: 5 }).result).ids).to.deep.equal(expectedAnswer(next, 5));
    expect(await refusal(wasm.restore(saved))).to.match(/ATPC-608.*on another backend/);
    const bytes = first.memoryBytes;
    for (const { session } of sessions) session.dispose();
    await first.generate([1], { maxTokens: 1 }).result;
    expect(first.memoryBytes).to.be.below(bytes);
    await Promise.all(loaded.map((model) => model.dispose()));
  });

  it('tells the time of each dispatch', async () => {
    const profiles: (readonly StepTime[])[] = [];
    await using model = await loadTiny(folder.file('tiny'), { ...cuda, onProfile: (times) => void profiles.push(times) });
    await model.run({ input_ids: [...ids, ...ids], rounds: rounds(slow / 2) });
    const times = profiles.at(-1) ?? [];
    expect(times.map(({ step }) => step)).to.deep.equal([0, 1, 1, 2]);
    const [spin, ...others] = times;
    for (const { milliseconds, start } of others) {
      expect(milliseconds).to.be.below(spin?.milliseconds ?? NaN);
      expect(start).to.be.at.least((spin?.start ?? NaN) + (spin?.milliseconds ?? NaN) - 1e-6);
    }
  });

  it('is chosen, or not, by the time of a few of its dispatches', async () => {
    await using model = await loadTiny(folder.file('tiny'));
    const { backend, why } = model.info();
    expect(backend).to.be.oneOf(['wasm', 'cuda']);
    const other = backend === 'wasm' ? 'cuda' : 'wasm';
    expect(why).to.match(new RegExp(`^the faster: [\\d.e-]+ ms for logits at batch 1, seq 128; ${other}: [\\d.e-]+ ms$`));
  });

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

  it('can be aborted at any time of its load', async () => {
    for (const milliseconds of [0, 5, 20, 40, 60, 90, 130]) {
      const abort = new AbortController();
      const reason = new Error('stop');
      const loading = loadTiny(folder.file('tiny'), { ...cuda, signal: abort.signal }).then(
        (model) => model.dispose(),
        (error: unknown) => error,
      );
      await wait(milliseconds);
      abort.abort(reason);
      const outcome = await loading;
      if (outcome !== undefined) expect(outcome).to.equal(reason);
    }
  });

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
    const { stdout, stderr } = await runScript(
      `const model = await load();
      const { backend, why } = model.info();
      console.log(JSON.stringify({ backend, why }));
      try { await load({ backend: 'cuda' }); } catch (error) { console.log(error.code, error.message, error.hint); }
      process.exit();`,
      {},
      folder.file('elsewhere'),
    );
    expect(stdout, stderr).to.match(
      /"backend":"wasm","why":"cuda cannot be had here: ATPC-501: CUDA in Node needs the npm package/,
    );
    expect(stdout).to.match(/ATPC-501 .*koffi, which is not installed.* Run npm install koffi/);
  });

  it('lets the process end, in the middle of a call too', async () => {
    const start = `const model = await load({ backend: 'cuda' });
      const running = model.run({ input_ids: ${JSON.stringify(ids)}, rounds: { data: [${slow}], shape: [] } });`;
    const ends: Readonly<Record<string, readonly [text: string, status: number]>> = {
      'by itself': ['await running;', 0],
      'with dispose': ['await running; await model.dispose();', 0],
      'by process.exit': ['setTimeout(() => process.exit(7), 50);', 7],
      'by process.exit while it loads': ["load({ backend: 'cuda' }); setTimeout(() => process.exit(8), 60);", 8],
      'by an error': ["running.catch(() => {}); setTimeout(() => { throw new Error('over'); }, 50);", 1],
    };
    for (const [name, [text, expected]] of Object.entries(ends)) {
      const { status, signal, stderr } = await runScript(`${start}\n${text}`);
      expect({ status, signal }, `${name}: ${stderr}`).to.deep.equal({ status: expected, signal: null });
    }
  });

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
