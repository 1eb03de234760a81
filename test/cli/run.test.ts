import { expect } from 'chai';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readTensorsFile } from '../../compiler/cli/tensors-file.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { atpc, compileSentiment, inScratch, listing, sentimentModel } from './command-line.ts';

describe('atpc run and atpc inspect', function () {
  this.timeout(300_000);
  let folder = '';
  let sentiment = '';

  before(async () => {
    ({ folder, sentiment } = await compileSentiment());
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('classifies texts', async () => {
    const texts = ['A warm, funny and beautifully acted film.', 'Dull, far too long and badly written.'];
    const { code, stdout } = await atpc(['run', sentiment, ...texts.flatMap((text) => ['--text', text])]);
    expect(code).to.equal(0);
    const [first, second, ...others] = stdout.trim().split('\n');
    expect(first).to.match(/^"A warm.*" {2}POSITIVE 0\.\d{4} {2}\(NEGATIVE 0\.\d{4}\)$/);
    expect(second).to.match(/^"Dull.*" {2}NEGATIVE 0\.\d{4}/);
    expect(others).to.deep.equal([]);
  });

  it('prints one JSON document under --json', async () => {
    const { stdout, stderr, code } = await atpc(['run', sentiment, '--text', 'A fine film.', '--json']);
    expect(code).to.equal(0);
    expect(stderr).to.equal('');
    const document = JSON.parse(stdout) as { backend: string; milliseconds: number; results: Record<string, unknown>[] };
    expect(Object.keys(document)).to.deep.equal(['package', 'backend', 'milliseconds', 'results']);
    expect(document.backend).to.equal('wasm');
    expect(document.milliseconds).to.be.above(0);
    expect(document.results[0])
      .to.have.keys('text', 'label', 'score', 'scores')
      .and.include({ text: 'A fine film.', label: 'POSITIVE' });
  });

  it('runs tensors from a file into a file, in every pair of formats, with I32 and I64 alike', async () => {
    await inScratch(async (cwd) => {
      const ids = [2, 57, 91, 3];
      const inputs = {
        'nested.json': { input_ids: [ids], attention_mask: [[1, 1, 1, 1]] },
        'wide.json': {
          input_ids: { type: 'i64', shape: [1, 4], data: ids.map(String) },
          attention_mask: { type: 'i64', shape: [1, 4], data: [1, 1, 1, 1] },
        },
      };
      const logits: number[][] = [];
      for (const [name, tensors] of Object.entries(inputs)) {
        await writeFile(path.join(cwd, name), JSON.stringify(tensors));
        for (const output of ['out.json', 'out.safetensors']) {
          const { code, stderr } = await atpc(['run', sentiment, '--inputs', name, '--outputs', output, '--quiet'], { cwd });
          expect(stderr).to.equal('');
          expect(code).to.equal(0);
          const { logits: tensor } = await readTensorsFile(path.join(cwd, output));
          if (tensor === undefined || !('shape' in tensor)) throw new Error('There are no logits with a shape.');
          expect(tensor.shape).to.deep.equal([1, 2]);
          logits.push(Array.from(tensor.data, Number));
        }
      }
      expect(logits).to.have.length(4);
      for (const values of logits) expect(values).to.deep.equal(logits[0]);

      // What a file was written from can be read again as the inputs of another call.
      const { stdout } = await atpc(['run', sentiment, '--inputs', 'nested.json', '--json'], { cwd });
      const document = JSON.parse(stdout) as { outputs: { logits: { type: string; shape: number[]; data: number[] } } };
      expect(document.outputs.logits).to.deep.equal({ type: 'f32', shape: [1, 2], data: logits[0] });
    });
  });

  const wrong: readonly { readonly what: string; readonly inputs: unknown; readonly says: RegExp }[] = [
    { what: 'an unknown input', inputs: { input_idz: [[2, 3]] }, says: /^ATPC-601: .*input_idz/ },
    { what: 'a missing input', inputs: { attention_mask: [[1, 1]] }, says: /^ATPC-601: .*input_ids/ },
    { what: 'shapes that differ', inputs: { input_ids: [[2, 3]], attention_mask: [[1, 1, 1]] }, says: /^ATPC-602: / },
    {
      what: 'an id outside the vocabulary',
      inputs: { input_ids: [[2, 6500, 3]], attention_mask: [[1, 1, 1]] },
      says: /^ATPC-604: .*6500/,
    },
    {
      what: 'more tokens than the model takes',
      inputs: { input_ids: [Array.from({ length: 513 }, () => 7)] },
      says: /^ATPC-60[23]: .*51[23]/,
    },
  ];
  for (const { what, inputs, says } of wrong) {
    it(`refuses ${what}, and writes nothing`, async () => {
      await inScratch(async (cwd) => {
        await writeFile(path.join(cwd, 'in.json'), JSON.stringify(inputs));
        const { code, stderr, stdout } = await atpc(
          ['run', sentiment, '--inputs', 'in.json', '--outputs', 'out.json', '--quiet'],
          { cwd },
        );
        expect(stderr)
          .to.match(says)
          .and.not.match(/^\s+at .*:\d+/m);
        expect(stdout).to.equal('');
        expect(code).to.equal(2);
        expect(await listing(cwd)).to.deep.equal(['in.json']);
      });
    });
  }

  it('refuses a package with one flipped byte, in the manifest or in any file that it lists', async () => {
    await inScratch(async (cwd) => {
      const copy = path.join(cwd, 'package');
      await cp(sentiment, copy, { recursive: true });
      const manifest = JSON.parse(await readFile(path.join(copy, 'manifest.json'), 'utf8')) as Manifest;
      for (const file of ['manifest.json', ...manifest.files.map((entry) => entry.path)]) {
        const whole = await readFile(path.join(copy, file));
        const damaged = Buffer.from(whole);
        const middle = Math.floor(damaged.length / 2);
        damaged.writeUInt8(damaged.readUInt8(middle) ^ 1, middle);
        await writeFile(path.join(copy, file), damaged);
        const { code, stderr } = await atpc(['inspect', 'package', copy]);
        expect(stderr, file)
          .to.match(/^ATPC-402: /)
          .and.include(path.basename(file));
        expect(code, file).to.equal(1);
        await writeFile(path.join(copy, file), whole);
      }
      const weights = manifest.tensors[0]?.file ?? '';
      const whole = await readFile(path.join(copy, weights));
      whole.writeUInt8(whole.readUInt8(whole.length - 9) ^ 1, whole.length - 9);
      await writeFile(path.join(copy, weights), whole);
      const { code, stderr } = await atpc(['run', copy, '--text', 'A fine film.', '--quiet']);
      expect(stderr)
        .to.match(/^ATPC-402: .*\.safetensors/)
        .and.not.match(/^\s+at .*:\d+/m);
      expect(code).to.equal(1);
    });
  });

  it('refuses a folder that is no package', async () => {
    const { code, stderr } = await atpc(['run', folder, '--text', 'a', '--quiet']);
    expect(stderr).to.match(/^ATPC-401: /);
    expect(code).to.equal(1);
  });

  it('inspects a package', async () => {
    const { code, stdout } = await atpc(['inspect', 'package', sentiment]);
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/classification: NEGATIVE, POSITIVE/)
      .and.match(/layer 0: expand at 25 % of the keys, measured \d/)
      .and.match(/peak memory/);
    const document = JSON.parse((await atpc(['inspect', 'package', sentiment, '--json'])).stdout) as Record<string, unknown>;
    expect(document).to.have.keys('folder', 'filesChecked', 'bytes', 'memory', 'manifest');
  });

  it('inspects a model', async () => {
    const { code, stdout } = await atpc(['inspect', 'model', sentimentModel]);
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/3 layers of 12 heads/)
      .and.match(/input_ids/)
      .and.match(/logits/);
    const report = JSON.parse((await atpc(['inspect', 'model', sentimentModel, '--json'])).stdout) as Record<string, unknown>;
    expect(report).to.include({ layers: 3, heads: 12, maxLength: 512, task: 'classify' });
  });

  it('inspects a plan at the lengths asked for', async () => {
    const args = ['inspect', 'plan', sentimentModel, '--attn', 'expand', '--keys', '1/4', '--lengths', '256,512'];
    const { code, stdout } = await atpc(args);
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/^ +0-2 +0-11 +expand +25 % +512 /m)
      .and.match(/peak memory/);
    const report = JSON.parse((await atpc([...args, '--json'])).stdout) as { totals: { tokens: number }[]; rows: unknown[] };
    expect(report.totals.map(({ tokens }) => tokens)).to.deep.equal([256, 512]);
    expect(report.rows).to.have.length(3);
  });
});
