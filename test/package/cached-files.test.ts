/** Weights through the browser cache: what is stored, what is downloaded again and from where, against a server with faults. */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { describeFile } from '../../compiler/package/files.ts';
import { cachedFiles } from '../../runtime/cache/cached-files.ts';
import { chunkKey, deleteFiles, listKey, type ChunkStore } from '../../runtime/cache/chunk-store.ts';
import { cacheFeature, type CacheUse } from '../../runtime/cache/feature.ts';
import { resumableFiles } from '../../runtime/cache/resumable-files.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { ManifestFile } from '../../runtime/format/manifest.ts';
import { currentPlatform, type Platform } from '../../runtime/platform/platform.ts';
import { chunkBytes, readVerifiedChunks } from '../../runtime/source.ts';
import { FaultyServer } from '../browser/faulty-server.ts';
import { TemporaryFolder } from './tiny-package.ts';

const name = 'weights.bin';
const platform = currentPlatform();
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A store in memory with room for so many bytes. */
class MemoryStore implements ChunkStore {
  readonly name = 'memory';
  readonly entries = new Map<string, Uint8Array<ArrayBuffer>>();
  room = Infinity;
  refuse: (() => Error) | undefined;

  read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = this.entries.get(key);
    return Promise.resolve(bytes && Uint8Array.from(bytes));
  }
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const used = [...this.entries.values()].reduce((sum, entry) => sum + entry.length, 0);
    if (this.refuse) return Promise.reject(this.refuse());
    if (used + bytes.length > this.room) return Promise.reject(new DOMException('no room', 'QuotaExceededError'));
    this.entries.set(key, Uint8Array.from(bytes));
    return Promise.resolve();
  }
  delete(key: string): Promise<void> {
    this.entries.delete(key);
    return Promise.resolve();
  }
}

