/** The browser cache of packages in Chromium: the Cache API, IndexedDB and the origin private file system, on disk. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { chromium, type BrowserContext, type CDPSession, type Page } from 'playwright-core';
import { build as bundle } from 'vite';
import { writePackage } from '../../compiler/package/write.ts';
import { memorySource } from '../../compiler/weights/tensor-source.ts';
import { weightFrom, writeWeights } from '../../compiler/weights/write.ts';
import type { CacheStore } from '../../runtime/cache/api.ts';
import { chunkBytes } from '../../runtime/source.ts';
import { expectedLogits, labels, table, TemporaryFolder, tinyParts, weight, width, words } from '../package/tiny-package.ts';
import { requires } from '../requirements.ts';
import { insecureHost } from './chromium.ts';
import { FaultyServer } from './faulty-server.ts';
import { chromiumFlags, chromiumPath } from './playwright-chromium.ts';

const stores: readonly CacheStore[] = ['cache-api', 'indexeddb', 'opfs'];
const ids = [[2, 4, 6, 3]];

/** Functions of the page: all that lies in a store, as [key, SHA-256, bytes], and a byte changed in the entry of a key. */
const script = `
  import { load, deleteCached } from './model/index.js';
  const hash = async (bytes) =>
    Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const settled = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const database = async (work) => {
    const db = await settled(indexedDB.open('atpc', 1));
    try {
      return db.objectStoreNames.contains('urls') ? await work(db.transaction(['urls'], 'readwrite').objectStore('urls')) : [];
    } finally {
      db.close();
    }
  };
  const folder = async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('tvmjs-opfs-store', { create: true });
    return root.getDirectoryHandle('atpc', { create: true });
  };
  const entriesOf = {
    'cache-api': async () => {
      const cache = await caches.open('atpc');
      return Promise.all((await cache.keys()).map(async ({ url }) => [url, await (await cache.match(url)).arrayBuffer()]));
    },
    indexeddb: () => database(async (urls) => (await settled(urls.getAll())).map(({ url, data }) => [url, data])),
    opfs: async () => {
      const found = [];
      const directory = await folder();
      for await (const [name, handle] of directory.entries()) {
        if (!name.endsWith('.record.json')) continue;
        const { url } = JSON.parse(await (await handle.getFile()).text());
        const payload = await directory.getFileHandle(name.replace('.record.json', '.bin'));
        found.push([url, await (await payload.getFile()).arrayBuffer(), payload]);
      }
      return found;
    },
  };
  const put = {
    'cache-api': async (key, bytes) => (await caches.open('atpc')).put(key, new Response(bytes)),
    indexeddb: (key, bytes) => database((urls) => settled(urls.put({ url: key, data: bytes.buffer }))),
    opfs: async (key, bytes, handle) => {
      const writable = await handle.createWritable();
      await writable.write(bytes);
      await writable.close();
    },
  };
  Object.assign(globalThis, {
    load,
    deleteCached,
    // What a load gives, or rejects with, and what it said.
    tryLoad: async (options) => {
      const notices = [];
      let bytes = 0;
      const told = { onNotice: (sentence) => notices.push(sentence), onProgress: (progress) => { bytes = progress.loadedBytes } };
      try {
        const model = await load({ threads: 1, ...told, ...options });
        const { logits } = await model.run({ input_ids: ${JSON.stringify(ids)} });
        await model.dispose();
        return { logits: [...logits.data], notices, bytes };
      } catch (error) {
        return { refused: error.message, notices, bytes };
      }
    },
    contents: async (store) =>
      Promise.all((await entriesOf[store]()).map(async ([key, bytes]) => ({ key, sha256: await hash(bytes), bytes: bytes.byteLength }))),
    flip: async (store, sha256) => {
      for (const [key, buffer, handle] of await entriesOf[store]()) {
        if (!key.endsWith(sha256)) continue;
        const bytes = new Uint8Array(buffer);
        bytes[bytes.length >> 1] ^= 1;
        await put[store](key, bytes, handle);
      }
    },
    filesLeft: async () => { const names = []; for await (const name of (await folder()).keys()) names.push(name); return names; },
  });`;

