/** `atpc inspect` and `atpc explain` of models that generate. */
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ModelReport, PlanReport } from '../../compiler/compile-options.ts';
import type { ExplainReport } from '../../compiler/explain/report.ts';
import { requires, smollm2File } from '../requirements.ts';
import { atpc, inScratch } from './command-line.ts';

describe('plans of models that generate', function () {
  before(function () {
    requires(this, 'smollm2', existsSync(smollm2File));
  });
  const json = async <T>(...args: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await atpc([...args, '--json']);
    expect(code, stderr + stdout).to.equal(0);
    return JSON.parse(stdout) as T;
  };

  it('show dense against the plan at 2k, 8k and 32k tokens', async () => {
    const { totals, sessionTokens } = await json<PlanReport>('inspect', 'plan', smollm2File, '--attn', 'stream');
    expect(sessionTokens).to.equal(8192);
    expect(totals.map(({ tokens }) => tokens)).to.deep.equal([2048, 8192, 32768]);
    // 2 products x 2 FLOPs x 64 numbers of 270 query heads, over n (n + 1) / 2 pairs.
    for (const { tokens, denseFlops } of totals) expect(denseFlops).to.equal(2 * 2 * 64 * 270 * ((tokens * (tokens + 1)) / 2));
    // Keys and values in f32, 90 KV heads of 64 numbers.
    for (const { tokens, denseStateBytes } of totals) expect(denseStateBytes).to.equal(2 * 4 * 64 * 90 * tokens);
    expect(new Set(totals.map(({ planStateBytes }) => planStateBytes)).size, 'a stream does not grow').to.equal(1);
    const [, , longest] = totals;
    expect((longest?.planFlops ?? 0) / (longest?.denseFlops ?? 1)).to.be.below(0.1);
  });
  it('say how long a session is, in words', async () => {
    const { stdout } = await atpc(['inspect', 'plan', smollm2File, '--attn', 'stream']);
    expect(stdout)
      .to.match(/^ +0-29 +0-2 +stream +2048 /m)
      .and.include('A session holds 8192 tokens');
    const longer = await atpc([
      'inspect',
      'plan',
      smollm2File,
      '--attn',
      'stream',
      '--max-seq',
      '32768',
      '--beyond-trained-context',
    ]);
    expect(longer.stdout)
      .to.match(/^ +0-29 +0-2 +stream +32768 /m)
      .and.not.include('A session holds');
    const beyond = await atpc(['inspect', 'plan', smollm2File, '--max-seq', '32768']);
    expect(beyond.stderr).to.include('--beyond-trained-context');
  });
  it('come from a plan file', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'plan.yaml');
      await writeFile(
        file,
        'version: 1\ndefault: { mode: stream }\nlayers:\n  - layer: 3\n    heads: [{ kvHeads: [1], mode: expand }]\n',
      );
      const { rows } = await json<PlanReport>('inspect', 'plan', smollm2File, '--plan', file);
      expect(rows.filter(({ layer }) => layer === 3).map(({ mode, heads }) => [mode, heads])).to.deep.equal([
        ['expand', [1]],
        ['stream', [0, 2]],
      ]);
    });
  });
  it('take the modes of the model, and say which those are', async () => {
    const wrong = await atpc(['inspect', 'plan', smollm2File, '--attn', 'topr']);
    expect(wrong.code).to.equal(2);
    expect(wrong.stderr).to.include('ATPC-302').and.include('stream');
    const encoder = await atpc(['inspect', 'plan', 'examples/sentiment/model', '--attn', 'stream']);
    expect(encoder.code).to.equal(2);
    expect(encoder.stderr).to.include('ATPC-302');
    const near = await atpc(['inspect', 'plan', smollm2File, '--attn', 'steam']);
    expect(near.stderr).to.include("Did you mean 'stream'");
    const hybrid = await atpc(['inspect', 'plan', smollm2File, '--attn', 'hybrid']);
    expect(hybrid.stderr).to.include('ATPC-301').and.include('atpc calibrate');
  });
  it('have a report of the model, and an explanation of its kernels', async () => {
    const model = await json<ModelReport>('inspect', 'model', smollm2File);
    expect(model).to.include({ family: 'llama', task: 'generate', maxLength: 8192, layers: 30 });
    const { steps, dims } = await json<ExplainReport>('explain', smollm2File, '--attn', 'stream', '--tokens', '128');
    expect(dims).to.deep.equal({ seq: 128, past: 0 });
    // The window is 256 tokens in blocks of 128: nothing leaves it while the first 128 are read.
    const evictions = steps.filter(({ kernel }) => kernel.startsWith('evict'));
    expect(evictions).to.have.length(30);
    expect(evictions.filter(({ runs }) => runs)).to.have.length(0);
  });
});
