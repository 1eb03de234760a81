import { copyFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { LoadOptions, LoadProgress } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { requires } from '../requirements.ts';
import { webgpuIsThere } from '../webgpu-adapter.ts';
import {
  askedScript,
  expectChoice,
  expectFilesOfCaller,
  expectLoadsAborted,
  expectProcessEnds,
  expectSessions,
  ids,
  rounds,
  runScript,
} from './any-backend.ts';
import { expectedAnswer } from './tiny-generator.ts';
import { expectedLogits, loadTiny, refusal, TemporaryFolder } from './tiny-package.ts';
import { tinySlotProgram } from './tiny-slots.ts';
import { tinyWgsl, writeGeneratorWebGpu, writeTinyWebGpu } from './tiny-webgpu.ts';

/** Some tenths of a second on a device in software. */
const slow = 300_000;
const webgpu = { backend: 'webgpu' } as const;
/** Of processes that use it. */
const environment = { LD_LIBRARY_PATH: '/usr/lib/chromium' };

describe('a package for WebGPU, in Node', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  before(async function () {
    requires(this, 'webgpu', webgpuIsThere());
    folder = await TemporaryFolder.create();
    await writeTinyWebGpu(folder.file('tiny'));
    await writeTinyWebGpu(folder.file('plain'), { builds: [''] });
    await writeGeneratorWebGpu(folder.file('generator'), true, { rounds: 500_000 });
  });
  after(() => folder?.remove());

  it('gives what WebAssembly gives, with the build that the adapter has the features for', async () => {
    for (const [name, features] of [
      ['tiny', /, subgroups$/],
      ['plain', /(?<!subgroups)$/],
    ] as const) {
      const progress: LoadProgress[] = [];
      await using model = await loadTiny(folder.file(name), { ...webgpu, onProgress: (each) => progress.push(each) });
      const { logits, spun } = await model.run({ input_ids: [...ids, ...ids], rounds: rounds(5) });
      expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits([...ids, ...ids]));
      expect([...(spun?.data ?? [])]).to.deep.equal(Array.from({ length: 64 }, () => 5));
      expect(model.info()).to.include({ backend: 'webgpu', why: 'asked for' });
      expect(model.info().device).to.match(features);
      const kernels = progress.filter(({ phase }) => phase === 'kernels');
      expect(kernels.at(-1)?.kernels).to.deep.equal({ done: 3, total: 3 });
      expect(progress.filter(({ phase }) => phase === 'weights').at(-1)?.loadedBytes).to.equal(240);
    }
  });

  it('takes its files from the caller too', () => expectFilesOfCaller(folder, 'webgpu'));

  it('generates in sessions, two models at once, and saves them for its own backend', async () => {
    const { heldBytes, bytesAfter } = await expectSessions(folder, 'webgpu', async (wasm, saved) => {
      expect(await refusal(wasm.restore(saved))).to.match(/ATPC-608.*on another backend/);
    });
    expect(bytesAfter).to.be.below(heldBytes);
  });

  it('is chosen, or not, by the time of a few of its dispatches', async () => {
    await expectChoice(folder, 'webgpu');
    // The one that is made slow loses, whichever it is.
    const spin = 'var x = u32(item); for (var left = 400000; left > 0; left--) { x = x * 1664525u + 1013904223u; }';
    const slower = tinyWgsl.replace(
      'var sum = 0.0;\n    for (var at',
      `${spin} var sum = select(0.0, 1.0, x == 3u);\n    for (var at`,
    );
    expect(slower).not.to.equal(tinyWgsl);
    await writeTinyWebGpu(folder.file('slow'), { text: slower });
    await using slowed = await loadTiny(folder.file('slow'));
    expect(slowed.info()).to.include({ backend: 'wasm' });
    expect(slowed.info().why).to.match(/webgpu: [\d.e+]+ ms/);
    await using generator = await loadTiny(folder.file('generator'));
    expect(generator.info().why).to.match(/ms for logits at seq 16, past 199; /);
    expect((await generator.generate([1, 2], { maxTokens: 9 }).result).ids).to.deep.equal(expectedAnswer([1, 2], 9));
  });

  it('gives way to WebAssembly where it cannot be had, with the reason', async () => {
    const text = askedScript('webgpu');
    const without = await runScript(folder, text, { environment: { ...environment, VK_ICD_FILENAMES: '/nonexistent.json' } });
    expect(without.stdout, without.stderr).to.match(
      /"backend":"wasm","why":"webgpu cannot be had here: ATPC-501: There is no WebGPU adapter/,
    );
    expect(without.stdout).to.match(/ATPC-501 .*no WebGPU adapter here/);
    await mkdir(folder.file('elsewhere'));
    const alone = await runScript(folder, text, { environment, cwd: folder.file('elsewhere') });
    expect(alone.stdout, alone.stderr).to.match(
      /"backend":"wasm","why":"webgpu cannot be had here: ATPC-501: WebGPU in Node needs the npm package/,
    );
    expect(alone.stdout).to.match(/ATPC-501 .*not installed.* Run npm install webgpu/);
    expect(await refusal(loadTiny(folder.file('tiny'), { backend: 'webgl' } as unknown as LoadOptions))).to.match(
      /ATPC-501.*webgl/,
    );
  });

  it('refuses what its device does not take, before weights are read where that can be', async () => {
    const cases = [
      [{ text: tinyWgsl.replace('let rounds =', 'let rounds = = ') }, /ATPC-505.*kernel 'spin': line \d+:\d+: /],
      [{ text: tinyWgsl.replace('=== kernel product', '=== kernel another') }, /ATPC-403.*'product'.*not in the kernel file/],
      [
        {
          program: {
            buffers: tinySlotProgram.buffers.map((buffer) => (buffer.name === 'table' ? { ...buffer, bytes: 2 ** 31 } : buffer)),
            arenas: { ...tinySlotProgram.arenas, weights: 2 ** 32 },
          },
        },
        /ATPC-502.*weight 'table' takes 2147483648 bytes; this adapter binds at most 1073741824/,
      ],
      [
        { program: { slots: tinySlotProgram.slots?.map((slot) => ({ ...slot, bytes: 2 ** 31 })) ?? [] } },
        /ATPC-502.*needs a buffer of 2147483648 bytes, and 512 of weights.*binds at most 1073741824/,
      ],
    ] as const;
    for (const [changes, message] of cases) {
      await writeTinyWebGpu(folder.file('refused'), changes);
      const read: number[] = [];
      const onProgress = ({ phase, loadedBytes }: LoadProgress): void => void (phase === 'weights' && read.push(loadedBytes));
      const error: unknown = await loadTiny(folder.file('refused'), { ...webgpu, onProgress }).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(AtpcError);
      expect((error as Error).message).to.match(message);
      if (/ATPC-502/.test(String(error))) expect(read).to.deep.equal([0]);
    }
    // By itself such a package falls back on WebAssembly.
    await using model = await loadTiny(folder.file('refused'));
    expect(model.info().why).to.match(/webgpu cannot be had here: ATPC-502/);
  });

  it('rejects a call for which there is no memory, and goes on with a smaller one', async () => {
    const slots = tinySlotProgram.slots?.map((slot, index) =>
      index === 2 ? { ...slot, bytes: ['*', 2 ** 27, 'batch'] as const } : slot,
    );
    await writeTinyWebGpu(folder.file('large'), { program: slots ? { slots } : {} });
    await using model = await loadTiny(folder.file('large'), { ...webgpu, selfTest: false });
    const rows = (count: number): number[][] => Array.from({ length: count }, () => [4, 5]);
    // Exactly the largest buffer that the adapter of these tests claims to have is one that it cannot make.
    for (const _ of [1, 2])
      expect(await refusal(model.run({ input_ids: rows(8) }))).to.match(/ATPC-502.*no memory for .*which takes 10737\d{5} bytes/);
    const { logits } = await model.run({ input_ids: rows(1) });
    expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(rows(1)));
  });

  it('refuses weights that were truncated or changed', async () => {
    await writeTinyWebGpu(folder.file('damaged'));
    const shard = folder.file('damaged', 'weights/00001.safetensors');
    const bytes = await readFile(shard);
    const flipped = Uint8Array.from(bytes);
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    await writeFile(shard, flipped);
    expect(await refusal(loadTiny(folder.file('damaged'), webgpu))).to.match(/ATPC-402.*SHA-256/);
    await truncate(shard, bytes.length - 4);
    expect(await refusal(loadTiny(folder.file('damaged'), webgpu))).to.match(/ATPC-402.*bytes/);
    await copyFile(
      folder.file('tiny', 'kernels/webgpu/kernels.wgsl'),
      folder.file('damaged', 'kernels/webgpu/kernels-subgroups.wgsl'),
    );
    await writeFile(shard, bytes);
    expect(await refusal(loadTiny(folder.file('damaged'), webgpu))).to.match(/ATPC-402.*kernels-subgroups/);
  });

  it('can be aborted at any time of its load', () => expectLoadsAborted(folder, 'webgpu', [0, 5, 20, 60, 120, 200, 300]));

  it('is aborted at once, and disposed of in the middle of a call', async () => {
    const model = await loadTiny(folder.file('tiny'), webgpu);
    const abort = new AbortController();
    const reason = new Error('stop');
    const started = performance.now();
    await model.run({ input_ids: ids, rounds: rounds(5 * slow) });
    const whole = performance.now() - started;
    const running = model
      .run({ input_ids: ids, rounds: rounds(5 * slow) }, { signal: abort.signal })
      .catch((error: unknown) => error);
    await wait(30);
    const began = performance.now();
    abort.abort(reason);
    expect(await running).to.equal(reason);
    expect(performance.now() - began).to.be.below(whole / 2);
    expect((await model.run({ input_ids: ids, rounds: rounds(9) }))['spun']?.data[63]).to.equal(9);
    const calls = [model.run({ input_ids: ids, rounds: rounds(slow) }), model.run({ input_ids: ids })].map(refusal);
    await wait(30);
    await model.dispose();
    for (const message of await Promise.all(calls)) expect(message).to.match(/ATPC-606/);
    expect(model.memoryBytes).to.equal(0);
  });

  it('lets the process end, in the middle of a call too', () =>
    expectProcessEnds((text) => runScript(folder, text, { environment }), "{ backend: 'webgpu' }", slow));

  it('leaves nothing behind: 100 models, one after the other', async () => {
    const megabytes: number[] = [];
    for (let count = 0; count < 100; count++) {
      const model = await loadTiny(folder.file('tiny'), { ...webgpu, selfTest: false });
      if (count % 10 === 0) await model.run({ input_ids: ids });
      await model.dispose();
      megabytes.push(process.memoryUsage.rss() / 2 ** 20);
    }
    // What grows at first are the heaps and the caches of the driver.
    const growth = (megabytes.at(-1) ?? NaN) - (megabytes[49] ?? NaN);
    expect(
      growth,
      `${Math.round(megabytes[0] ?? 0)}, ${Math.round(megabytes[49] ?? 0)}, ${Math.round(megabytes[99] ?? 0)} MB`,
    ).to.be.below(60);
  });
});
