import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { transform } from 'esbuild';
import type { LoadOptions } from '../../runtime/api.ts';
import { runtimeBundle } from '../../compiler/package/runtime-bundle.ts';
import { assembleForms } from '../../compiler/codegen/wasm/assemble.ts';
import { createControlBlock, LaneBarrier } from '../../runtime/backends/wasm/barrier.ts';
import { chooseVariant, hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { chooseThreads } from '../../runtime/backends/wasm/threads.ts';
import { WorkerBackend } from '../../runtime/backends/worker/client.ts';
import type { WorkerHandle } from '../../runtime/platform/platform.ts';
import { prepareInputs } from '../../runtime/inputs.ts';
import { givenFiles } from '../../runtime/source.ts';
import { expectedLogits, kernels, loadTiny, program, refusal, TemporaryFolder, tinyParts, writeTiny } from './tiny-package.ts';

const ids = [
  [2, 4, 6, 3],
  [2, 5, 3, 0],
  [2, 7, 4, 3],
];
const rounds = (count: number): { data: number[]; shape: number[] } => ({ data: [count], shape: [] });

describe('threads', () => {
  let folder: TemporaryFolder;
  before(async () => {
    folder = await TemporaryFolder.create();
    await writeTiny(folder.file('tiny'));
  });
  after(() => folder.remove());

  it('give the same results whatever their number, also where it is above that of the items', async () => {
    for (const threads of [1, 2, 3, 4, 7]) {
      await using model = await loadTiny(folder.file('tiny'), { threads });
      expect(model.info().threads).to.deep.equal({ used: threads, why: 'asked for' });
      for (const rows of [1, 2, 3]) {
        const { logits, spun } = await model.run({ input_ids: ids.slice(0, rows), rounds: rounds(100 + rows) });
        expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(ids.slice(0, rows)));
        expect([...(spun?.data ?? [])]).to.deep.equal(Array.from({ length: 64 }, () => 100 + rows));
      }
    }
  });

  it('are as many as there are processors, at most four, and are checked', async () => {
    await using model = await loadTiny(folder.file('tiny'));
    expect(model.info().threads.used).to.equal(Math.min(4, availableParallelism()));
    const { variants } = { variants: [{ file: 'a', features: ['threads'] }] } as const;
    const on = (processors: number): unknown => chooseThreads('auto', { availableParallelism: () => processors }, variants);
    expect(on(1)).to.deep.equal({ used: 1, why: '1 processor is available' });
    expect(on(3)).to.deep.equal({ used: 3, why: '3 processors are available' });
    expect(on(64)).to.deep.equal({
      used: 4,
      why: '64 processors are available, and 4 threads are the most that are taken unasked',
    });
    for (const threads of [0, -1, 1.5, 65, NaN, '2'] as LoadOptions['threads'][]) {
      expect(await refusal(loadTiny(folder.file('tiny'), { threads } as LoadOptions))).to.match(/ATPC-607.*threads/);
    }
  });

  it('are one where the package has no kernels for several', async () => {
    const { own } = await assembleForms(kernels, {});
    await writeTiny(folder.file('single'), {}, { files: [{ path: 'kernels.wasm', content: own, features: ['simd128'] }] });
    await using model = await loadTiny(folder.file('single'), { threads: 2 });
    expect(model.info().threads).to.deep.equal({ used: 1, why: 'the package has no kernels for several threads' });
  });

  it('are one, with the reason, where there is no SharedArrayBuffer', async () => {
    const script = folder.file('unshared.mjs');
    await writeFile(
      script,
      // Node's own module takes SharedArrayBuffer when it is loaded.
      `import 'node:worker_threads';
       delete globalThis.SharedArrayBuffer;
       const { load } = await import('./tiny/index.js');
       const model = await load({ threads: 2 });
       const { spun } = await model.run({ input_ids: [[4]], rounds: { data: [5], shape: [] } });
       console.log(spun.data[63], JSON.stringify(model.info().threads));`,
    );
    const { stdout, stderr, status } = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 20_000 });
    expect(stderr).to.equal('');
    expect(stdout).to.match(/^5 \{"used":1,"why":"this host has no SharedArrayBuffer.*\}\n$/);
    expect(status).to.equal(0);
  });

  it('take the build that uses most of what the engine has', () => {
    expect(hasFeature('simd128')).to.equal(true);
    expect(hasFeature('threads')).to.equal(true);
    const variants = [
      { file: 'plain', features: ['simd128'] },
      { file: 'threads', features: ['simd128', 'threads'] },
      { file: 'relaxed', features: ['simd128', 'relaxed-simd'] },
      { file: 'relaxed-threads', features: ['simd128', 'threads', 'relaxed-simd'] },
    ] as const;
    const relaxed = hasFeature('relaxed-simd');
    // V8 has had relaxed SIMD since Chrome 114, and so Node since 21.
    expect(relaxed).to.equal(Number(process.versions.node.split('.')[0]) > 20);
    expect(chooseVariant(variants, false).file).to.equal(relaxed ? 'relaxed' : 'plain');
    expect(chooseVariant(variants, true).file).to.equal(relaxed ? 'relaxed-threads' : 'threads');
    expect(() => chooseVariant(variants.slice(0, 1), true)).to.throw(/ATPC-501.*need simd128\.$/);
  });

  it('see an abort together, again and again, and go on with the next call', async () => {
    await using model = await loadTiny(folder.file('tiny'), { threads: 3 });
    // Other dims than those of the short calls: how long an item takes is measured for each.
    const long = { input_ids: ids.map((row) => [...row, 3]), rounds: rounds(40_000_000) };
    let began = performance.now();
    await model.run(long);
    const whole = performance.now() - began;
    const waits: number[] = [];
    for (let call = 0; call < 8; call++) {
      const abort = new AbortController();
      const running = model.run(long, { signal: abort.signal });
      setTimeout(() => abort.abort('stop'), call * 7);
      expect(await running.catch(String)).to.equal('stop');
      began = performance.now();
      const { spun, logits } = await model.run({ input_ids: ids, rounds: rounds(call) });
      waits.push(performance.now() - began);
      expect([...(spun?.data ?? [])]).to.deep.equal(Array.from({ length: 64 }, () => call));
      expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(ids));
    }
    // A call starts when the lanes have stopped: after 50 ms or so, and not after the rest of the call before it. The median,
    // against the time of a whole call: the machine may be busy with other things.
    expect(waits.sort((a, b) => a - b)[4]).to.be.below(whole / 3);
  });

  it('sleep when there is nothing to do', async () => {
    await using model = await loadTiny(folder.file('tiny'), { threads: 4 });
    await model.run({ input_ids: ids });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { user, system } = process.cpuUsage(before);
    // One thread that spins takes 300 ms; all of them and the test's own timers are to take next to nothing.
    expect((user + system) / 1000).to.be.below(100);
  });

  for (const lane of [0, 1, 2]) {
    it(`are all ended with ATPC-503 when lane ${lane} dies in a call, and when it dies idle`, async () => {
      for (const busy of [true, false]) {
        const { backend, workers } = await startLanes(3);
        const run = async (count: number): Promise<unknown> => {
          const inputs = { input_ids: ids, rounds: rounds(count) };
          return backend.run(prepareInputs({ ...(await tinyParts()), dims: program.dims }, inputs));
        };
        await run(1);
        const running = busy ? refusal(run(500_000_000)) : undefined;
        if (busy) await new Promise((resolve) => setTimeout(resolve, 30));
        const ended = Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
        await workers[lane]?.terminate();
        if (running) expect(await running).to.match(/ATPC-503.*ended/);
        // The others end as well, without dispose.
        await ended;
        expect(await refusal(run(1))).to.match(/ATPC-503/);
        await backend.dispose();
      }
    });
  }

  it('end with dispose in the middle of a call', async () => {
    const { backend, workers } = await startLanes(3);
    const ended = Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
    const inputs = prepareInputs({ ...(await tinyParts()), dims: program.dims }, { input_ids: ids, rounds: rounds(500_000_000) });
    const running = refusal(backend.run(inputs));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await backend.dispose();
    expect(await running).to.match(/ATPC-606/);
    await ended;
  });

  it('keep no process alive, idle or when it exits in the middle of a call', async () => {
    const script = folder.file('exit.mjs');
    const text = (end: string): string => `
      import { load } from './tiny/index.js';
      const model = await load({ threads: 3 });
      await model.run({ input_ids: [[4]] });
      ${end}`;
    const call = 'void model.run({ input_ids: [[4]], rounds: { data: [500000000], shape: [] } });';
    for (const [end, status] of [
      ['', 0],
      ['void model.dispose();', 0],
      [
        'await model.dispose(); console.log(process.getActiveResourcesInfo().filter((name) => !/TTY|Pipe/.test(name)).join());',
        0,
      ],
      [`${call} setTimeout(() => process.exit(7), 50);`, 7],
    ] as const) {
      await writeFile(script, text(end));
      const began = performance.now();
      const result = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 20_000 });
      expect(result.stderr).to.equal('');
      expect(result.stdout.trim(), end).to.equal('');
      expect(result.status, end).to.equal(status);
      expect(performance.now() - began, end).to.be.below(5000);
    }
  });

  it('meet at barriers that let all go on or all stop', async () => {
    const rounds = 3000;
    const lanes = 3;
    const control = createControlBlock(0);
    const counts = new Int32Array(new SharedArrayBuffer(4 * lanes));
    const source = await readFile(new URL('../../runtime/backends/wasm/barrier.ts', import.meta.url), 'utf8');
    const { code } = await transform(source, { loader: 'ts', format: 'esm' });
    // The last lane wants to stop in the last round; the others must neither stop before it nor go on after it.
    const text = `
      import { workerData } from 'node:worker_threads';
      ${code}
      const { lane, lanes, control, counts, rounds } = workerData;
      const barrier = new LaneBarrier(control, { lane, lanes });
      barrier.awaitStart(0);
      for (let round = 1; barrier.arrive(lane === lanes - 1 && round === rounds); round++) {
        counts[lane] += 1;
        for (const count of counts) if (Math.abs(count - round) > 1) throw new Error('out of step');
      }`;
    const workers = Array.from({ length: lanes }, (_, lane) => {
      const workerData = { lane, lanes, control, counts, rounds };
      return new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`), { workerData });
    });
    const ends = workers.map((worker) => new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject)));
    new LaneBarrier(control, { lane: 0, lanes }).start({ call: 0, entry: 0, stateAddress: 0, dims: [] });
    await Promise.all(ends);
    expect([...counts]).to.deep.equal([rounds - 1, rounds - 1, rounds - 1]);
  });
});

/** Lanes of the small program, and Node's workers behind them. */
async function startLanes(lanes: number): Promise<{ readonly backend: WorkerBackend; readonly workers: readonly Worker[] }> {
  const { worker: text } = await runtimeBundle('forward');
  const workers: Worker[] = [];
  const backend = new WorkerBackend(() => handleOf(text, workers), {
    name: 'wasm',
    why: 'test',
    threads: { used: lanes, why: 'test' },
  });
  const { shared } = await assembleForms(kernels, {});
  await backend.load({
    program: { ...program, weights: [] },
    kernels: new Uint8Array(shared),
    tensors: [],
    weightFiles: [],
    urls: null,
    source: givenFiles({}),
    onProgress: () => {},
  });
  return { backend, workers };
}
/** As the platform starts a worker, with the worker kept at hand so that the test can end it. */
function handleOf(text: string, workers: Worker[]): WorkerHandle {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`), { execArgv: [] });
  workers.push(worker);
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (receive) => void worker.on('message', receive),
    onDeath: (died) => void worker.on('exit', (status) => died(`it exited with status ${status}`)),
    onExit: () => undefined,
    keepAlive: (busy) => (busy ? worker.ref() : worker.unref()),
    terminate: async () => void (await worker.terminate()),
  };
}
