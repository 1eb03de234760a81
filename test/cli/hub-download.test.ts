/** Downloads from a server that speaks the hub's protocol: what comes, what is asked for, and what goes wrong. */
import { expect } from 'chai';
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fetchHubModel, type HubModel, type HubOptions, type HubProgress } from '../../compiler/hub/hub-model.ts';
import { formatHubLocation, parseHubLocation } from '../../compiler/hub/hub-location.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { requires } from '../requirements.ts';
import { inScratch, listing } from './command-line.ts';
import { gitHash, sha256, startHub, type Hub, type HubRepository } from './hub-server.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const large = (size: number, seed: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 31 + seed) % 251);

const weights = large(300_000, 1);
const bert = {
  'config.json': bytes('{"model_type": "bert"}'),
  'model.safetensors': weights,
  'pytorch_model.bin': large(5000, 2),
  'onnx/model.onnx': large(5000, 3),
  'README.md': bytes('---\nlicense: mit\n---\n'),
  'tokenizer.json': large(5000, 4),
  'vocab.txt': bytes('a\nb\n'),
};
const repositories = {
  'org/bert': { files: bert, revisions: { 'v1.0': { ...bert, 'config.json': bytes('{"model_type": "old"}') } } },
  'org/sentence': {
    files: {
      'modules.json': bytes(
        JSON.stringify([
          { type: 'sentence_transformers.models.Transformer', path: '0_Transformer' },
          { type: 'sentence_transformers.models.Pooling', path: '1_Pooling' },
        ]),
      ),
      '0_Transformer/config.json': bytes('{}'),
      '0_Transformer/model.safetensors': large(5000, 5),
      '0_Transformer/model.onnx': large(5000, 6),
      '1_Pooling/config.json': bytes('{"a": 1}'),
    },
  },
  'org/shards': {
    files: {
      'config.json': bytes('{}'),
      'model.safetensors.index.json': bytes(
        JSON.stringify({ weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors', c: '../../../etc/passwd' } }),
      ),
      'model-1.safetensors': large(5000, 7),
      'model-2.safetensors': large(5000, 8),
      'consolidated.safetensors': large(5000, 9),
    },
  },
  'org/gguf': { files: { 'README.md': bytes('x'), 'only-q4_0.gguf': large(6000, 10) } },
  'org/many': { files: { 'config.json': bytes('{}'), 'm-q4_0.gguf': large(6000, 11), 'm-q8_0.gguf': large(7000, 12) } },
  'org/split': {
    files: {
      'm-q4_0-00001-of-00002.gguf': large(6000, 14),
      'm-q4_0-00002-of-00002.gguf': large(6000, 15),
    },
  },
  'org/pickle': { files: { 'config.json': bytes('{}'), 'pytorch_model.bin': large(5000, 13) } },
  'org/private': { files: bert, privateTo: 'hf_mine' },
  'org/gated': { files: bert, gated: true },
} satisfies Record<string, HubRepository>;

describe('locations on the hub', () => {
  it('reads the forms', () => {
    expect(parseHubLocation('hf:org/name')).to.deep.equal({ repository: 'org/name', revision: 'main' });
    expect(parseHubLocation('hf:a/b.c-d_e@refs/pr/3')).to.deep.equal({ repository: 'a/b.c-d_e', revision: 'refs/pr/3' });
    const whole = { repository: 'org/name', revision: 'v1', file: 'q/model-q4_0.gguf' };
    expect(parseHubLocation('hf:org/name@v1:q/model-q4_0.gguf')).to.deep.equal(whole);
    expect(parseHubLocation(formatHubLocation(whole))).to.deep.equal(whole);
  });
  for (const [model, words] of [
    ['hf:name', 'org/name'],
    ['hf:', 'org/name'],
    ['hf:a/b/c', 'org/name'],
    ['hf:../name', 'org/name'],
    ['hf:org/na--me', 'org/name'],
    ['hf:org/name@', 'branch'],
    ['hf:org/name@../../x', 'branch'],
    ['hf:org/name:../x.gguf', 'path of a file'],
    ['hf:org/name:model.safetensors', '.gguf'],
  ] as const) {
    it(`refuses ${model}`, () => {
      expect(() => parseHubLocation(model))
        .to.throw(AtpcError)
        .with.property('code', 'ATPC-301');
      expect(() => parseHubLocation(model)).to.throw(words);
    });
  }
});

describe('downloads from the hub', () => {
  let hub: Hub;
  beforeEach(async () => {
    hub = await startHub(repositories);
  });
  afterEach(async () => {
    await hub.close();
  });

  const get = (cache: string, model: string, { environment = {}, ...options }: HubOptions = {}): Promise<HubModel> =>
    fetchHubModel(model, {
      retryMilliseconds: 5,
      ...options,
      environment: { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_HOME: cache, ...environment },
    });
  const failure = async (work: Promise<unknown>): Promise<AtpcError> => {
    const error: unknown = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(AtpcError);
    return error as AtpcError;
  };
  /** Requests for the content of a file, not for its size. */
  const contentRequests = (file: string): readonly { readonly range: string | undefined }[] =>
    hub.requests.filter(({ url, range, storage }) => storage && url.endsWith(`//${file}`) && range !== 'bytes=0-0');

  it('brings what a compilation reads and nothing else, in the layout of the shared cache', async () => {
    await inScratch(async (cache) => {
      const seen: HubProgress[] = [];
      const model = await get(cache, 'hf:org/bert', { onProgress: (progress) => seen.push(progress) });
      const commit = hub.commit('org/bert');
      const root = path.join(cache, 'models--org--bert');
      expect(model).to.deep.include({ path: path.join(root, 'snapshots', commit), name: 'bert', commit });
      expect(await listing(model.path)).to.deep.equal(['README.md', 'config.json', 'model.safetensors', 'tokenizer.json']);
      expect(new Uint8Array(await readFile(path.join(model.path, 'model.safetensors')))).to.deep.equal(weights);
      expect(await readlink(path.join(model.path, 'model.safetensors'))).to.equal(`../../blobs/${sha256(weights)}`);
      expect(await readlink(path.join(model.path, 'config.json'))).to.equal(`../../blobs/${gitHash(bert['config.json'])}`);
      expect(await readFile(path.join(root, 'refs/main'), 'utf8')).to.equal(commit);
      const total = seen[0]?.totalBytes ?? 0;
      expect(seen.at(-1)).to.deep.equal({ file: 'model.safetensors', bytes: total, totalBytes: total });
      expect(hub.requests.some(({ url }) => /onnx|pytorch|vocab/.test(url))).to.equal(false);
    });
  });
  it('asks for nothing but the commit when all is there, and for nothing under HF_HUB_OFFLINE or with a commit', async () => {
    await inScratch(async (cache) => {
      const first = await get(cache, 'hf:org/bert');
      hub.requests.length = 0;
      expect((await get(cache, 'hf:org/bert')).path).to.equal(first.path);
      expect(hub.requests.map(({ url }) => url.replace(/\?.*/, ''))).to.deep.equal(['/api/models/org/bert/revision/main']);
      hub.requests.length = 0;
      expect((await get(cache, 'hf:org/bert', { environment: { HF_HUB_OFFLINE: '1' } })).path).to.equal(first.path);
      expect((await get(cache, `hf:org/bert@${first.commit}`)).path).to.equal(first.path);
      expect(hub.requests).to.deep.equal([]);
    });
  });
  it('takes the cache when the hub cannot be reached, and says so', async () => {
    await inScratch(async (cache) => {
      const first = await get(cache, 'hf:org/bert');
      await hub.close();
      const again = await get(cache, 'hf:org/bert');
      expect(again.path).to.equal(first.path);
      expect(again.notes.join()).to.include('From the cache').and.include(first.commit);
      const other = await failure(get(cache, 'hf:org/bert@v1.0'));
      expect(other).to.have.property('code', 'ATPC-211');
      expect(other.message).to.include(`${hub.endpoint} cannot be reached`).and.include('ECONNREFUSED');
      const offline = await failure(get(cache, 'hf:org/shards', { environment: { HF_HUB_OFFLINE: '1' } }));
      expect(offline.message).to.include('HF_HUB_OFFLINE').and.include('org/shards@main');
    });
  });
  it('resolves a revision to its commit, and shares contents between revisions', async () => {
    await inScratch(async (cache) => {
      await get(cache, 'hf:org/bert');
      const old = await get(cache, 'hf:org/bert@v1.0');
      expect(old.commit).to.equal(hub.commit('org/bert', 'v1.0')).and.not.equal(hub.commit('org/bert'));
      expect(await readFile(path.join(old.path, 'config.json'), 'utf8')).to.include('old');
      expect(contentRequests('model.safetensors')).to.have.length(1);
    });
  });
  it('takes the folders of modules.json, and the shards of an index', async () => {
    await inScratch(async (cache) => {
      const sentence = await get(cache, 'hf:org/sentence');
      const files = ['0_Transformer/config.json', '0_Transformer/model.safetensors', '1_Pooling/config.json', 'modules.json'];
      expect((await listing(sentence.path)).filter((name) => name.includes('.'))).to.deep.equal(files);
      const shards = await get(cache, 'hf:org/shards');
      expect(await listing(shards.path)).to.deep.equal([
        'config.json',
        'model-1.safetensors',
        'model-2.safetensors',
        'model.safetensors.index.json',
      ]);
    });
  });
  it('takes the one GGUF file of a repository, and asks which of several', async () => {
    await inScratch(async (cache) => {
      const only = await get(cache, 'hf:org/gguf');
      expect(path.basename(only.path)).to.equal('only-q4_0.gguf');
      expect(only.name).to.equal('only-q4_0');
      const several = await failure(get(cache, 'hf:org/many'));
      expect(several).to.have.property('code', 'ATPC-301');
      expect(several.hint).to.include('hf:org/many@main:m-q4_0.gguf').and.include('m-q8_0.gguf (0 MB)');
      expect(path.basename((await get(cache, 'hf:org/many:m-q8_0.gguf')).path)).to.equal('m-q8_0.gguf');
      const wrong = await failure(get(cache, 'hf:org/many:m-q2.gguf'));
      expect(wrong).to.have.property('code', 'ATPC-212');
      expect(wrong.hint).to.include('m-q4_0.gguf');
      const pickle = await failure(get(cache, 'hf:org/pickle'));
      expect(pickle).to.have.property('code', 'ATPC-201');
      expect(pickle.hint).to.include('pytorch_model.bin');
      expect(await readdir(cache)).to.not.include('models--org--pickle/blobs');
    });
  });

  it('takes all parts of a split GGUF file', async () => {
    for (const model of ['hf:org/split', 'hf:org/split:m-q4_0-00002-of-00002.gguf']) {
      await inScratch(async (cache) => {
        const split = await get(cache, model);
        expect(path.basename(split.path)).to.equal('m-q4_0-00001-of-00002.gguf');
        expect(split.name).to.equal('m-q4_0');
        expect(await listing(path.dirname(split.path))).to.have.length(2);
      });
    }
  });

  it('goes on after a connection broke, where it broke', async () => {
    await inScratch(async (cache) => {
      hub.faults['model.safetensors'] = { cutAfter: 100_000, cuts: 2 };
      const model = await get(cache, 'hf:org/bert');
      expect(new Uint8Array(await readFile(path.join(model.path, 'model.safetensors')))).to.deep.equal(weights);
      expect(contentRequests('model.safetensors').map(({ range }) => range)).to.deep.equal([
        undefined,
        'bytes=100000-299999',
        'bytes=200000-299999',
      ]);
    });
  });
  it('keeps the part of a download that was given up, and goes on with it the next time', async () => {
    await inScratch(async (cache) => {
      // The second part never comes.
      hub.faults['model.safetensors'] = { status: { code: 503, times: 99 } };
      const blob = path.join(cache, 'models--org--bert/blobs', sha256(weights));
      await mkdir(path.dirname(blob), { recursive: true });
      await writeFile(`${blob}.incomplete`, weights.subarray(0, 120_000));
      const error = await failure(get(cache, 'hf:org/bert'));
      expect(error).to.have.property('code', 'ATPC-211');
      expect(error.message).to.include('120000 of 300000 bytes').and.include('status 503');
      expect(await listing(path.join(cache, 'models--org--bert/snapshots'))).to.not.include('model.safetensors');
      expect((await stat(`${blob}.incomplete`)).size).to.equal(120_000);
      hub.faults['model.safetensors'] = {};
      hub.requests.length = 0;
      const model = await get(cache, 'hf:org/bert');
      expect(new Uint8Array(await readFile(path.join(model.path, 'model.safetensors')))).to.deep.equal(weights);
      expect(contentRequests('model.safetensors').map(({ range }) => range)).to.deep.equal(['bytes=120000-299999']);
    });
  });
  it('begins again where the part is of something else, or the server gives no ranges', async () => {
    for (const ignoreRange of [false, true]) {
      await inScratch(async (cache) => {
        hub.faults['model.safetensors'] = { ignoreRange };
        const blob = path.join(cache, 'models--org--bert/blobs', sha256(weights));
        await mkdir(path.dirname(blob), { recursive: true });
        await writeFile(`${blob}.incomplete`, large(1000, 99));
        const model = await get(cache, 'hf:org/bert');
        expect(new Uint8Array(await readFile(path.join(model.path, 'model.safetensors')))).to.deep.equal(weights);
      });
    }
  });
  for (const [file, kind] of [
    ['model.safetensors', 'SHA-256'],
    ['config.json', 'git SHA-1'],
  ] as const) {
    it(`refuses ${file} with another ${kind} than the hub lists, and keeps none of it`, async () => {
      await inScratch(async (cache) => {
        hub.faults[file] = { corrupt: true };
        const error = await failure(get(cache, 'hf:org/bert'));
        expect(error).to.have.property('code', 'ATPC-214');
        expect(error.message).to.include(file).and.include(kind);
        const kept = await listing(path.join(cache, 'models--org--bert'));
        expect(kept.filter((name) => name.endsWith('.incomplete') || name.endsWith(file))).to.deep.equal([]);
      });
    });
  }
  it('stops at an abort, and leaves nothing that counts as whole', async () => {
    await inScratch(async (cache) => {
      hub.faults['model.safetensors'] = { stallAfter: 50_000 };
      const abort = new AbortController();
      const reason = new Error('enough');
      const onProgress = ({ bytes: at, totalBytes }: HubProgress): void => {
        if (totalBytes - at <= weights.byteLength - 50_000) abort.abort(reason);
      };
      const error: unknown = await get(cache, 'hf:org/bert', { signal: abort.signal, onProgress }).catch((e: unknown) => e);
      expect(error).to.equal(reason);
      const kept = await listing(path.join(cache, 'models--org--bert'));
      expect(kept.filter((name) => name.endsWith('model.safetensors'))).to.deep.equal([]);
      expect(kept.filter((name) => name.includes(sha256(weights)))).to.deep.equal([`blobs/${sha256(weights)}.incomplete`]);
      hub.faults['model.safetensors'] = {};
      await get(cache, 'hf:org/bert');
      expect(contentRequests('model.safetensors').at(-1)?.range).to.match(/^bytes=[1-9]\d*-299999$/);
    });
  });
  it('says that the disk is full', async function () {
    requires(this, 'linux', process.platform === 'linux');
    await inScratch(async (cache) => {
      const blobs = path.join(cache, 'models--org--bert/blobs');
      await mkdir(blobs, { recursive: true });
      // A device on which every write fails for want of space.
      await symlink('/dev/full', path.join(blobs, `${sha256(weights)}.incomplete`));
      const error = await failure(get(cache, 'hf:org/bert'));
      expect(error).to.have.property('code', 'ATPC-312');
      expect(error.message).to.include('the disk is full (ENOSPC)');
      expect(error.hint).to.include('HF_HUB_CACHE');
    });
  });

  it('tells models that are not there from revisions that are not there', async () => {
    await inScratch(async (cache) => {
      const model = await failure(get(cache, 'hf:org/none'));
      expect(model).to.have.property('code', 'ATPC-212');
      expect(model.message).to.include('no model org/none that is public');
      const revision = await failure(get(cache, 'hf:org/bert@v9'));
      expect(revision).to.have.property('code', 'ATPC-212');
      expect(revision.message).to.include("'v9'");
    });
  });
  it('sends the token of HF_TOKEN or the token file to the hub and to nobody else', async () => {
    for (const environment of [{ HF_TOKEN: 'hf_mine' }, {}]) {
      await inScratch(async (cache) => {
        if (!('HF_TOKEN' in environment)) await writeFile(path.join(cache, 'token'), 'hf_mine\n');
        hub.requests.length = 0;
        await get(cache, 'hf:org/private', { environment });
        const sent = new Set(hub.requests.map(({ storage, authorization }) => `${storage} ${authorization}`));
        expect([...sent].sort()).to.deep.equal(['false Bearer hf_mine', 'true undefined']);
      });
    }
  });
  it('says what to do about a private or gated model, and a token that is not accepted', async () => {
    await inScratch(async (cache) => {
      const hidden = await failure(get(cache, 'hf:org/private'));
      expect(hidden).to.have.property('code', 'ATPC-212');
      expect(hidden.hint).to.include('HF_TOKEN');
      const gated = await failure(get(cache, 'hf:org/gated'));
      expect(gated).to.have.property('code', 'ATPC-213');
      expect(gated.hint).to.include(`${hub.endpoint}/org/gated`).and.include('HF_TOKEN');
      const refused = await failure(get(cache, 'hf:org/gated', { environment: { HF_TOKEN: 'hf_other' } }));
      expect(refused).to.have.property('code', 'ATPC-213');
      expect(refused.message).to.include('403');
      const ended = await failure(get(cache, 'hf:org/bert', { environment: { HF_TOKEN: 'hf_ended' } }));
      expect(ended).to.have.property('code', 'ATPC-213');
      expect(ended.message).to.include('HF_TOKEN').and.not.include('hf_ended');
      const other = await failure(get(cache, 'hf:org/bert', { environment: { HF_TOKEN: 'abc' } }));
      expect(other).to.have.property('code', 'ATPC-301');
      expect(other.message).to.not.include('abc');
    });
  });
  it('refuses an endpoint that is none', async () => {
    await inScratch(async (cache) => {
      const error = await failure(get(cache, 'hf:org/bert', { environment: { HF_ENDPOINT: 'hub.local' } }));
      expect(error).to.have.property('code', 'ATPC-301');
      const strange = await failure(get(cache, 'hf:org/bert', { environment: { HF_ENDPOINT: `${hub.endpoint}/elsewhere` } }));
      expect(strange).to.have.property('code', 'ATPC-212');
    });
  });
});