interface Loaded {
  readonly logits?: readonly number[];
  readonly refused?: string;
  readonly notices: readonly string[];
  readonly bytes: number;
}
interface Entry {
  readonly key: string;
  readonly sha256: string;
  readonly bytes: number;
}

describe('the browser cache in Chromium', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  let server: FaultyServer;
  let context: BrowserContext;
  let page: Page;
  let devtools: CDPSession;
  let weights = '';
  let chunks: readonly string[] = [];
  let newerChunks: readonly string[] = [];

  before(async function () {
    const executablePath = chromiumPath();
    requires(this, 'browser', executablePath !== undefined);
    folder = await TemporaryFolder.create();
    await mkdir(folder.file('profile'));
    // Two chunks, most of them of a tensor that the program does not use.
    const padding = new Float32Array(randomBytes(chunkBytes + 4_000_000).buffer).map((value) =>
      Number.isFinite(value) ? value : 0,
    );
    const source = memorySource({
      table: { shape: [words.length, width], data: table },
      weight: { shape: [labels.length, width], data: weight },
      padding: { shape: [padding.length], data: padding },
    });
    const tensors = ['padding', 'table', 'weight'].map((name) => weightFrom(source, name, 'F32'));
    const parts = await tinyParts({ browserCache: true, writeWeights: (out) => writeWeights(out, tensors) });
    const write = async (name: string): Promise<{ path: string; chunks: readonly string[] }> => {
      const { manifest } = await writePackage(folder.file(name), parts);
      const file = manifest.files.find((candidate) => candidate.path === manifest.tensors[0]?.file);
      expect(file?.chunks).to.have.length(2);
      return { path: `model/${file?.path ?? ''}`, chunks: file?.chunks ?? [] };
    };
    ({ path: weights, chunks } = await write('model'));
    // A newer version, whose second chunk differs.
    padding[padding.length - 1] = (padding.at(-1) ?? 0) === 1 ? 2 : 1;
    ({ chunks: newerChunks } = await write('newer'));
    await writeFile(folder.file('page.js'), script);
    await writeFile(
      folder.file('page.html'),
      '<!doctype html><link rel="icon" href="data:," /><title>page</title><script type="module" src="page.js"></script>',
    );
    server = await FaultyServer.start(folder.path);
    context = await chromium.launchPersistentContext(folder.file('profile'), {
      args: [...chromiumFlags],
      ...(executablePath === undefined ? {} : { executablePath }),
    });
  });
  after(async () => {
    await (context as BrowserContext | undefined)?.close();
    await (server as FaultyServer | undefined)?.close();
    await (folder as TemporaryFolder | undefined)?.remove();
  });
  beforeEach(async () => {
    server.reset();
    await visit();
    await devtools.send('Storage.clearDataForOrigin', { origin: new URL(server.url('')).origin, storageTypes: 'all' });
  });
  afterEach(async () => {
    await limitStorage();
    await page.close();
  });

  /** Another visit to the page: what it knows is in the storage. */
  async function visit(url = server.url('page.html')): Promise<void> {
    await (page as Page | undefined)?.close();
    page = await context.newPage();
    devtools = await context.newCDPSession(page);
    await page.goto(url);
  }
  async function limitStorage(quotaSize?: number): Promise<void> {
    const origin = new URL(server.url('')).origin;
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize === undefined ? {} : { quotaSize }) });
  }
  const tryLoad = (options: object): Promise<Loaded> => page.evaluate(`tryLoad(${JSON.stringify(options)})`);
  const contents = (store: CacheStore): Promise<Entry[]> => page.evaluate(`contents('${store}')`);
  function expectComputed({ logits, refused, bytes }: Loaded): void {
    expect(refused).to.equal(undefined);
    expect(logits).to.deep.equal(expectedLogits(ids));
    expect(bytes).to.be.above(chunkBytes);
  }
  /** The hashes of the chunks in the store, each under the key that names it. */
  async function expectVerified(store: CacheStore, expected: readonly string[]): Promise<void> {
    const entries = (await contents(store)).filter(({ key }) => !key.endsWith('=list'));
    for (const { key, sha256 } of entries) expect(key).to.equal(`${server.url(weights)}?atpc-cache=${sha256}`);
    expect(entries.map(({ sha256 }) => sha256)).to.have.members([...expected]);
  }

  it('stores nothing without being asked', async () => {
    for (const options of [{}, { cache: 'none' }]) {
      expectComputed(await tryLoad(options));
      expect(server.asked('model/browser-cache.js')).to.deep.equal([]);
      for (const store of stores) expect(await contents(store)).to.deep.equal([]);
    }
    expect((await tryLoad({ cache: 'opsf' })).refused).to.match(/^ATPC-607.*'opsf'/);
  });

  it('works under a strict Content-Security-Policy', async () => {
    const policy =
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src data:";
    const strict = await FaultyServer.start(folder.path, { 'Content-Security-Policy': policy });
    try {
      await visit(strict.url('page.html'));
      const faults: string[] = [];
      page.on('console', (message) => void faults.push(message.text()));
      for (const store of stores) {
        for (const expected of [1, 0]) {
          strict.reset();
          expectComputed(await tryLoad({ cache: store }));
          expect(strict.asked(weights)).to.have.length(expected);
        }
      }
      await page.evaluate('deleteCached()');
      for (const store of stores) expect(await contents(store)).to.deep.equal([]);
      expect(faults).to.deep.equal([]);
    } finally {
      await strict.close();
    }
  });

  it('goes on in memory on plain http, where browsers give two of the stores to no page', async () => {
    await visit(server.url('page.html').replace('127.0.0.1', insecureHost));
    for (const store of ['cache-api', 'opfs'] as const) {
      const loaded = await tryLoad({ cache: store });
      expectComputed(loaded);
      expect(loaded.notices).to.have.length(1);
      expect(loaded.notices[0]).to.match(
        new RegExp(`^The storage of this page \\(${store}\\) cannot be used \\(.+stay in memory`),
      );
    }
    for (const expected of [1, 0]) {
      server.reset();
      const loaded = await tryLoad({ cache: 'indexeddb' });
      expectComputed(loaded);
      expect(loaded.notices).to.deep.equal([]);
      expect(server.asked(weights)).to.have.length(expected);
    }
    expect(await page.evaluate("deleteCached().then(() => 'done')")).to.equal('done');
  });

  it('works where Vite bundled the package', async () => {
    const out = folder.file('bundled');
    await bundle({
      root: folder.path,
      configFile: false,
      logLevel: 'silent',
      build: { outDir: out, modulePreload: false, rollupOptions: { input: folder.file('page.html') } },
    });
    const bundled = await FaultyServer.start(out);
    try {
      const moved = (await readdir(path.join(out, 'assets'))).find((name) => name.endsWith('.safetensors')) ?? '';
      await visit(bundled.url('page.html'));
      for (const expected of [1, 0]) {
        bundled.reset();
        const loaded = await tryLoad({ cache: 'opfs' });
        expectComputed(loaded);
        expect(loaded.notices).to.deep.equal([]);
        expect(bundled.asked(`assets/${moved}`)).to.have.length(expected);
      }
      await page.evaluate('deleteCached()');
      expect(await contents('opfs')).to.deep.equal([]);
    } finally {
      await bundled.close();
    }
  });

  it('refuses with ATPC-401 or 402 where browser-cache.js is gone or changed', async () => {
    server.faults['model/browser-cache.js'] = { status: { code: 404, times: 1 } };
    expect((await tryLoad({ cache: 'opfs' })).refused).to.match(/^ATPC-401.*browser-cache\.js.*404/);
    server.faults['model/browser-cache.js'] = { flip: { at: 500, times: 1 } };
    expect((await tryLoad({ cache: 'opfs' })).refused).to.match(/^ATPC-402.*browser-cache\.js/);
    server.reset();
    expectComputed(await tryLoad({ cache: 'opfs' }));
  });

  it('leaves a chunk in opfs alone that another page is writing', async () => {
    expectComputed(await tryLoad({ cache: 'opfs' }));
    // As in the middle of a write: no records, and the handles of the other page.
    const held = await page.evaluate(`(async () => {
      const code = \`onmessage = async () => {
        const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('tvmjs-opfs-store');
        const directory = await root.getDirectoryHandle('atpc');
        const names = [];
        for await (const name of directory.keys()) names.push(name);
        for (const name of names) if (name.endsWith('.record.json')) await directory.removeEntry(name);
        self.held = [];
        for (const name of names)
          if (name.endsWith('.bin')) self.held.push(await (await directory.getFileHandle(name)).createSyncAccessHandle());
        postMessage(self.held.length);
      }\`;
      globalThis.holder = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
      return new Promise((resolve) => {
        holder.onmessage = ({ data }) => resolve(data);
        holder.postMessage('hold');
      });
    })()`);
    expect(held).to.equal(3);
    const loaded = await tryLoad({ cache: 'opfs' });
    expectComputed(loaded);
    expect(loaded.notices).to.deep.equal([]);
    await expectVerified('opfs', []);
    await page.evaluate('holder.terminate()');
    await visit();
    expectComputed(await tryLoad({ cache: 'opfs' }));
    await expectVerified('opfs', chunks);
  });

  for (const store of stores) {
    describe(store, () => {
      it('downloads the weights once', async () => {
        expectComputed(await tryLoad({ cache: store }));
        expect(server.asked(weights)).to.deep.equal([undefined]);
        await expectVerified(store, chunks);
        for (let again = 0; again < 2; again++) {
          await visit();
          server.reset();
          const loaded = await tryLoad({ cache: store });
          expectComputed(loaded);
          expect(loaded.notices).to.deep.equal([]);
          expect(server.asked(weights)).to.deep.equal([]);
        }
      });

      it('goes on where a connection broke, and in the next visit where the server was gone', async () => {
        server.faults[weights] = { cutAfter: 1_000_000, cuts: 1 };
        expectComputed(await tryLoad({ cache: store }));
        // Where the page stood when it heard of the end: the browser drops what it had not handed over by then.
        const [whole, rest = '', ...more] = server.asked(weights);
        expect([whole, more]).to.deep.equal([undefined, []]);
        const stood = Number(/^bytes=(\d+)-$/.exec(rest)?.[1]);
        expect(stood).to.be.above(0);
        expect(stood).to.be.at.most(1_000_000);
        await expectVerified(store, chunks);

        expect(await page.evaluate('deleteCached()')).to.equal(undefined);
        server.faults[weights] = { cutAfter: chunkBytes + 1000, ranges: 'ignored' };
        const { refused } = await tryLoad({ cache: store });
        expect(refused).to.match(/^ATPC-401.*safetensors/);
        await expectVerified(store, chunks.slice(0, 1));
        await visit();
        server.reset();
        expectComputed(await tryLoad({ cache: store }));
        expect(server.asked(weights)).to.deep.equal([`bytes=${chunkBytes}-`]);
      });

      it('takes in no shard that is truncated or has a flipped byte', async () => {
        for (const fault of [{ flip: { at: chunkBytes + 5, times: Infinity } }, { length: chunkBytes + 5 }]) {
          server.faults[weights] = fault;
          const { refused } = await tryLoad({ cache: store });
          expect(refused).to.match(/^ATPC-402.*safetensors/);
          await expectVerified(store, chunks.slice(0, 1));
        }
        // Once alone, as from a cache on the way.
        server.faults[weights] = { flip: { at: chunkBytes + 5, times: 1 } };
        expectComputed(await tryLoad({ cache: store }));
        await expectVerified(store, chunks);
      });

      it('finds a flipped byte in the storage, says so, and downloads the chunk again', async () => {
        expectComputed(await tryLoad({ cache: store }));
        await page.evaluate(`flip('${store}', '${chunks[0]}')`);
        expect((await contents(store)).map(({ sha256 }) => sha256)).not.to.include(chunks[0]);
        await visit();
        server.reset();
        const loaded = await tryLoad({ cache: store });
        expectComputed(loaded);
        expect(loaded.notices).to.have.length(1);
        expect(loaded.notices[0]).to.match(new RegExp(`damaged in the storage of this page \\(${store}\\)`));
        expect(server.asked(weights)).to.deep.equal([undefined]);
        await expectVerified(store, chunks);
      });

      it('goes on in memory when the quota is out, with one sentence', async () => {
        // Room for one of the two chunks.
        await limitStorage(chunkBytes + 3_000_000);
        const loaded = await tryLoad({ cache: store });
        expectComputed(loaded);
        expect(loaded.notices).to.deep.equal([
          `The storage of this page (${store}) is full: weights that are not in it stay in memory, and are downloaded again by the next load.`,
        ]);
        const kept = (await contents(store)).filter(({ key }) => !key.endsWith('=list'));
        expect(kept.length).to.be.below(2);
        await expectVerified(store, chunks.slice(0, kept.length));
        if (store === 'opfs') expect(await page.evaluate('filesLeft()')).to.have.length(2 * (kept.length + 1));

        const warned: string[] = [];
        page.on('console', (message) => void warned.push(message.text()));
        await limitStorage(1000);
        expectComputed(await page.evaluate<Loaded>(`tryLoad({ cache: '${store}', onNotice: undefined })`));
        expect(warned.filter((sentence) => sentence.includes('is full'))).to.have.length(1);
      });

      it('is whole after a load that was aborted in the middle', async () => {
        const reason = await page.evaluate(`(async () => {
          const abort = new AbortController();
          const onProgress = ({ phase, loadedBytes }) => { if (phase === 'weights' && loadedBytes > 0) abort.abort('enough'); };
          return load({ cache: '${store}', signal: abort.signal, onProgress }).then(() => 'kept', String);
        })()`);
        expect(reason).to.equal('enough');
        for (const visits of [0, 1]) {
          await visit();
          server.reset();
          const loaded = await tryLoad({ cache: store });
          expectComputed(loaded);
          expect(loaded.notices).to.deep.equal([]);
          if (visits === 1) expect(server.asked(weights)).to.deep.equal([]);
        }
        await expectVerified(store, chunks);
      });

      it('takes what has not changed from an older package, and drops the rest of it', async () => {
        expectComputed(await tryLoad({ cache: store }));
        await rename(folder.file('model'), folder.file('older'));
        await rename(folder.file('newer'), folder.file('model'));
        try {
          await visit();
          server.reset();
          const loaded = await tryLoad({ cache: store });
          expectComputed(loaded);
          expect(loaded.notices).to.deep.equal([]);
          expect(server.asked(weights)).to.deep.equal([`bytes=${chunkBytes}-`]);
          await expectVerified(store, newerChunks);
          await page.evaluate('deleteCached()');
          expect(await contents(store)).to.deep.equal([]);
        } finally {
          await rename(folder.file('model'), folder.file('newer'));
          await rename(folder.file('older'), folder.file('model'));
        }
      });

      it('is shared by pages that load at the same time', async () => {
        const other = await context.newPage();
        try {
          await other.goto(server.url('page.html'));
          const both = await Promise.all([page, other].map((each) => each.evaluate<Loaded>(`tryLoad({ cache: '${store}' })`)));
          for (const loaded of both) {
            expectComputed(loaded);
            expect(loaded.notices).to.deep.equal([]);
          }
        } finally {
          await other.close();
        }
        server.reset();
        expectComputed(await tryLoad({ cache: store }));
        await expectVerified(store, chunks);
      });

      it('is empty after deleteCached', async () => {
        expectComputed(await tryLoad({ cache: store }));
        const other = stores.find((candidate) => candidate !== store);
        await page.evaluate(`deleteCached({ cache: '${other}' })`);
        await expectVerified(store, chunks);
        await page.evaluate(`deleteCached({ cache: '${store}' })`);
        expect(await contents(store)).to.deep.equal([]);
        if (store === 'opfs') expect(await page.evaluate('filesLeft()')).to.deep.equal([]);
        server.reset();
        expectComputed(await tryLoad({ cache: store }));
        expect(server.asked(weights)).to.deep.equal([undefined]);
      });
    });
  }
});
