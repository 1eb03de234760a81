/** The gates of `npm run results`: what passes and what does not. */
import { expect } from 'chai';
import type { AccuracyRow } from '../../scripts/results/accuracy.ts';
import { resultsPage } from '../../scripts/results/page.ts';
import { checksOf, type Results } from '../../scripts/results/tables.ts';
import type { RetrievalRow } from '../../scripts/results/retrieval.ts';
import {
  accuracyChecks,
  divergenceChecks,
  formatCheck,
  passes,
  passkeyChecks,
  similarityChecks,
} from '../../scripts/results/targets.ts';

const row = (mode: 'dense' | 'expand' | 'svd', keys: string | null, accuracy: number, agreement: number): AccuracyRow => ({
  setting: { mode, keys },
  tuned: mode === 'svd',
  accuracy,
  standardError: 0.011,
  agreement,
  keys: null,
  milliseconds: 10,
});
const machine = { processor: 'test', cores: 2, memoryGibibytes: 4, node: 'v20.0.0' };
const resultsOf = (reviews: number, rows: readonly AccuracyRow[]): Results => ({
  accuracy: { machine, figures: { reviews, tokens: 256, sample: 8, rows } },
});

describe('targets of the results', () => {
  it('hold at their bounds, and not beyond', () => {
    expect(accuracyChecks(row('dense', null, 0.866, 1), 0.866).every(passes)).to.equal(true);
    expect(accuracyChecks(row('dense', null, 0.863, 1), 0.863).some(passes)).to.equal(false);
    // 0.866 - 0.858 is above 0.008 in floating point.
    expect(accuracyChecks(row('expand', '1/2', 0.858, 0.99), 0.866).every(passes)).to.equal(true);
    expect(accuracyChecks(row('expand', '1/2', 0.857, 0.989), 0.866).some(passes)).to.equal(false);
    expect(accuracyChecks(row('expand', '1/4', 0.852, 0.97), 0.866).every(passes)).to.equal(true);
    expect(accuracyChecks(row('svd', '1/4', 0.78, 0.8), 0.866).some(passes)).to.equal(false);
  });
  it('of embeddings are for 512 tokens', () => {
    const setting = { mode: 'expand', keys: '1/4' } as const;
    expect(similarityChecks(setting, 512, 0.9899).map(passes)).to.deep.equal([false]);
    expect(similarityChecks(setting, 512, 0.99).map(passes)).to.deep.equal([true]);
    expect(similarityChecks(setting, 256, 0.5)).to.deep.equal([]);
  });
  it('are judged on the first 1,000 reviews only', () => {
    const rows = [row('dense', null, 0.9, 1), row('expand', '1/4', 0.5, 0.5)];
    expect(checksOf(resultsOf(50, rows))).to.deep.equal([]);
    expect(checksOf(resultsOf(1000, rows)).map(passes)).to.deep.equal([false, false, false]);
  });
  it('of causal modes are what was recorded, give or take 15 % or 0.001', () => {
    const verdicts = (plan: 'stream r = 256' | 'expand', found: readonly number[]): readonly boolean[] =>
      found.flatMap((divergence) => divergenceChecks(plan, 'w1', divergence).map(passes));
    expect(verdicts('stream r = 256', [0.0203, 0.0204, 0.0276, 0.0277])).to.deep.equal([false, true, true, false]);
    expect(verdicts('expand', [0.0002, 0.0003, 0.0023, 0.0024])).to.deep.equal([false, true, true, false]);
    expect(verdicts('expand', [Number.NaN])).to.deep.equal([false]);
    expect(divergenceChecks('dense', 'w1', 1)).to.deep.equal([]);
  });
  it('of pass keys ask for those that dense finds, text by text', () => {
    const found = (plan: RetrievalRow['plan'], answers: readonly boolean[]): RetrievalRow => {
      return { plan, passkeys: { 1500: answers }, keyValue: { right: 0, asked: 0 }, keyValueLoss: 0, copyLoss: 0 };
    };
    const dense = found('dense', [true, false, true]);
    const verdicts = (row: RetrievalRow): readonly boolean[] => passkeyChecks(row, dense).map(passes);
    expect(verdicts(found('expand', [true, false, true]))).to.deep.equal([true]);
    // Two of three, but not the two that dense finds.
    expect(verdicts(found('expand', [true, true, false]))).to.deep.equal([false]);
    expect(verdicts(found('stream r = 128', [false, false, false]))).to.deep.equal([]);
  });
  it('are written in words', () => {
    const [check] = accuracyChecks(row('expand', '1/4', 0.84, 0.98), 0.866);
    expect(check && formatCheck(check)).to.deep.equal({ found: '2.6 points', target: 'at most 1.5 points', verdict: 'FAIL' });
  });
  it('stand on the page with the machine, and parts that were not measured do not', () => {
    const page = resultsPage(resultsOf(1000, [row('dense', null, 0.866, 1), row('expand', '1/2', 0.8, 0.9)]));
    expect(page).to.match(/\| expand 1\/2 \| 80\.0 % .* FAIL, FAIL \|/);
    expect(page).to.include('test, 2 cores, 4 GiB, Node v20.0.0').and.to.not.include('MiniLM (6 layers');
  });
});
