import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import type { LoadProgress } from '../../runtime/api.ts';
import { sha256 } from '../../compiler/package/files.ts';
import type { PackageParts } from '../../compiler/package/write.ts';
import { memorySource } from '../../compiler/weights/tensor-source.ts';
import { weightFrom, writeWeights } from '../../compiler/weights/write.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import {
  expectedLogits,
  loadTiny,
  program,
  refusal,
  TemporaryFolder,
  table,
  tinyParts,
  weight,
  writeTiny,
} from './tiny-package.ts';

const ids = [[2, 4, 6, 3]];

describe('loading a package', () => {
  let folder: TemporaryFolder;
  let manifest: Manifest;
  before(async () => {
    folder = await TemporaryFolder.create();
    ({ manifest } = await writeTiny(folder.file('tiny')));
  });
  after(() => folder.remove());

  /** A copy of the package with some of its files changed, and index.js fitted to a changed manifest unless `keepHash`. */
  async function changedCopy(
    name: string,
    change: (file: string, bytes: Buffer) => Buffer | string,
    keepHash = false,
  ): Promise<string> {
    const copy = folder.file(name);
    await cp(folder.file('tiny'), copy, { recursive: true });
    const before = sha256(await readFile(path.join(copy, 'manifest.json')));
    for (const file of [...manifest.files.map((entry) => entry.path), 'manifest.json']) {
      const bytes = await readFile(path.join(copy, file));
      await writeFile(path.join(copy, file), change(file, bytes));
    }
    if (!keepHash) {
      const index = await readFile(path.join(copy, 'index.js'), 'utf8');
      const after = sha256(await readFile(path.join(copy, 'manifest.json')));
      await writeFile(path.join(copy, 'index.js'), index.replace(before, after));
    }
    return copy;
  }
  const changedManifest = (name: string, change: (manifest: Record<string, unknown>) => void): Promise<string> =>
    changedCopy(name, (file, bytes) => {
      if (file !== 'manifest.json') return bytes;
      const value = JSON.parse(bytes.toString()) as Record<string, unknown>;
      change(value);
      return JSON.stringify(value);
    });

  it('runs, and gives typed outputs in their shapes', async () => {
    await using model = await loadTiny(folder.file('tiny'));
    const { logits, spun } = await model.run({ input_ids: ids, rounds: { data: [3], shape: [] } });
    expect(logits).to.deep.equal({ elementType: 'f32', shape: [1, 3], data: Float32Array.from(expectedLogits(ids)) });
    expect(spun).to.deep.equal({ elementType: 'i32', shape: [64], data: new Int32Array(64).fill(3) });
  });

  it('takes its files from the caller, whole or one by one', async () => {
    const files: Record<string, Uint8Array> = {};
    for (const file of ['manifest.json', ...manifest.files.map((entry) => entry.path)]) {
      files[file] = await readFile(folder.file('tiny', file));
    }
    const asked: string[] = [];
    const one = async (file: string): Promise<Uint8Array> => {
      asked.push(file);
      return files[file] ?? Promise.reject(new Error('not there'));
    };
    for (const given of [files, one]) {
      await using model = await loadTiny(folder.file('tiny'), { files: given, baseUrl: 'https://example.invalid/nowhere' });
      const { logits } = await model.run({ input_ids: ids });
      expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(ids));
    }
    expect(asked, 'files that nothing uses are not asked for').to.not.include('README.md');
    delete files['program.json'];
    expect(await refusal(loadTiny(folder.file('tiny'), { files }))).to.match(/ATPC-401.*program\.json/);
    expect(await refusal(loadTiny(folder.file('tiny'), { files: one }))).to.match(/ATPC-401.*program\.json/);
  });

  it('refuses one flipped byte in the manifest and in any file that it lists', async () => {
    const listed = ['manifest.json', ...manifest.files.map((file) => file.path)];
    for (const target of listed) {
      const copy = await changedCopy(
        `flipped-${listed.indexOf(target)}`,
        (file, bytes) => {
          if (file !== target) return bytes;
          const middle = bytes.length >> 1;
          bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
          return bytes;
        },
        true,
      );
      expect(await refusal(loadTiny(copy)), target)
        .to.match(/^ATPC-402/)
        .and.to.contain(target);
    }
  });

  it('refuses a file that is shorter, longer or gone', async () => {
    const shard = manifest.tensors[0]?.file ?? '';
    const short = await changedCopy('short', (file, bytes) => (file === shard ? bytes.subarray(1) : bytes), true);
    expect(await refusal(loadTiny(short))).to.match(/ATPC-402.*has \d+ bytes; the package was written with \d+/);
    const long = await changedCopy(
      'long',
      (file, bytes) => (file === 'program.json' ? Buffer.concat([bytes, Buffer.from(' ')]) : bytes),
      true,
    );
    expect(await refusal(loadTiny(long))).to.match(/ATPC-402.*program\.json/);
    expect(await refusal(loadTiny(folder.file('tiny'), { baseUrl: folder.url('nothing') }))).to.match(/ATPC-401.*manifest\.json/);
    expect(await refusal(loadTiny(folder.file('nothing')))).to.match(/ATPC-401/);
  });

  it('refuses other formats, and manifests and programs that do not hold', async () => {
    const newer = await changedManifest('newer', (value) => (value['formatVersion'] = 2));
    expect(await refusal(loadTiny(newer))).to.match(/ATPC-404.*format version 2/);
    const extra = await changedManifest('extra', (value) => (value['surprise'] = 1));
    expect(await refusal(loadTiny(extra))).to.match(/ATPC-403.*manifest\.json/);
    const outside = await changedManifest(
      'outside',
      (value) =>
        ((value['tensors'] as { file: string }[])[0] = { ...(value['tensors'] as { file: string }[])[0], file: '../secret' }),
    );
    expect(await refusal(loadTiny(outside))).to.match(/ATPC-403/);
    await expectProgramRefused(
      'a buffer that is not there',
      { weights: [{ tensor: 'table', buffer: 99, shape: [10, 4], packing: { kind: 'rows' } }] },
      /ATPC-403.*no buffer 99/,
    );
    await expectProgramRefused(
      'an unknown kernel',
      {
        entryPoints: {
          forward: {
            ...program.entryPoints.forward,
            steps: [{ kind: 'dispatch', kernel: 'missing', label: 'x', operands: [], integers: [], items: 1, scratchBytes: 0 }],
          },
        },
      },
      /ATPC-403.*'missing'/,
    );
    await expectProgramRefused(
      'a kernel with other parameters',
      {
        entryPoints: {
          forward: {
            ...program.entryPoints.forward,
            steps: [{ kind: 'dispatch', kernel: 'spin', label: 'x', operands: [], integers: [], items: 1, scratchBytes: 0 }],
          },
        },
      },
      /ATPC-403.*takes 6 parameters; program\.json gives it 3/,
    );
  });
  async function expectProgramRefused(what: string, change: object, message: RegExp): Promise<void> {
    const out = folder.file(what);
    await writeTiny(out, {}, { program: { ...program, ...change } });
    expect(await refusal(loadTiny(out)), what).to.match(message);
  }

  it('refuses what cannot fit into memory before it reads a weight', async () => {
    const huge = folder.file('huge');
    const [target] = manifest.targets;
    if (!target) throw new Error('The package has a target.');
    await writeTiny(huge, {}, { memory: { ...target.memory, total: 5 * 2 ** 30, weights: 5 * 2 ** 30 } });
    const phases: LoadProgress[] = [];
    expect(await refusal(loadTiny(huge, { onProgress: (progress) => phases.push(progress) }))).to.match(/ATPC-502.*5368709120/);
    expect(phases).to.deep.equal([]);
  });

  it('tests itself, and refuses a backend or tokenizer that disagrees', async () => {
    const { golden, tokenizer } = await tinyParts();
    const [first] = golden;
    if (first === undefined || tokenizer === null) throw new Error('The tiny package has a golden vector and a tokenizer.');
    const wrong = { ...first, outputs: { logits: { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] } } };
    await writeTiny(folder.file('wrong-golden'), { golden: [wrong] });
    expect(await refusal(loadTiny(folder.file('wrong-golden')))).to.match(/ATPC-405.*'logits'.*recorded is 1/);
    await using model = await loadTiny(folder.file('wrong-golden'), { selfTest: false });
    expect(await refusal(model.selfTest())).to.match(/ATPC-405/);
    await writeTiny(folder.file('wrong-text'), { tokenizer: { ...tokenizer, fixtures: [{ text: 'a', ids: [1] }] } });
    expect(await refusal(loadTiny(folder.file('wrong-text')))).to.match(/ATPC-405.*tokenizer gives \[2, 7, 3\]/);
  });

  it('knows its options', async () => {
    expect(await refusal(loadTiny(folder.file('tiny'), { backnd: 'wasm' } as object))).to.match(/ATPC-607.*'backnd'/);
    try {
      await loadTiny(folder.file('tiny'), { backnd: 'wasm' } as object);
    } catch (error) {
      expect(error).to.have.property('hint', "Did you mean 'backend'?");
    }
    expect(await refusal(loadTiny(folder.file('tiny'), { backend: 'metal' } as object))).to.match(/ATPC-501.*'metal'/);
    expect(await refusal(loadTiny(folder.file('tiny'), { backend: 'cuda' }))).to.match(/ATPC-501.*no kernels for cuda/);
    expect(await refusal(loadTiny(folder.file('tiny'), { baseUrl: 'not a url' }))).to.match(/ATPC-607.*baseUrl/);
  });

  it('streams weights in verified chunks, tells its progress and can be aborted', async () => {
    // 18 MiB in one tensor: two chunks, the border in the middle of a row, and an unaligned start after the header.
    const rows = 147_457;
    const big = Float32Array.from({ length: rows * 32 }, (_, at) => at % 8191);
    const source = memorySource({
      big: { shape: [rows, 32], data: big },
      table: { shape: [10, 4], data: table },
      weight: { shape: [3, 4], data: weight },
    });
    const grown = {
      ...program,
      buffers: [
        ...program.buffers,
        {
          name: 'big',
          class: 'weights',
          elementType: 'f32',
          offset: 256,
          bytes: big.byteLength,
          firstStep: 0,
          lastStep: 0,
        } as const,
      ],
      arenas: { ...program.arenas, weights: 256 + big.byteLength },
      weights: [
        ...program.weights,
        { tensor: 'big', buffer: 9, shape: [rows, 32], packing: { kind: 'panels', width: 8 } } as const,
      ],
    };
    const out = folder.file('big');
    const changes: Partial<PackageParts> = {
      writeWeights: (into) =>
        writeWeights(into, [weightFrom(source, 'table'), weightFrom(source, 'big'), weightFrom(source, 'weight')]),
    };
    const written = await writeTiny(out, changes, { program: grown });
    expect(written.manifest.files.find((file) => file.path.endsWith('.safetensors'))?.chunks).to.have.length(2);
    const seen: LoadProgress[] = [];
    await using model = await loadTiny(out, { onProgress: (progress) => seen.push(progress) });
    expect([...((await model.run({ input_ids: ids }))['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
    const weights = seen.filter((progress) => progress.phase === 'weights').map((progress) => progress.loadedBytes);
    expect(weights).to.deep.equal([0, 16 * 2 ** 20, written.weightBytes]);
    expect(seen.at(-1)?.phase).to.equal('self-test');
    expect(model.memoryBytes).to.be.within(big.byteLength, big.byteLength + 2 ** 20);

    const flipped = folder.file('big-flipped');
    await cp(out, flipped, { recursive: true });
    const shard = path.join(flipped, (await readdir(path.join(flipped, 'weights'))).map((name) => `weights/${name}`)[0] ?? '');
    const bytes = await readFile(shard);
    bytes.writeUInt8(bytes.readUInt8(17_000_000) ^ 4, 17_000_000);
    await writeFile(shard, bytes);
    expect(await refusal(loadTiny(flipped))).to.match(/ATPC-402: weights\/.*bytes 16777216 to/);

    const abort = new AbortController();
    const loading = loadTiny(out, {
      signal: abort.signal,
      onProgress: ({ phase }) => phase === 'weights' && abort.abort(new Error('enough')),
    });
    expect(await refusal(loading)).to.equal('enough');
    expect(await refusal(loadTiny(out, { signal: AbortSignal.abort(new Error('never begun')) }))).to.equal('never begun');
  });
});
