/** Packages in pages of a plain static server: what they compute, how they start and end, and what they refuse. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { build } from 'esbuild';
import { compile, loadPackage } from '../../compiler/index.ts';
import type { Classification } from '../../runtime/api.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { expectedLogits, TemporaryFolder, writeTiny } from '../package/tiny-package.ts';
import { requires } from '../requirements.ts';
import { findChromium, insecureHost, Page } from './chromium.ts';
import { isolation, StaticServer } from './static-server.ts';

const sentimentModel = fileURLToPath(new URL('../../examples/sentiment/model', import.meta.url));
const texts = ['A warm and funny film.', `The plot ${'drags on '.repeat(60)}and the ending is worse.`, 'Ärger & 映画 🎬'];
const policy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'";
// Without relaxed SIMD in Node, the page goes without it too: its bits are compared.
const sameBuild = hasFeature('relaxed-simd')
  ? ''
  : `const validate = WebAssembly.validate;
     WebAssembly.validate = (bytes) => !String([...bytes]).includes('133,2') && validate(bytes);`;
const script = `
  import { load as sentiment } from './sentiment/index.js';
  import { load as tiny } from './tiny/index.js';
  ${sameBuild}
  // What a call rejects with, as a test reads it.
  const refusal = (promise) => promise.then(() => 'kept', (error) => error instanceof Error ? error.message + ' ' + (error.hint ?? '') : String(error));
  const rounds = (count) => ({ data: [count], shape: [] });
  Object.assign(globalThis, { sentiment, tiny, refusal, rounds });`;

describe('a package in Chromium', function () {
  this.timeout(300_000);
  let chromium = '';
  let folder: TemporaryFolder;
  let manifest: Manifest;

  before(async function () {
    const found = findChromium();
    requires(this, 'browser', found !== undefined);
    chromium = found ?? '';
    folder = await TemporaryFolder.create();
    ({ manifest } = await compile({ model: sentimentModel, out: folder.file('sentiment'), attention: 'dense' }));
    await writeTiny(folder.file('tiny'));
    await writePage('page', script);
  });
  after(async () => (folder as TemporaryFolder | undefined)?.remove());

  async function writePage(name: string, module: string): Promise<void> {
    await writeFile(folder.file(`${name}.js`), module);
    await writeFile(
      folder.file(`${name}.html`),
      `<!doctype html><link rel="icon" href="data:," /><title>${name}</title><script type="module" src="${name}.js"></script>`,
    );
  }
  interface Setting {
    readonly headers?: Readonly<Record<string, string>>;
    readonly file?: string;
    readonly host?: string;
    readonly stall?: (file: string) => boolean;
  }
  async function inPage(
    { headers = isolation, file = 'page.html', host, stall }: Setting,
    body: (page: Page, server: StaticServer) => Promise<void>,
  ): Promise<void> {
    const server = await StaticServer.start(folder.path, headers, stall);
    try {
      const url = server.url(file);
      const page = await Page.open(chromium, host === undefined ? url : url.replace('127.0.0.1', host));
      try {
        await body(page, server);
      } finally {
        await page.close();
      }
    } finally {
      await server.close();
    }
  }
  /** Bits of the logits of `texts` and their classes. */
  interface Computed {
    readonly bits: readonly (readonly number[])[];
    readonly classes: readonly Classification[];
    readonly threads: { readonly used: number; readonly why: string };
  }
  const compute = (options: string): string => `(async () => {
    const model = await sentiment(${options});
    const texts = ${JSON.stringify(texts)};
    const bits = [];
    for (const text of texts) {
      const { logits } = await model.run({ input_ids: [model.tokenize(text).ids] });
      bits.push([...new Uint8Array(logits.data.buffer)]);
    }
    const classes = await model.classify(texts);
    const { threads } = model.info();
    await model.dispose();
    return { bits, classes, threads };
  })()`;
  async function computedInNode(): Promise<Omit<Computed, 'threads'>> {
    await using model = await (await loadPackage(folder.file('sentiment'))).load();
    const bits: number[][] = [];
    for (const text of texts) {
      const { logits } = await model.run({ input_ids: [model.tokenize(text).ids] });
      bits.push([...new Uint8Array(logits?.data.buffer ?? new ArrayBuffer(0))]);
    }
    return { bits, classes: await model.classify(texts) };
  }
  /** The same bits of the kernels; scores to the last but one of a double, since engines differ in Math.exp. */
  function expectSame(computed: Omit<Computed, 'threads'>, expected: Omit<Computed, 'threads'>): void {
    expect(computed.bits).to.deep.equal(expected.bits);
    expect(computed.classes.map(({ label }) => label)).to.deep.equal(expected.classes.map(({ label }) => label));
    for (const [index, { score }] of expected.classes.entries()) {
      expect(computed.classes[index]?.score).to.be.closeTo(score, 1e-15);
    }
  }
  /** Waits until the page has this many workers: their ends are told after the fact. */
  async function workersBecome(page: Page, count: number): Promise<void> {
    for (let wait = 0; page.workers.length !== count && wait < 2000; wait++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(page.workers.length).to.equal(count);
  }

  it('computes what it does in Node, bit for bit, with two threads on an isolated page', async () => {
    const expected = await computedInNode();
    await inPage({}, async (page, server) => {
      expect(await page.evaluate('crossOriginIsolated')).to.equal(true);
      const { threads, ...computed } = await page.evaluate<Computed>(compute('{ threads: 2 }'));
      expect(threads).to.deep.equal({ used: 2, why: 'asked for' });
      expectSame(computed, expected);
      expect(computed.bits.flat().length).to.equal(texts.length * 2 * 4);
      await workersBecome(page, 0);
      const processors = await page.evaluate<number>('navigator.hardwareConcurrency');
      expect((await page.evaluate<Computed>(compute('{}'))).threads.used).to.equal(Math.min(4, processors));
      expect(page.faults).to.deep.equal([]);
      for (const url of page.requested) expect(new URL(url).origin).to.equal(new URL(server.url('')).origin);
      // Nothing of the package is read that is not needed.
      expect(server.requested.filter((name) => /README|explain|\.wat|\.d\.ts/.test(name))).to.deep.equal([]);
    });
  });

  it('computes the same with one thread where the page is not isolated, and says what is missing', async () => {
    const expected = await computedInNode();
    await inPage({ headers: {} }, async (page) => {
      for (const options of ['{}', '{ threads: 2 }']) {
        const { threads, ...computed } = await page.evaluate<Computed>(compute(options));
        expect(threads.used).to.equal(1);
        expect(threads.why).to.match(/not cross-origin isolated.*Cross-Origin-Opener-Policy.*Cross-Origin-Embedder-Policy/);
        expectSame(computed, expected);
      }
    });
  });

  it('runs under a strict Content-Security-Policy', async () => {
    for (const headers of [{}, isolation]) {
      await inPage({ headers: { ...headers, 'Content-Security-Policy': policy } }, async (page) => {
        expect(
          await page.evaluate('(async () => (await (await sentiment()).classify("A warm and funny film.")).label)()'),
        ).to.equal('POSITIVE');
        expect(page.faults).to.deep.equal([]);
      });
    }
    const without = policy.replace("'wasm-unsafe-eval'", '');
    await inPage({ headers: { 'Content-Security-Policy': without } }, async (page) => {
      expect(await page.evaluate('refusal(sentiment())')).to.match(/^ATPC-501.*Content-Security-Policy.*'wasm-unsafe-eval'/);
      await workersBecome(page, 0);
    });
  });

  it('runs on plain http, where browsers have no crypto.subtle', async () => {
    const expected = await computedInNode();
    await inPage({ headers: {}, host: insecureHost }, async (page) => {
      expect(await page.evaluate('[isSecureContext, typeof crypto.subtle, typeof navigator.locks]')).to.deep.equal([
        false,
        'undefined',
        'undefined',
      ]);
      const { threads: _threads, ...computed } = await page.evaluate<Computed>(compute('{}'));
      expectSame(computed, expected);
    });
  });

  it('refuses one flipped byte in any file that it reads, and files that are gone', async () => {
    const read = ['manifest.json', 'program.json', 'worker.js', manifest.tokenizer?.file ?? '', manifest.tensors[0]?.file ?? ''];
    const tinyManifest = JSON.parse(await readFile(folder.file('tiny', 'manifest.json'), 'utf8')) as Manifest;
    const kernels = tinyManifest.files.map((file) => file.path).filter((name) => name.endsWith('.wasm'));
    for (const [index, file] of [...read, ...kernels].entries()) {
      const copy = `flipped-${index}`;
      const name = kernels.includes(file) ? 'tiny' : 'sentiment';
      await cp(folder.file(name), folder.file(copy), { recursive: true });
      const bytes = await readFile(folder.file(copy, file));
      bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
      await writeFile(folder.file(copy, file), bytes);
    }
    for (const [headers, host] of [
      [isolation, undefined],
      [{}, insecureHost],
    ] as const) {
      await inPage({ headers, ...(host === undefined ? {} : { host }) }, async (page) => {
        let refusedKernels = 0;
        for (const [index, file] of [...read, ...kernels].entries()) {
          const refused = await page.evaluate(`refusal(import('./flipped-${index}/index.js').then(({ load }) => load()))`);
          // Of the builds of the kernels, the one is read that is used.
          if (kernels.includes(file) && refused === 'kept') continue;
          if (kernels.includes(file)) refusedKernels += 1;
          expect(refused, file)
            .to.match(/^ATPC-402/)
            .and.to.contain(file);
        }
        expect(refusedKernels).to.equal(1);
        await page.evaluate('refusal(sentiment({ baseUrl: "nowhere" }))').then((refused) => {
          expect(refused).to.match(/ATPC-401.*manifest\.json.*404/);
        });
        await page.evaluate('refusal(sentiment({ baseUrl: "https://models.invalid/" }))').then((refused) => {
          expect(refused).to.match(/ATPC-401.*manifest\.json/);
        });
      });
    }
  });

  it('takes its files from baseUrl, relative to the page, and from the caller', async () => {
    await inPage({}, async (page) => {
      const logits = 'Array.from((await model.run({ input_ids: [[2, 4, 6, 3]] })).logits.data)';
      const from = (options: string): string =>
        `(async () => { const model = await tiny(${options}); const result = ${logits}; await model.dispose(); return result; })()`;
      const files = `(file) => fetch('tiny/' + file).then((r) => r.arrayBuffer()).then((bytes) => new Uint8Array(bytes))`;
      for (const options of ['{ baseUrl: "tiny" }', '{ baseUrl: new URL("tiny/", location) }', `{ files: ${files} }`]) {
        expect(await page.evaluate(from(options)), options).to.deep.equal(expectedLogits([[2, 4, 6, 3]]));
      }
    });
  });

  it('aborts calls and loading with the reason of the signal, and goes on', async () => {
    for (const headers of [isolation, {}]) {
      const stall = (file: string): boolean => file === '/stalled/program.json';
      await mkdir(folder.file('stalled'), { recursive: true });
      await cp(folder.file('tiny'), folder.file('stalled'), { recursive: true });
      await inPage({ headers, stall }, async (page) => {
        const [reason, waited, later] = await page.evaluate<[string, number, number]>(`(async () => {
          globalThis.model = await tiny({ threads: 2 });
          const abort = new AbortController();
          const running = model.run({ input_ids: [[4]], rounds: rounds(500_000_000) }, { signal: abort.signal });
          setTimeout(() => abort.abort('stop'), 100);
          const reason = await running.catch(String);
          const began = performance.now();
          const { spun } = await model.run({ input_ids: [[4]], rounds: rounds(7) });
          return [reason, performance.now() - began, spun.data[63]];
        })()`);
        expect(reason).to.equal('stop');
        expect(later).to.equal(7);
        // The whole call takes half a minute; the machine may be busy with other things.
        expect(waited).to.be.below(10_000);
        // A server that does not answer.
        const stopped = `(async () => {
          const abort = new AbortController();
          setTimeout(() => abort.abort('enough'), 100);
          return refusal(tiny({ baseUrl: 'stalled', signal: abort.signal }));
        })()`;
        expect(await page.evaluate(stopped)).to.equal('enough');
        await page.evaluate('model.dispose()');
        await workersBecome(page, 0);
      });
    }
  });

  it('ends its workers with dispose, in the middle of a call too', async () => {
    await inPage({}, async (page) => {
      await page.evaluate('tiny({ threads: 3 }).then((model) => void Object.assign(globalThis, { model }))');
      expect(page.workers.length).to.equal(3);
      const refused = await page.evaluate(`(async () => {
        const running = refusal(model.run({ input_ids: [[4]], rounds: rounds(500_000_000) }));
        const waiting = refusal(model.run({ input_ids: [[4]] }));
        setTimeout(() => model.dispose(), 50);
        return [await running, await waiting, await refusal(model.run({ input_ids: [[4]] }))];
      })()`);
      for (const message of refused as string[]) expect(message).to.match(/^ATPC-606/);
      await workersBecome(page, 0);
      // The browser takes them back a moment after the worker has ended.
      const locks = '(async () => Object.values(await navigator.locks.query()).flat().length)()';
      while ((await page.evaluate<number>(locks)) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      expect(page.faults).to.deep.equal([]);
    });
  });

  it('ends all with ATPC-503 when a kernel traps, and when a worker is gone', async () => {
    await inPage({}, async (page) => {
      const trapped = await page.evaluate(`(async () => {
        const model = await tiny({ threads: 2 });
        const running = refusal(model.run({ input_ids: [[4]], trap: { data: [1], shape: [] } }));
        return [await running, await refusal(model.run({ input_ids: [[4]] }))];
      })()`);
      for (const message of trapped as string[]) {
        expect(message).to.match(/^ATPC-503: The worker that runs the model ended: the kernel of 'spun' stopped: unreachable\. /);
      }
      await workersBecome(page, 0);

      // The first worker ends while it is idle; the other one sleeps and cannot find out.
      await page.evaluate('tiny({ threads: 2 }).then((model) => void Object.assign(globalThis, { model }))');
      closeWorkers(page);
      await workersBecome(page, 0);
      expect(await page.evaluate('refusal(model.run({ input_ids: [[4]] }))')).to.match(gone);
    });
    // In a call: without shared memory a worker makes room for messages, and so for this, some times a second.
    await inPage({ headers: {} }, async (page) => {
      await page.evaluate('tiny().then((model) => void Object.assign(globalThis, { model }))');
      const running = page.evaluate('refusal(model.run({ input_ids: [[4]], rounds: rounds(500_000_000) }))');
      await new Promise((resolve) => setTimeout(resolve, 100));
      closeWorkers(page);
      expect(await running).to.match(gone);
      await workersBecome(page, 0);
    });
  });
  const gone = /^ATPC-503: The worker that runs the model ended: it ended by itself\. Load the model again/;
  function closeWorkers(page: Page): void {
    // One that sleeps in Atomics.wait never answers.
    for (const worker of page.workers) void page.evaluate('self.close()', worker).catch(() => undefined);
  }

  it('refuses with a sentence where its worker cannot be loaded', async () => {
    const headers = { ...isolation, 'Content-Security-Policy': "worker-src 'none'" };
    await inPage({ headers }, async (page) => {
      expect(await page.evaluate('refusal(tiny())')).to.match(/^ATPC-50[13].*worker\.js/);
    });
  });

  it('runs when esbuild bundled it, from the folder that baseUrl names', async () => {
    await build({
      entryPoints: [folder.file('page.js')],
      bundle: true,
      minify: true,
      format: 'esm',
      outfile: folder.file('bundle.js'),
    });
    await writePage('bundled', `export * from './bundle.js';`);
    await inPage({ file: 'bundled.html' }, async (page) => {
      const run = `tiny({ baseUrl: 'tiny' }).then((model) => model.run({ input_ids: [[2, 4]] })).then(({ logits }) => [...logits.data])`;
      expect(await page.evaluate(run)).to.deep.equal(expectedLogits([[2, 4]]));
    });
  });

  it('names its worker and its files in the words by which bundlers find them', async () => {
    const index = await readFile(folder.file('sentiment', 'index.js'), 'utf8');
    expect(index).to.include('new Worker(new URL("./worker.js", import.meta.url), { type: "module" })');
    const named = [...index.matchAll(/: new URL\("\.\/([^"]+)", import\.meta\.url\)/g)].map(([, file]) => file ?? '');
    const weights = manifest.tensors.map(({ file }) => file);
    const kernels = manifest.targets.flatMap(({ variants }) => variants.map(({ file }) => file));
    const { file: tokenizer, config } = manifest.tokenizer ?? { file: '', config: '' };
    expect(named).to.have.members([...new Set(['manifest.json', 'program.json', tokenizer, config, ...weights, ...kernels])]);
  });
});
