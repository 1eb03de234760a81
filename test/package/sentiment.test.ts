import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { compile, loadPackage } from '../../compiler/index.ts';
import type { Model } from '../../runtime/api.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import { sharedFile } from '../shared-data.ts';
import { TemporaryFolder } from './tiny-package.ts';
import { ownGzippedBytes } from './package-size.ts';

interface Golden {
  readonly items: readonly { readonly text: string; readonly ids: readonly number[]; readonly logits_dense: readonly number[] }[];
}

describe('sentiment-mini as a package', () => {
  let folder: TemporaryFolder;
  let manifest: Manifest;
  /** With one and with two threads. */
  let models: readonly Model[] = [];
  let golden: Golden;
  before(async function () {
    golden = JSON.parse(readFileSync(sharedFile(this, 'golden', 'golden_sentiment.json'), 'utf8')) as Golden;
    const checkpoint = path.dirname(sharedFile(this, 'models', 'sentiment-mini', 'config.json'));
    folder = await TemporaryFolder.create();
    ({ manifest } = await compile({ model: checkpoint, out: folder.file('package'), attention: 'dense' }));
    const { load } = await loadPackage(folder.file('package'));
    models = [await load({ threads: 1 }), await load({ threads: 2 })];
  });
  after(async () => {
    for (const model of models) await model.dispose();
    await (folder as TemporaryFolder | undefined)?.remove();
  });

  it('gives the logits of the reference to 1e-4', async () => {
    for (const { text, ids, logits_dense: expected } of golden.items) {
      const all: (readonly number[])[] = [];
      for (const model of models) {
        expect(model.tokenize(text).ids, text).to.deep.equal(ids);
        const { logits } = await model.run({ input_ids: [ids] });
        for (const [at, value] of expected.entries()) expect(logits?.data[at], text).to.be.closeTo(value, 1e-4);
        all.push([...(logits?.data ?? [])]);
      }
      expect(all[1], 'the same numbers with two threads').to.deep.equal(all[0]);
    }
  });

  it('classifies a batch as it does its texts one by one: padding never leaks', async () => {
    const texts = golden.items.map((item) => item.text);
    for (const model of models) {
      const batch = await model.classify(texts);
      for (const [index, { logits_dense: expected }] of golden.items.entries()) {
        const [negative = NaN, positive = NaN] = expected;
        expect(batch[index]?.scores['POSITIVE']).to.be.closeTo(1 / (1 + Math.exp(negative - positive)), 1e-4);
        expect(batch[index]?.label).to.equal(positive > negative ? 'POSITIVE' : 'NEGATIVE');
      }
    }
  });

  it('takes the memory that its manifest says, within 5 %', async () => {
    const { memory } = manifest.targets[0] as ManifestTarget;
    // Without the self-test, whose inputs are longer than the first call here.
    for (const threads of [1, 2]) {
      await using fresh = await (await loadPackage(folder.file('package'))).load({ selfTest: false, threads });
      for (const [batch, seq] of [
        [2, 64],
        [4, 256],
        [8, 512],
      ] as const) {
        await fresh.run({ input_ids: { data: new Int32Array(batch * seq).fill(100), shape: [batch, seq] } });
        const one = evaluateExpression(memory.total, { batch, seq });
        const further = (threads - 1) * evaluateExpression(memory.scratch, { batch, seq });
        expect(fresh.memoryBytes / (one + further)).to.be.within(0.95, 1.05);
      }
    }
  });

  it('refuses ids outside of its vocabulary', async () => {
    const [model] = models;
    await model?.run({ input_ids: [[6499]] });
    const error: unknown = await model?.run({ input_ids: [[6500]] }).catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'ATPC-604');
  });

  it('is under 120 KB without weights and tokenizer', () => {
    const bytes = ownGzippedBytes(folder.file('package'), manifest);
    expect(bytes).to.be.below(120_000);
  });
});
