import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { loadPackage } from '../../compiler/package/load-package.ts';
import type { LoadProgress } from '../../runtime/api.ts';
import { buildsFor, chooseBuild, type NativeBuild } from '../../runtime/backends/native/builds.ts';
import { useNative } from '../../runtime/backends/native/use-native.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import { nativeIsThere } from '../native-compiler.ts';
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
import { expectedAnswer, maxTokens } from './tiny-generator.ts';
import { tinyC, writeGeneratorNative, writeTinyNative } from './tiny-native.ts';
import { expectedLogits, loadTiny, refusal, TemporaryFolder, writeTiny } from './tiny-package.ts';

/** Seconds, as long as nothing stops it. */
const slow = 100_000_000;
const usual = 3_000_000;
const native = { backend: 'native' } as const;

describe('a package for native, in Node', function () {
  this.timeout(300_000);
  const temporary = process.env['TMPDIR'];
  let folder: TemporaryFolder;
  before(async function () {
    requires(this, 'native', nativeIsThere());
    folder = await TemporaryFolder.create();
    await mkdir(folder.file('temporary'));
    process.env['TMPDIR'] = folder.file('temporary');
    await writeTinyNative(folder.file('tiny'));
    await writeGeneratorNative(folder.file('generator'), true, { rounds: 500_000 });
  });
  after(async () => {
    if (temporary === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = temporary;
    await folder?.remove();
  });
  /** Files of libraries that were not deleted once they were loaded. */
  const leftFiles = (): readonly string[] => readdirSync(folder.file('temporary'));

  it('gives what WebAssembly gives, with any number of threads', async () => {
    for (const threads of [1, 2, 3, 7]) {
      const progress: LoadProgress[] = [];
      await using model = await loadTiny(folder.file('tiny'), { ...native, threads, onProgress: (each) => progress.push(each) });
      for (const [count, batch] of [
        [5, 2],
        [6, 2],
        [8, 7],
        [7, 1],
      ] as const) {
        const rows = Array.from({ length: batch }, () => ids[0] ?? []);
        const { logits, spun } = await model.run({ input_ids: rows, rounds: rounds(count) });
        expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(rows));
        expect([...(spun?.data ?? [])]).to.deep.equal(Array.from({ length: 64 }, () => count));
      }
      expect(model.info()).to.include({ backend: 'native', why: 'asked for' });
      expect(model.info().threads).to.deep.equal({ used: threads, why: 'asked for' });
      expect(model.info().device).to.match(new RegExp(`^${process.platform}-${process.arch}`));
      expect(progress.filter(({ phase }) => phase === 'weights').at(-1)?.loadedBytes).to.equal(240);
      expect(model.memoryBytes).to.be.within(1000, 100_000);
    }
    expect(leftFiles()).to.deep.equal([]);
  });

  it('takes calls of different lengths, hard one after the other', async () => {
    await using model = await loadTiny(folder.file('tiny'), { ...native, threads: 3 });
    for (let round = 0; round < 300; round++) {
      // One dispatch a row.
      const rows = Array.from({ length: round % 2 === 0 ? 1 : 8 }, () => ids[0] ?? []);
      const { logits } = await model.run({ input_ids: rows });
      expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(rows));
    }
  });

  it('takes its files from the caller too', () => expectFilesOfCaller(folder, 'native'));

  it('generates in sessions, two models at once, and saves them', async () => {
    const { heldBytes, bytesAfter } = await expectSessions(folder, 'native', async (wasm, saved, next) => {
      // Both have the same program here, and so the same state.
      const restored = await wasm.restore(saved);
      expect((await restored.generate(next, { maxTokens: 5 }).result).ids).to.deep.equal(expectedAnswer(next, 5));
    });
    expect(bytesAfter).to.equal(heldBytes - 4 * maxTokens);
  });

  it('tells the time of each dispatch', () => expectTimes(folder, 'native', slow / 100));

  it('is chosen, or not, by the time of a few of its dispatches', () => expectChoice(folder, 'native'));

  it('is aborted at once, again and again, and disposed of in the middle of a call', async () => {
    for (const threads of [1, 2]) {
      const model = await loadTiny(folder.file('tiny'), { ...native, threads });
      // The length of a range goes by the last run: of items that take a millisecond.
      await model.run({ input_ids: ids, rounds: rounds(usual) });
      for (const milliseconds of [0, 3, 30]) {
        const abort = new AbortController();
        const reason = new Error('stop');
        const { signal } = abort;
        const running = model.run({ input_ids: ids, rounds: rounds(slow) }, { signal }).catch((error: unknown) => error);
        await wait(milliseconds);
        const began = performance.now();
        abort.abort(reason);
        expect(await running).to.equal(reason);
        // Of the 64 items none takes less than 30 ms; unaborted they take seconds.
        expect(performance.now() - began).to.be.below(1500);
        expect((await model.run({ input_ids: ids, rounds: rounds(usual) }))['spun']?.data[63]).to.equal(usual);
      }
      const calls = [model.run({ input_ids: ids, rounds: rounds(slow) }), model.run({ input_ids: ids })].map(refusal);
      await wait(30);
      await model.dispose();
      for (const message of await Promise.all(calls)) expect(message).to.match(/ATPC-606/);
    }
  });

  it('can be aborted at any time of its load', async () => {
    await expectLoadsAborted(folder, 'native', [0, 5, 20, 40, 60, 90, 130]);
    expect(leftFiles()).to.deep.equal([]);
  });

  it('refuses a library that was changed, lacks a kernel, or is none', async () => {
    const { manifest } = await writeTinyNative(folder.file('damaged'));
    for (const { path } of manifest.files.filter(({ path: name }) => /native\/.*\.(?:so|dylib)$/.test(name)))
      await copyFile(folder.file('generator', path), folder.file('damaged', path));
    expect(await refusal(loadTiny(folder.file('damaged'), native))).to.match(/ATPC-402.*kernels\/native\/kernels-/);
    await writeTinyNative(folder.file('renamed'), { text: tinyC.replaceAll('product', 'another') });
    expect(await refusal(loadTiny(folder.file('renamed'), native))).to.match(/ATPC-403.*'product'.*not in the kernel file/);
    await writeTinyNative(folder.file('other'), { text: tinyC.replace('return 1;', 'return 9;') });
    expect(await refusal(loadTiny(folder.file('other'), native))).to.match(/ATPC-403.*has the interface 9, not 1/);
    const { features = [] } = { features: [`${process.platform}-${process.arch}`] };
    const text = { path: 'kernels.so', content: 'no library', features };
    await writeTinyNative(folder.file('text'), { target: (target) => ({ ...target, files: [text] }) });
    expect(await refusal(loadTiny(folder.file('text'), native))).to.match(
      /^ATPC-501: The library kernels\/native\/kernels\.so of the package cannot be loaded: .*file too short\.$/,
    );
    expect(leftFiles()).to.deep.equal([]);
  });

  it('takes the highest level that the processor has, and says what one lacks', async () => {
    const file = { path: 'a', bytes: 0, sha256: '' };
    const build = (...features: NativeBuild['features']): NativeBuild => ({ file, features });
    const arm = build('linux-arm64');
    const [v2, v3, v4] = (['x86-64-v2', 'x86-64-v3', 'x86-64-v4'] as const).map((level) => build('linux-x64', level));
    const vnni = build('linux-x64', 'x86-64-v4', 'avx512-vnni');
    const vnni256 = build('linux-x64', 'x86-64-v3', 'avx-vnni');
    if (!v2 || !v3 || !v4) throw new Error('There are three levels.');
    const builds = buildsFor([vnni, arm, v3, vnni256, v4, v2], 'linux-x64');
    const best = (...has: readonly string[]): NativeBuild => chooseBuild(builds, (feature) => has.includes(feature));
    expect(best('x86-64-v2')).to.equal(v2);
    expect(best('x86-64-v2', 'x86-64-v3')).to.equal(v3);
    expect(best('x86-64-v2', 'x86-64-v3', 'avx-vnni')).to.equal(vnni256);
    expect(best('x86-64-v2', 'x86-64-v3', 'x86-64-v4')).to.equal(v4);
    expect(best('x86-64-v2', 'x86-64-v3', 'avx-vnni', 'x86-64-v4')).to.equal(v4);
    expect(best('x86-64-v2', 'x86-64-v3', 'avx-vnni', 'x86-64-v4', 'avx512-vnni')).to.equal(vnni);
    expect(() => best()).to.throw(AtpcError, /ATPC-501.*lacks x86-64-v2/);
    expect(chooseBuild(buildsFor([v2, arm], 'linux-arm64'), () => false)).to.equal(arm);
    const dot = build('linux-arm64', 'arm-dotprod');
    expect(chooseBuild(buildsFor([dot, v2, arm], 'linux-arm64'), () => false)).to.equal(arm);
    expect(chooseBuild(buildsFor([dot, v2, arm], 'linux-arm64'), (name) => name === 'arm-dotprod')).to.equal(dot);
    expect(() => buildsFor([v2, v3, arm], 'win32-x64')).to.throw(
      /ATPC-501.*has libraries for linux-x64, linux-arm64; this is win32-x64/,
    );
    // A processor of another kind, with a real package.
    const foreign = `linux-${process.arch === 'x64' ? 'arm64' : 'x64'}`;
    const moved = (manifest: string): string => manifest.replaceAll(`"${process.platform}-${process.arch}"`, `"${foreign}"`);
    await writeTinyNative(folder.file('foreign'), {
      target: (target) => ({
        ...target,
        files: target.files.map(({ features, ...rest }) => ({
          ...rest,
          ...(features ? { features: features.map((feature) => JSON.parse(moved(JSON.stringify(feature))) as string) } : {}),
        })),
      }),
    });
    expect(await refusal(loadTiny(folder.file('foreign'), native))).to.match(/ATPC-501.*libraries for .*; this is /);
    await using model = await loadTiny(folder.file('foreign'));
    expect(model.info().backend).to.equal('wasm');
    expect(model.info().why).to.match(/native cannot be had here: ATPC-501: The package has libraries for/);
  });

  it('refuses what the machine has no memory for, before any weight is read', async () => {
    const progress: LoadProgress[] = [];
    const huge = 2 ** 52;
    await writeTinyNative(folder.file('huge'), {
      target: (target) => ({ ...target, program: { ...target.program, arenas: { ...target.program.arenas, workspace: huge } } }),
    });
    const loading = loadTiny(folder.file('huge'), { ...native, onProgress: (each) => progress.push(each) });
    expect(await refusal(loading)).to.match(
      /^ATPC-502: A call with batch 1, seq 1 needs 45035996273\d+ bytes, 320 of them weights; this machine has \d+/,
    );
    expect(Math.max(...progress.filter(({ phase }) => phase === 'weights').map(({ loadedBytes }) => loadedBytes))).to.equal(0);
  });

  it('needs koffi beside it, and says so', async () => {
    await mkdir(folder.file('elsewhere'), { recursive: true });
    const { stdout, stderr } = await runScript(folder, askedScript('native'), { cwd: folder.file('elsewhere') });
    expect(stdout, stderr).to.match(
      /"backend":"wasm","why":"native cannot be had here: ATPC-501: The backend native needs the npm package/,
    );
    expect(stdout).to.match(/ATPC-501 .*koffi, which is not installed.* Run npm install koffi/);
  });

  it('runs where there was no C compiler as WebAssembly, and says what is missing', async () => {
    const text = (target: Parameters<NonNullable<Parameters<typeof writeTinyNative>[1]>['target'] & {}>[0]) => ({
      ...target,
      files: target.files.filter(({ features }) => features === undefined),
    });
    await writeTinyNative(folder.file('source'), { target: text });
    expect(await refusal(loadTiny(folder.file('source'), native))).to.match(/ATPC-501.*as text alone.*no C compiler/);
    await using model = await loadTiny(folder.file('source'));
    expect(model.info().backend).to.equal('wasm');
  });

  it('lets the process end, in the middle of a call too', () =>
    expectProcessEnds((text) => runScript(folder, text), "{ backend: 'native', threads: 2 }", slow, 10_000));

  it('is refused in browsers, with a sentence', async () => {
    const manifest = JSON.parse(await readFile(folder.file('tiny', 'manifest.json'), 'utf8')) as Manifest;
    const target = manifest.targets.find((candidate): candidate is ManifestTarget<'native'> => candidate.name === 'native');
    if (target === undefined) throw new Error('The package has no kernels for native.');
    const platform = { name: 'browser', availableParallelism: () => 1 } as const;
    expect(() => useNative(manifest, target, { platform, threads: 1 })).to.throw(
      AtpcError,
      /ATPC-501.*in Node; this is a browser/,
    );
  });

  it('leaves no trace in packages for other targets', async () => {
    await writeTiny(folder.file('wasm'));
    for (const [name, found] of [
      ['wasm', false],
      ['tiny', true],
    ] as const) {
      const text = await readFile(folder.file(name, 'worker.js'), 'utf8');
      expect(/atpc_run|koffi/.test(text), name).to.equal(found);
    }
    const index = await readFile(folder.file('tiny', 'index.js'), 'utf8');
    expect(index).not.to.match(/atpc_run|koffi/);
    const { load } = await loadPackage(folder.file('wasm'));
    expect(await refusal(load({ backend: 'native' }))).to.match(/ATPC-501.*no kernels for native/);
  });

  it('leaves nothing behind: 30 models, one after the other', async function () {
    requires(this, 'linux', process.platform === 'linux');
    const count = (what: RegExp): number =>
      readFileSync('/proc/self/maps', 'utf8')
        .split('\n')
        .filter((line) => what.test(line)).length;
    const threads = (): number => readdirSync('/proc/self/task').length;
    const turn = async (run: boolean): Promise<void> => {
      const model = await loadTiny(folder.file('tiny'), { ...native, threads: 3, selfTest: false });
      if (run) await model.run({ input_ids: ids });
      await model.dispose();
    };
    await turn(true);
    // Those of other tests of this process stay.
    const [before, mapped] = [threads(), count(/atpc-native-/)];
    for (let round = 0; round < 30; round++) await turn(round % 10 === 0);
    expect(count(/atpc-native-/) - mapped, 'libraries that are mapped').to.be.below(10);
    expect(threads()).to.be.at.most(before + 2);
  });
});