describe('weights through the browser cache', () => {
  let folder: TemporaryFolder;
  let server: FaultyServer;
  let content: Buffer;
  let file: ManifestFile;
  let url: URL;
  let store: MemoryStore;
  let notices: string[];

  before(async () => {
    folder = await TemporaryFolder.create();
    content = randomBytes(2 * chunkBytes + 5000);
    await writeFile(folder.file(name), content);
    file = describeFile(name, content);
    server = await FaultyServer.start(folder.path);
    url = new URL(server.url(name));
  });
  after(async () => {
    await server.close();
    await folder.remove();
  });
  beforeEach(() => {
    server.reset();
    store = new MemoryStore();
    notices = [];
  });

  async function load(wanted = file, waits: readonly number[] = [1, 2, 3]): Promise<Buffer> {
    const locate = (path: string): URL => new URL(server.url(path));
    const onNotice = (sentence: string): void => void notices.push(sentence);
    const source = resumableFiles(locate, waits);
    const files = cachedFiles({ files: [wanted], locate, platform, store, source, onNotice });
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of readVerifiedChunks(platform, files, wanted)) chunks.push(chunk);
    } finally {
      await files.close();
    }
    return Buffer.concat(chunks);
  }
  async function refusal(promise: Promise<unknown>): Promise<AtpcError> {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(AtpcError);
    return error as AtpcError;
  }
  const expectWhole = (bytes: Buffer): void => void expect(bytes.equals(content)).to.be.true;
  const keys = (): string[] => (file.chunks ?? []).map((hash) => chunkKey(url, hash));
  /** Every chunk in the store has the hash that its key names. */
  function expectVerified(): void {
    for (const [key, bytes] of store.entries) {
      if (key !== listKey(url)) expect(key).to.equal(chunkKey(url, hashOf(bytes)));
    }
  }

  it('downloads once, and nothing the second time', async () => {
    expectWhole(await load());
    expect(server.asked(name)).to.deep.equal([undefined]);
    expect([...store.entries.keys()]).to.have.members([listKey(url), ...keys()]);
    expectVerified();
    server.reset();
    expectWhole(await load());
    expect(server.requests).to.deep.equal([]);
    expect(notices).to.deep.equal([]);
  });

  it('downloads the chunks alone that are missing, with and without ranges', async () => {
    await load();
    for (const ranges of [undefined, 'ignored'] as const) {
      for (const missing of [[0, 2], [1]]) {
        server.reset();
        if (ranges) server.faults[name] = { ranges };
        for (const index of missing) store.entries.delete(keys()[index] ?? '');
        expectWhole(await load());
        const from = missing.map((index) => (index === 0 ? undefined : `bytes=${index * chunkBytes}-`));
        expect(server.asked(name)).to.deep.equal(from);
        expect(keys().every((key) => store.entries.has(key))).to.be.true;
      }
    }
  });

  it('goes on from the byte that a broken connection reached', async () => {
    server.faults[name] = { cutAfter: 1_000_000, cuts: 2 };
    expectWhole(await load());
    expect(server.asked(name)).to.deep.equal([undefined, 'bytes=1000000-', 'bytes=2000000-']);
    expectVerified();
    expect(notices).to.deep.equal([]);
  });

  it('goes on after any cuts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: chunkBytes / 8, max: 3 * chunkBytes }), async (cutAfter) => {
        server.reset();
        store.entries.clear();
        server.faults[name] = { cutAfter };
        expectWhole(await load());
        // From where the one before ended, always.
        expect(server.asked(name)).to.deep.equal(
          Array.from({ length: Math.ceil(content.length / cutAfter) }, (_, cut) =>
            cut === 0 ? undefined : `bytes=${cut * cutAfter}-`,
          ),
        );
        expectVerified();
      }),
      { numRuns: 8 },
    );
  });

  it('begins again where the server has no ranges, or gives another one', async () => {
    for (const ranges of ['ignored', 77] as const) {
      server.reset();
      store.entries.clear();
      server.faults[name] = { cutAfter: 1_000_000, cuts: 1, ranges };
      expectWhole(await load());
      const again = ranges === 'ignored' ? [] : [undefined];
      expect(server.asked(name)).to.deep.equal([undefined, 'bytes=1000000-', ...again]);
      expectVerified();
    }
  });

  it('gives up with ATPC-401 after a few tries that bring nothing, and keeps the chunks that came', async () => {
    server.faults[name] = { cutAfter: chunkBytes + 10, ranges: 'ignored' };
    const error = await refusal(load());
    expect(error.code).to.equal('ATPC-401');
    expect(error.message).to.contain(name);
    // The one that broke, and as many as there are waits.
    expect(server.asked(name)).to.have.length(4);
    expect([...store.entries.keys()]).to.have.members([listKey(url), keys()[0]]);
    server.reset();
    expectWhole(await load());
    expect(server.asked(name)).to.deep.equal([`bytes=${chunkBytes}-`]);
  });

  it('waits longer from try to try', async () => {
    server.faults[name] = { status: { code: 503, times: Infinity } };
    const began = performance.now();
    const error = await refusal(load(file, [20, 40, 80]));
    expect(error.message).to.match(/^ATPC-401.*answers 503/);
    expect(server.asked(name)).to.have.length(4);
    expect(performance.now() - began).to.be.above(135);
  });

  it('asks again after a passing refusal, and at once not after another', async () => {
    server.faults[name] = { status: { code: 503, times: 2 } };
    expectWhole(await load());
    expect(server.asked(name)).to.have.length(3);
    for (const code of [403, 404]) {
      server.reset();
      store.entries.clear();
      server.faults[name] = { status: { code, times: Infinity } };
      const error = await refusal(load());
      expect(error.message).to.match(new RegExp(`^ATPC-401.*answers ${code}`));
      expect(server.asked(name)).to.have.length(1);
    }
  });

  it('lets no flipped byte into the store: asks once more, and then refuses with ATPC-402', async () => {
    server.faults[name] = { flip: { at: chunkBytes + 3, times: 1 } };
    expectWhole(await load());
    expect(server.asked(name)).to.deep.equal([undefined, `bytes=${chunkBytes}-`]);
    expectVerified();
    server.reset();
    store.entries.clear();
    server.faults[name] = { flip: { at: chunkBytes + 3, times: Infinity } };
    const error = await refusal(load());
    expect(error.code).to.equal('ATPC-402');
    expect(error.message).to.contain(`${name} (bytes ${chunkBytes} to ${2 * chunkBytes})`);
    expect([...store.entries.keys()]).to.have.members([listKey(url), keys()[0]]);
    expectVerified();
  });

  it('refuses a file that is too short with ATPC-402', async () => {
    for (const length of [chunkBytes - 1, chunkBytes, 2 * chunkBytes + 4999]) {
      server.reset();
      store.entries.clear();
      server.faults[name] = { length };
      const error = await refusal(load());
      expect(error.code).to.equal('ATPC-402');
      expectVerified();
      expect(store.entries.size).to.equal(Math.floor(length / chunkBytes) + (length < chunkBytes ? 0 : 1));
    }
  });

  it('compares what comes out of the store: drops what was damaged there, says so once, downloads it again', async () => {
    await load();
    for (const key of [keys()[0], keys()[2]]) {
      const bytes = store.entries.get(key ?? '');
      bytes?.set([(bytes[4999] ?? 0) ^ 1], 4999);
    }
    server.reset();
    expectWhole(await load());
    expect(server.asked(name)).to.deep.equal([undefined, `bytes=${2 * chunkBytes}-`]);
    expect(notices).to.deep.equal([
      `A piece of ${name} was damaged in the storage of this page (memory); it is downloaded again.`,
    ]);
    expectVerified();
    server.reset();
    expectWhole(await load());
    expect(server.requests).to.deep.equal([]);
  });

  it('goes on in memory when the storage is full or forbidden, with one sentence', async () => {
    for (const [room, refuse, sentence, kept] of [
      [chunkBytes + 1000, undefined, /is full.*stay in memory.*downloaded again/, 2],
      [0, undefined, /is full/, 0],
      [Infinity, () => new DOMException('not here', 'SecurityError'), /cannot be used \(SecurityError: not here\)/, 0],
    ] as const) {
      store = new MemoryStore();
      notices = [];
      store.room = room;
      store.refuse = refuse;
      expectWhole(await load());
      expect(notices).to.have.length(1);
      expect(notices[0]).to.match(sentence);
      expect(store.entries.size).to.equal(kept);
      expectVerified();
    }
  });

  it('reads no bytes of a package that lay at the address before, and drops them', async () => {
    await load();
    const newer = Buffer.from(content);
    newer[5] = (newer[5] ?? 0) ^ 1;
    await writeFile(folder.file(name), newer);
    try {
      server.reset();
      const described = describeFile(name, newer);
      expect((await load(described)).equals(newer)).to.be.true;
      // The chunks that did not change were not downloaded.
      expect(server.asked(name)).to.deep.equal([undefined]);
      expect([...store.entries.keys()]).to.have.members([
        listKey(url),
        ...(described.chunks ?? []).map((hash) => chunkKey(url, hash)),
      ]);
      expectVerified();
    } finally {
      await writeFile(folder.file(name), content);
    }
  });

  it('deletes what it stored, and nothing else', async () => {
    await load();
    const other = 'http://127.0.0.1/other?atpc-cache=list';
    store.entries.set(other, new Uint8Array(1));
    await deleteFiles(store, [url, new URL(server.url('never-loaded.bin')), new URL('data:text/plain,small')]);
    expect([...store.entries.keys()]).to.deep.equal([other]);
    expect((await readFile(folder.file(name))).equals(content)).to.be.true;
  });

  it('reads past a query that changes, as signatures of storage services do', () => {
    const hash = hashOf(content);
    expect(chunkKey(new URL('https://a.example/w.bin?signature=1'), hash)).to.equal(
      chunkKey(new URL('https://a.example/w.bin?signature=2#x'), hash),
    );
    expect(chunkKey(new URL('https://a.example/w.bin'), hash)).not.to.equal(chunkKey(new URL('https://b.example/w.bin'), hash));
  });

  it('stops a wait and a download when it is closed', async () => {
    server.faults[name] = { status: { code: 503, times: Infinity } };
    const source = resumableFiles(() => url, [60_000]);
    const reading = refusal(source.read(name, 0, 10));
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await source.close();
    expect((await reading).code).to.equal('ATPC-401');
  });
});

