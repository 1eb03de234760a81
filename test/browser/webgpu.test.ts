/** Packages with kernels for WebGPU in pages: what they compute there, which backend is taken and why, and how they end. */
import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { build as bundle } from 'vite';
import { compile } from '../../compiler/index.ts';
import type { LoadProgress, ModelInfo } from '../../runtime/api.ts';
import { bertInputs } from '../models/tiny-bert.ts';
import { writeTinyBert, writeTinyLlama } from '../models/tiny-folders.ts';
import { tokenIds } from '../models/tiny-llama.ts';
import { expectedAnswer } from '../package/tiny-generator.ts';
import { expectedLogits, TemporaryFolder } from '../package/tiny-package.ts';
import { writeGeneratorWebGpu, writeTinyWebGpu } from '../package/tiny-webgpu.ts';
import { requires } from '../requirements.ts';
import { insecureHost } from './chromium.ts';
import { chromiumPath, faultsOf, launchChromium } from './playwright-chromium.ts';
import { isolation, StaticServer } from './static-server.ts';

const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'";
/** Functions of every page. */
const script = `
  export const tools = {
    // What a call rejects with, as a test reads it.
    refusal: (promise) => promise.then(() => 'kept', (error) => error instanceof Error ? error.message + ' ' + (error.hint ?? '') : String(error)),
    // The numbers of the first output, which is the largest.
    numbers: (outputs) => [...Object.values(outputs)[0].data],
    kept: (promise) => promise.then(tools.numbers, (error) => error.message),
    rounds: (count) => ({ data: [count], shape: [] }),
  };`;
const page = `
  import { tools } from './tools.js';
  Object.assign(globalThis, tools, {
    load: async (name, options) => (await import('./' + name + '/index.js')).load({ threads: 1, ...options }),
  });`;
const bundledPage = `
  import { tools } from './tools.js';
  import { load } from './tiny/index.js';
  Object.assign(globalThis, tools, { load: (name, options) => load({ threads: 1, ...options }) });`;

const plans = {
  dense: 'version: 1\n',
  mixed: `version: 1
default: { mode: stream, sinks: 2, window: 24, block: 16, atoms: 12 }
layers:
  - layer: 1
    heads:
      - { kvHeads: [1], mode: expand, sinks: 2, window: 24, block: 16, tokensPerKey: 4, most: 3, share: 0 }
`,
} as const;
const llamaTokens = 300;

