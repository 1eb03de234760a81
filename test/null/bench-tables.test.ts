import { expect } from 'chai';
import { benchmarksPage } from '../../bench/benchmarks-page.ts';
import { largestDifference, type Comparison, type PeerTime } from '../../bench/compare-peers.ts';
import { coreOfOneThread, threadsTable, timesTable } from '../../bench/compare-tables.ts';
import { peerNames } from '../../bench/peers.ts';

/** Medians of atpc, web and native with one thread; two threads take `factor` of it. */
function comparison(medians: readonly [number, number, number], factor: number, coresBusy = 1): Comparison {
  const times = [1, 2].flatMap((threads) =>
    peerNames.map((peer, index): PeerTime => {
      const median = (medians[index] ?? NaN) * (threads === 1 ? 1 : factor);
      const milliseconds = { median, min: median / 2, max: median * 2 };
      return { peer, threads, milliseconds, runs: 3, coresBusy: coresBusy * threads };
    }),
  );
  return {
    versions: { atpc: '0.1.0', web: '1.2.3', native: '4.5.6' },
    cases: [{ tokens: 128, batch: 16, largestDifference: 2e-6, times }],
  };
}

describe('the tables of npm run bench', () => {
  it('say how many times as long as atpc a peer takes', () => {
    const [head, one, two] = timesTable(comparison([100, 250, 50], 0.5));
    expect(head?.slice(-2)).to.deep.equal(['onnxruntime-web / atpc', 'onnxruntime-node / atpc']);
    expect(one?.slice(0, 3)).to.deep.equal(['128', '16', '1']);
    expect(one?.slice(-2)).to.deep.equal(['2.50x', '0.50x']);
    expect(two?.slice(0, 3)).to.deep.equal(['128', '16', '2']);
    expect(two?.[3]).to.match(/^50\.0 \(25\.0 to 100\.0\)$/);
  });

  it('say what threads give', () => {
    const [, row] = threadsTable(comparison([100, 250, 50], 0.5)) ?? [];
    expect(row).to.deep.equal(['128', '16', '2 over 1', '2.00x', '2.00', '2.00x', '2.00', '2.00x', '2.00']);
  });

  it('say that other programs ran beside the measured ones', () => {
    const machine = { processor: 'A processor', cores: 2, memoryGibibytes: 4, node: 'v24.0.0' };
    const page = (coresBusy: number): string =>
      benchmarksPage({ machine, comparison: comparison([1, 1, 1], 1, coresBusy), kernels: null });
    expect(coreOfOneThread(comparison([1, 1, 1], 1, 0.5))).to.deep.equal([0.5, 0.5]);
    expect(page(0.5)).to.contain('measure again');
    expect(page(0.99)).not.to.contain('measure again');
    expect(page(0.99)).to.contain('onnxruntime-web 1.2.3').and.contain('differed by 2e-6 at most');
  });
});

describe('the difference of two outputs', () => {
  const floats = (...values: number[]): Float32Array => Float32Array.from(values);
  it('is the largest of all places', () => {
    expect(largestDifference(floats(1, 2, 3), floats(1, 1.5, 3.25))).to.equal(0.5);
    expect(largestDifference(floats(1, 2), floats(1, 2))).to.equal(0);
  });
  it('is infinite where there is nothing to compare', () => {
    expect(largestDifference(floats(1, NaN), floats(1, 2))).to.equal(Infinity);
    expect(largestDifference(floats(NaN, 2), floats(1, 2))).to.equal(Infinity);
    expect(largestDifference(floats(1), floats(1, 2))).to.equal(Infinity);
  });
});