describe('the option cache', () => {
  const browser: Platform = { ...currentPlatform(), name: 'browser' };
  const locate = (path: string): URL => new URL(path, 'https://models.example/tiny/');
  const choose = (options: object, platform = browser): CacheUse | undefined =>
    cacheFeature.choose(options, platform, 'files' in options ? undefined : locate);

  it('is none unless a store is named', () => {
    expect(choose({})).to.equal(undefined);
    expect(choose({ cache: 'none' })).to.equal(undefined);
    expect(choose({ cache: 'none' }, currentPlatform())).to.equal(undefined);
    const module = 'https://models.example/tiny/browser-cache.js';
    for (const store of ['cache-api', 'indexeddb', 'opfs'])
      expect(choose({ cache: store })?.load.cache).to.deep.equal({ store, module });
  });

  it('is refused with ATPC-607 for names that there are not, in Node, and with files of the caller', () => {
    const refused = (options: object, platform?: Platform): AtpcError => {
      try {
        choose(options, platform);
      } catch (error) {
        expect(error).to.be.instanceOf(AtpcError).with.property('code', 'ATPC-607');
        return error as AtpcError;
      }
      throw new Error('It was taken.');
    };
    expect(refused({ cache: 'indexdb' }).hint).to.equal("Did you mean 'indexeddb'?");
    expect(refused({ cache: true }).hint).to.contain('none, cache-api, indexeddb, opfs');
    expect(refused({ cache: 'opfs' }, currentPlatform()).message).to.contain('in Node the files of a package are on the disk');
    expect(refused({ cache: 'opfs', files: {} }).message).to.contain('or the option files');
  });
});
