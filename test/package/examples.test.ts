/** Every example runs, as its README says. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { compile, loadPackage } from '../../compiler/index.ts';
import type { Model } from '../../runtime/api.ts';
import { minilmFolder, requires, smollm2File } from '../requirements.ts';
import { TemporaryFolder } from './tiny-package.ts';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const sentiment = path.join(checkout, 'examples/sentiment');

/** Runs a TypeScript file as `npx tsx --conditions=atpc-source FILE ...` does; gives what it printed. */
async function runExample(file: string, ...args: readonly string[]): Promise<string> {
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const command = ['--import', 'tsx', '--conditions=atpc-source', path.join(checkout, 'examples', file), ...args];
  return (await promisify(execFile)(process.execPath, command, { cwd: checkout, env })).stdout;
}

describe('examples', function () {
  this.timeout(240_000);
  let folder: TemporaryFolder;
  before(async () => {
    folder = await TemporaryFolder.create();
  });
  after(async () => folder.remove());

  it('sentiment.ts is the model of the folder, in 70 lines at most', async () => {
    const file = path.join(sentiment, 'sentiment.ts');
    expect(readFileSync(file, 'utf8').trimEnd().split('\n').length).to.be.at.most(70);
    const weights = path.join(sentiment, 'model');
    await compile({ model: file, weights, out: folder.file('dsl'), attention: 'dense' });
    await compile({ model: weights, out: folder.file('folder'), attention: 'dense' });
    const models: Model[] = [];
    for (const name of ['dsl', 'folder']) models.push(await (await loadPackage(folder.file(name))).load());
    const [own, imported] = models as [Model, Model];
    try {
      for (const text of ['A warm and funny film.', `The plot ${'drags on '.repeat(60)}and the ending is worse.`]) {
        const { ids } = own.tokenize(text);
        const [found, expected] = [await own.run({ input_ids: [ids] }), await imported.run({ input_ids: [ids] })];
        expect(found['logits']?.shape).to.deep.equal([1, 2]);
        expect(found['logits']?.data).to.deep.equal(expected['logits']?.data);
        expect(await own.classify(text)).to.deep.equal(await imported.classify(text));
      }
    } finally {
      for (const model of models) await model.dispose();
    }
  });

  it('compare.ts prints what principal keys keep and cost on the reviews', async () => {
    const text = await runExample('sentiment/compare.ts', '--rounds', '1', '--out', folder.file('compare'), '--json');
    const { reviews, rows, verdict } = JSON.parse(text) as {
      readonly reviews: number;
      readonly rows: readonly Readonly<Record<string, number | string>>[];
      readonly verdict: string;
    };
    expect(reviews).to.be.at.least(40);
    expect(rows.map(({ name, keys }) => [name, keys])).to.deep.equal([
      ['dense', '1'],
      ['expand 1/2', '1/2'],
      ['expand 1/4', '1/4'],
    ]);
    const measured = rows.map((row) => Number(row['measuredKeys']));
    expect(measured[0]).to.equal(1);
    // Clusters differ in size: atp-modes gives 0.53 and 0.29 on reviews of IMDB.
    expect(measured[1]).to.be.within(0.4, 0.65);
    expect(measured[2]).to.be.within(0.2, 0.35);
    for (const row of rows) {
      // 99 % and 97 % of decisions on IMDB: of 48, one may differ.
      expect(row['agreement']).to.be.at.least(47 / 48);
      expect(row['accuracy']).to.be.at.least(0.95);
      expect(row['milliseconds']).to.be.greaterThan(0);
      expect(row['peakBytes']).to.be.within(11e6, 60e6);
    }
    expect(rows.map((row) => row['largestChange'] === 0)).to.deep.equal([true, false, false]);
    expect(verdict).to.match(/^At these lengths \(\d+ tokens on average, \d+ at most\)/);
  });

  it('search.ts finds texts by their meaning', async function () {
    requires(this, 'minilm', existsSync(minilmFolder));
    const search = async (...query: readonly string[]): Promise<readonly { readonly score: number; readonly text: string }[]> => {
      const text = await runExample('embed/search.ts', ...query, '--package', folder.file('minilm'), '--json');
      return (JSON.parse(text) as { found: { score: number; text: string }[] }).found;
    };
    const [first, second] = await search();
    expect(first?.text).to.contain('power button');
    expect(first?.score).to.be.greaterThan((second?.score ?? 1) + 0.1);
    // The second call finds the package that the first one compiled.
    expect((await search('getting', 'my', 'money', 'back'))[0]?.text).to.contain('refund');
  });

  it('chat.ts asks a model the same with a dense cache and with one of principal keys', async function () {
    requires(this, 'smollm2', existsSync(smollm2File));
    const printed = JSON.parse(await runExample('chat/chat.ts', '--packages', folder.file('chat'), '--json')) as {
      readonly rows: readonly {
        readonly name: string;
        readonly answers: readonly { readonly answer: string; readonly promptTokens: number; readonly writingRate: number }[];
      }[];
      readonly sizes: readonly { readonly tokens: number; readonly dense: number; readonly hybrid: number }[];
    };
    expect(printed.rows.map(({ name }) => name)).to.deep.equal(['dense', 'hybrid']);
    for (const { answers } of printed.rows) {
      expect(answers.map(({ answer }) => answer)).to.deep.equal([
        'The capital of France is Paris.',
        'The pass key of the gate is 71432.',
      ]);
      // The pass key lies beyond a window of 256 tokens and its blocks of 128.
      expect(answers[1]?.promptTokens).to.be.within(600, 1000);
      for (const { writingRate } of answers) expect(writingRate).to.be.greaterThan(0);
    }
    expect(printed.sizes.map(({ tokens }) => tokens)).to.deep.equal([2048, 8192, 32768]);
    // 30 layers of 3 heads with keys and values of 64 numbers.
    for (const { tokens, dense } of printed.sizes) expect(dense).to.equal(4 * 2 * 30 * 3 * 64 * tokens);
    expect((printed.sizes[2]?.hybrid ?? Infinity) / (printed.sizes[2]?.dense ?? 0)).to.be.below(0.25);
  });
});