describe('packages for WebGPU in Chromium', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  /** With an adapter, and without one. */
  let browser: Browser;
  let blind: Browser;

  let executablePath = '';

  before(async function () {
    const found = chromiumPath();
    requires(this, 'browser', found !== undefined);
    executablePath = found ?? '';
    folder = await TemporaryFolder.create();
    [browser, blind] = (await Promise.all([true, false].map((webgpu) => launchChromium(executablePath, { webgpu })))) as [
      Browser,
      Browser,
    ];
    await writeTinyWebGpu(folder.file('tiny'));
    await writeGeneratorWebGpu(folder.file('generator'), true);
    await writeFile(folder.file('tools.js'), script);
    await writePage('page', page);
    const adapter = await inPage({}, (opened) => opened.evaluate('navigator.gpu?.requestAdapter().then(Boolean)'));
    requires(this, 'webgpu', adapter === true, 'this Chromium finds no WebGPU adapter, even in software');
  });
  after(async () => {
    for (const each of [browser, blind]) await (each as Browser | undefined)?.close();
    await (folder as TemporaryFolder | undefined)?.remove();
  });

  async function writePage(name: string, module: string): Promise<void> {
    await writeFile(folder.file(`${name}.js`), module);
    const head = '<!doctype html><link rel="icon" href="data:," />';
    await writeFile(folder.file(`${name}.html`), `${head}<title>${name}</title><script type="module" src="${name}.js"></script>`);
  }
  interface Setting {
    readonly headers?: Readonly<Record<string, string>>;
    readonly within?: Browser;
    readonly root?: string;
    readonly host?: string;
    /** What the page is to complain of; nothing. */
    readonly faults?: RegExp;
  }
  /** A page under a strict policy, of a plain static server. It complains of nothing. */
  async function inPage<T>(
    { headers = isolation, within = browser, root = folder.path, host = '127.0.0.1', faults = /^$/ }: Setting,
    body: (page: Page, server: StaticServer) => Promise<T>,
  ): Promise<T> {
    const server = await StaticServer.start(root, { ...headers, 'Content-Security-Policy': policy });
    try {
      const opened = await within.newPage();
      try {
        const found = faultsOf(opened);
        await opened.goto(server.url('page.html').replace('127.0.0.1', host));
        const result = await body(opened, server);
        expect(found.filter((fault) => !faults.test(fault))).to.deep.equal([]);
        return result;
      } finally {
        await opened.close();
      }
    } finally {
      await server.close();
    }
  }
  /** Waits until the page has this many workers: their ends are told after the fact. */
  async function workersBecome(opened: Page, count: number): Promise<void> {
    for (let wait = 0; opened.workers().length !== count && wait < 2000; wait++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(opened.workers().length).to.equal(count);
  }
  /** What `body` gives with a model of the page, which is called `model`. */
  const withModel = (name: string, options: object, body: string): string => `(async () => {
    const model = await load('${name}', ${JSON.stringify(options)});
    try { ${body} } finally { await model.dispose(); }
  })()`;
  const infoOf = (opened: Page, name: string, options: object): Promise<ModelInfo> =>
    opened.evaluate(withModel(name, options, 'return model.info();'));
  function expectNear(found: readonly number[], expected: readonly number[], within: number): void {
    expect(found.length).to.equal(expected.length);
    expect(expected.every(Number.isFinite)).to.equal(true);
    const largest = found.reduce((most, value, index) => Math.max(most, Math.abs(value - (expected[index] ?? NaN))), 0);
    expect(largest).to.be.at.most(within);
  }

  it('compute what the program says, tell of every phase, and end their worker', async () => {
    await inPage({}, async (opened, server) => {
      const { logits, info, phases } = await opened.evaluate<{
        logits: number[];
        info: ModelInfo;
        phases: LoadProgress[];
      }>(`(async () => {
        const phases = [];
        const model = await load('tiny', { backend: 'webgpu', onProgress: (progress) => phases.push(progress) });
        await model.selfTest();
        const result = { logits: numbers(await model.run({ input_ids: [[2, 4, 6, 3]] })), info: model.info(), phases };
        await model.dispose();
        return result;
      })()`);
      expect(logits).to.deep.equal(expectedLogits([[2, 4, 6, 3]]));
      expect([info.backend, info.why]).to.deep.equal(['webgpu', 'asked for']);
      expect(info.device).to.match(/swiftshader.*in software/i);
      expect([...new Set(phases.map(({ phase }) => phase))]).to.have.members(['files', 'weights', 'kernels', 'self-test']);
      const kernels = phases.flatMap((progress) => progress.kernels ?? []);
      expect(kernels.at(-1)).to.deep.equal({ done: 3, total: 3 });
      await workersBecome(opened, 0);
      // Of the builds the one that fits the adapter, and none of the other target.
      expect(server.requested.filter((name) => /\.(wgsl|wasm)$/.test(name))).to.deep.equal([
        '/tiny/kernels/webgpu/kernels-subgroups.wgsl',
      ]);
    });
  });

  it('keep sessions apart, and save and restore them', async () => {
    await inPage({}, async (opened) => {
      const answers = await opened.evaluate<number[][]>(
        withModel(
          'generator',
          { backend: 'webgpu' },
          `
        const [a, b] = [model.session(), model.session()];
        const answer = (session, prompt) => session.generate(prompt, { maxTokens: 6 }).result.then(({ ids }) => [...ids]);
        const both = await Promise.all([answer(a, [1, 2, 3]), answer(b, [1, 2, 4])]);
        const restored = await model.restore(await a.save());
        const prompt = [...a.ids, 5];
        return [...both, prompt, await answer(a, prompt), await answer(restored, prompt)];`,
        ),
      );
      const [a, b, prompt = [], after, restored] = answers;
      expect([a, b]).to.deep.equal([expectedAnswer([1, 2, 3], 6), expectedAnswer([1, 2, 4], 6)]);
      expect([after, restored]).to.deep.equal([expectedAnswer(prompt, 6), expectedAnswer(prompt, 6)]);
    });
  });

  it("'auto' times both backends and says in numbers which is the faster", async () => {
    await inPage({}, async (opened) => {
      const { backend, why } = await infoOf(opened, 'tiny', {});
      const [, chosen, other, slower] = /^the faster: ([\d.e+-]+) ms for .+; (wasm|webgpu): ([\d.e+-]+) ms$/.exec(why) ?? [];
      expect([backend, other]).to.have.members(['wasm', 'webgpu']);
      expect(Number(chosen)).to.be.above(0).and.at.most(Number(slower));
      await workersBecome(opened, 0);
    });
  });

  it("without an adapter 'webgpu' is refused with a sentence, and 'auto' takes WebAssembly and says why", async () => {
    await inPage({ within: blind, faults: /No available adapters/ }, async (opened) => {
      const missing = /ATPC-501: There is no WebGPU adapter here/;
      expect(await opened.evaluate(`refusal(load('tiny', { backend: 'webgpu' }))`))
        .to.match(missing)
        .and.include("backend: 'wasm'");
      await workersBecome(opened, 0);
      const { backend, why } = await infoOf(opened, 'tiny', {});
      expect(backend).to.equal('wasm');
      expect(why)
        .to.match(missing)
        .and.match(/^webgpu cannot be had here/);
    });
  });

  it('on plain http, where browsers give no WebGPU, say so', async () => {
    await inPage({ host: insecureHost, headers: {} }, async (opened) => {
      expect(await opened.evaluate('typeof navigator.gpu')).to.equal('undefined');
      const missing = /ATPC-501: Browsers give WebGPU to pages from https and localhost alone/;
      expect(await opened.evaluate(`refusal(load('tiny', { backend: 'webgpu' }))`)).to.match(missing);
      const { backend, why } = await infoOf(opened, 'tiny', {});
      expect(backend).to.equal('wasm');
      expect(why).to.match(missing);
    });
  });

  it('need no cross-origin isolation: without it WebAssembly has one thread, and says what is missing', async () => {
    await inPage({ headers: {} }, async (opened) => {
      expect(await opened.evaluate('crossOriginIsolated')).to.equal(false);
      for (const backend of ['wasm', 'webgpu']) {
        const { threads, logits } = await opened.evaluate<Pick<ModelInfo, 'threads'> & { logits: number[] }>(
          withModel(
            'tiny',
            { backend, threads: 'auto' },
            `
            return { threads: model.info().threads, logits: numbers(await model.run({ input_ids: [[2, 4]] })) };`,
          ),
        );
        expect(logits).to.deep.equal(expectedLogits([[2, 4]]));
        expect(threads.used).to.equal(1);
        expect(threads.why).to.match(backend === 'wasm' ? /not cross-origin isolated.*Cross-Origin-Opener-Policy/ : /device/);
      }
    });
  });

  it('abort calls with the reason of the signal and go on, and end in the middle of a call', async () => {
    for (const headers of [isolation, {}]) {
      await inPage({ headers }, async (opened) => {
        const found = await opened.evaluate(`(async () => {
          const model = await load('tiny', { backend: 'webgpu' });
          const abort = new AbortController();
          const running = model.run({ input_ids: [[4]], rounds: rounds(500_000) }, { signal: abort.signal });
          setTimeout(() => abort.abort('stop'), 5);
          const reason = await running.then(() => 'kept', String);
          const logits = numbers(await model.run({ input_ids: [[4]] }));
          const ended = refusal(model.run({ input_ids: [[4]], rounds: rounds(500_000) }));
          await model.dispose();
          return [reason, logits, (await ended).slice(0, 8)];
        })()`);
        expect(found).to.deep.equal(['stop', expectedLogits([[4]]), 'ATPC-606']);
        await workersBecome(opened, 0);
      });
    }
  });

  it('compute again on a new device, sessions too, when the process of the device crashed, and never another number', async () => {
    const own = await launchChromium(executablePath, { webgpu: true });
    try {
      await inPage({ within: own }, async (opened) => {
        const devtools = await own.newBrowserCDPSession();
        // Not in the types of the protocol.
        const crash = (): Promise<unknown> => devtools.send('Browser.crashGpuProcess' as 'Browser.getVersion');
        const run = `kept(model.run({ input_ids: [[2, 4]], rounds: rounds(1_000_000) }))`;
        const generate = `kept(session.generate([...session.ids, 5], { maxTokens: 6 }).result.then(({ ids }) => [{ data: ids }]))`;
        await opened.evaluate(`(async () => {
          const model = await load('tiny', { backend: 'webgpu' });
          const session = (await load('generator', { backend: 'webgpu' })).session();
          await session.generate([1, 2, 3], { maxTokens: 6 }).result;
          Object.assign(globalThis, { model, session });
        })()`);
        const read = await opened.evaluate<number[]>('[...session.ids]');
        const running = opened.evaluate(run);
        await new Promise((resolve) => setTimeout(resolve, 50));
        await crash();
        expect(await running).to.deep.equal(expectedLogits([[2, 4]]));
        expect(await opened.evaluate(generate)).to.deep.equal(expectedAnswer([...read, 5], 6));
        // Chromium gives no adapter any more after a second crash in a short time.
        await crash();
        const again = await opened.evaluate(run);
        if (typeof again === 'string') expect(again).to.match(/^ATPC-506: The device was lost/);
        else expect(again).to.deep.equal(expectedLogits([[2, 4]]));
      });
    } finally {
      await own.close();
    }
  });

  describe('of real families', () => {
    const packages = ['bert-dense', 'bert-expand', 'llama-dense', 'llama-mixed'] as const;
    const ids = tokenIds(160);
    const inputs = Object.fromEntries(
      Object.entries(bertInputs([48, 31], 48)).map(([name, { shape, data }]) => [name, { shape, data: [...data].map(Number) }]),
    );
    const inputsOf = (name: string): string => JSON.stringify(name.startsWith('bert') ? inputs : { input_ids: [ids] });

    before(async () => {
      const targets = ['wasm', 'webgpu'] as const;
      const bert = await writeTinyBert(folder.file('bert'));
      await compile({ model: bert, out: folder.file('bert-dense'), attention: 'dense', targets });
      await compile({ model: bert, out: folder.file('bert-expand'), attention: 'expand', keys: '1/4', targets });
      const llama = await writeTinyLlama(folder.file('llama'), llamaTokens);
      for (const [name, text] of Object.entries(plans)) {
        await writeFile(folder.file(`${name}.yaml`), text);
        await compile({ model: llama, out: folder.file(`llama-${name}`), plan: folder.file(`${name}.yaml`), targets });
      }
    });

    for (const name of packages) {
      it(`${name}: computes on the device what it computes on the processor`, async () => {
        await inPage({}, async (opened) => {
          const body = `await model.selfTest(); return numbers(await model.run(${inputsOf(name)}));`;
          const [processor, device] = [
            await opened.evaluate<number[]>(withModel(name, { backend: 'wasm' }, body)),
            await opened.evaluate<number[]>(withModel(name, { backend: 'webgpu' }, body)),
          ];
          expectNear(device, processor, 1e-4);
          await workersBecome(opened, 0);
        });
      });
    }
    for (const name of ['llama-dense', 'llama-mixed']) {
      it(`${name}: generates the same tokens on both, in a session that goes on`, async () => {
        await inPage({}, async (opened) => {
          const body = `
            const session = model.session();
            const first = await session.generate(${JSON.stringify(ids.slice(0, 90))}, { maxTokens: 8 }).result;
            const second = await session.generate([...session.ids, 7, 8, 9], { maxTokens: 8 }).result;
            return [[...first.ids], [...second.ids]];`;
          const [processor, device] = [
            await opened.evaluate<number[][]>(withModel(name, { backend: 'wasm' }, body)),
            await opened.evaluate<number[][]>(withModel(name, { backend: 'webgpu' }, body)),
          ];
          expect(processor.flat().length).to.be.above(0);
          expect(device).to.deep.equal(processor);
        });
      });
    }
    it("'auto' names the products and the attention that it timed", async () => {
      await inPage({}, async (opened) => {
        expect((await infoOf(opened, 'bert-dense', {})).why).to.match(
          /^the faster: [\d.e+-]+ ms for .+ and .*attention.* at batch 1, seq 128; (wasm|webgpu): [\d.e+-]+ ms$/,
        );
      });
    });
  });

  it('work where Vite bundled them', async () => {
    await writePage('bundled', bundledPage);
    const out = folder.file('vite');
    await bundle({
      root: folder.path,
      configFile: false,
      logLevel: 'silent',
      build: { outDir: out, modulePreload: false, rollupOptions: { input: folder.file('bundled.html') } },
    });
    await writeFile(folder.file('vite', 'page.html'), await readFile(folder.file('vite', 'bundled.html')));
    await inPage({ root: out }, async (opened, server) => {
      for (const backend of ['wasm', 'webgpu']) {
        const logits = await opened.evaluate(
          withModel('tiny', { backend }, 'return numbers(await model.run({ input_ids: [[2, 4]] }));'),
        );
        expect(logits, backend).to.deep.equal(expectedLogits([[2, 4]]));
      }
      // All that is read was moved by the bundler.
      expect(server.requested.filter((name) => !/^\/(page\.html$|assets\/)/.test(name))).to.deep.equal([]);
    });
  });
});
