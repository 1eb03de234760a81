import { expect } from 'chai';
import { benchmarksPage, generationSection, generationTitle, keptSectionsOf, withSection } from '../../bench/benchmarks-page.ts';
import { largestDifference, type Comparison, type PeerTime } from '../../bench/compare-peers.ts';
import { coreOfOneThread, threadsTable, timesTable } from '../../bench/compare-tables.ts';
import type { GenerationComparison } from '../../bench/compare-generation-peers.ts';
import { peersSection, readingTable } from '../../bench/generation-peers-page.ts';
import { prefillTable, type GenerationFigures } from '../../bench/generation-tables.ts';
import { averageTo, type CallTime, type GenerationTimes } from '../../bench/generation-times.ts';
import { peerNames } from '../../bench/peers.ts';

/** Medians of each peer with one thread, in their order; two threads take `factor` of it. */
function comparison(medians: readonly [number, number, number, number], factor: number, coresBusy = 1): Comparison {
  const times = [1, 2].flatMap((threads) =>
    peerNames.map((peer, index): PeerTime => {
      const median = (medians[index] ?? NaN) * (threads === 1 ? 1 : factor);
      const milliseconds = { median, min: median / 2, max: median * 2 };
      return { peer, threads, milliseconds, runs: 3, coresBusy: coresBusy * threads };
    }),
  );
  return {
    versions: { wasm: '0.1.0', native: '0.1.0', onnxWeb: '1.2.3', onnxNode: '4.5.6' },
    cases: [{ tokens: 128, batch: 16, largestDifference: 2e-6, times }],
  };
}

describe('the tables of npm run bench', () => {
  it('say how many times as long as the package of its kind a peer takes', () => {
    const [head, one, two] = timesTable(comparison([100, 40, 250, 50], 0.5));
    expect(head?.slice(-2)).to.deep.equal(['onnxruntime-web / atpc wasm', 'onnxruntime-node / atpc native']);
    expect(one?.slice(0, 3)).to.deep.equal(['128', '16', '1']);
    expect(one?.slice(-2)).to.deep.equal(['2.50x', '1.25x']);
    expect(two?.slice(0, 3)).to.deep.equal(['128', '16', '2']);
    expect(two?.[3]).to.match(/^50\.0 \(25\.0 to 100\.0\)$/);
  });

  it('say what threads give', () => {
    const [, row] = threadsTable(comparison([100, 40, 250, 50], 0.5)) ?? [];
    expect(row).to.deep.equal(['128', '16', '2 over 1', '2.00x', '2.00', '2.00x', '2.00', '2.00x', '2.00', '2.00x', '2.00']);
  });

  it('say that other programs ran beside the measured ones', () => {
    const machine = { processor: 'A processor', cores: 2, memoryGibibytes: 4, node: 'v24.0.0' };
    const page = (coresBusy: number): string =>
      benchmarksPage({ machine, comparison: comparison([1, 1, 1, 1], 1, coresBusy), kernels: null }, '');
    expect(coreOfOneThread(comparison([1, 1, 1, 1], 1, 0.5))).to.deep.equal([0.5, 0.5]);
    expect(page(0.5)).to.contain('measure again');
    expect(page(0.99)).not.to.contain('measure again');
    expect(page(0.99)).to.contain('onnxruntime-web 1.2.3').and.contain('differed by 2e-6 at most');
  });
});

describe('the section on generation', () => {
  const machine = { processor: 'A processor', cores: 2, memoryGibibytes: 4, node: 'v24.0.0' };
  const page = benchmarksPage({ machine, comparison: comparison([1, 1, 1, 1], 1), kernels: null }, '');
  /** Chunks of 128 tokens: the time a token grows by `growth` milliseconds a thousand tokens. */
  function timesOf(growth: number, wholeText: boolean): GenerationTimes {
    const places = Array.from({ length: 256 }, (_, i) => i * 128);
    const ends = [4096, 8192, 16_384, 32_768];
    const read = places.filter((past) => wholeText || past < 2048 || ends.includes(past + 128));
    const call = (past: number, tokens: number): CallTime => {
      const milliseconds = tokens * (1 + (growth * (past + tokens / 2)) / 1000);
      return { past, milliseconds, processorMilliseconds: 2 * milliseconds };
    };
    const decode = [512, 2048, 8192, 32_640].map((past) => call(past, 1));
    const bytes = { stateBytes: 2 ** 28, formulaBytes: 2 ** 29, peakBytes: 2 ** 29 };
    return { threads: 1, chunk: 128, wholeText, chunks: read.map((past) => call(past, 128)), decode, profiles: [], ...bytes };
  }
  const figures: GenerationFigures = { machine, tokens: 32_768, modes: { dense: timesOf(1, false), stream: timesOf(0, true) } };

  it('says how the time a token grows, whether all of a text was read or some of it', () => {
    // 1 + 1.024 over the first 2k, and 1 + 16.384 over all, both on average.
    for (const wholeText of [false, true]) {
      const times = timesOf(1, wholeText);
      expect(averageTo(times, 2048, 'milliseconds')).to.be.closeTo(2.024, 0.001);
      expect(averageTo(times, 32_768, 'milliseconds')).to.be.closeTo(17.384, 0.15);
      expect(averageTo(times, 32_768, 'processorMilliseconds')).to.be.closeTo(34.768, 0.3);
    }
    const [, dense, stream] = prefillTable(figures, 'milliseconds');
    expect(dense?.[4]).to.match(/^8\.[56]\dx$/);
    expect(stream?.slice(4, 6)).to.deep.equal(['1.00x', '1.25x']);
  });

  it('takes the place of the one before and leaves the others', () => {
    const once = withSection(page, generationTitle, generationSection(figures));
    expect(once).to.contain(page.trimEnd()).and.contain('A processor');
    const other = generationSection({ ...figures, machine: { ...machine, processor: 'Another' } });
    const followed = `${once}\n## More\n\nText.\n`;
    const twice = withSection(followed, generationTitle, other);
    expect(twice).to.contain('Another').and.contain('## More\n\nText.').and.contain(page.trimEnd());
    expect(twice.split('## Generation')).to.have.length(2);
    expect(benchmarksPage({ machine, comparison: null, kernels: null }, keptSectionsOf(twice))).to.contain('Another');
  });
});

describe('the times of peers that generate', () => {
  const spread = (median: number) => ({ median, min: median / 2, max: median * 2 });
  const comparison: GenerationComparison = {
    threads: 2,
    versions: { llama: 'v1', wasmDense: '0.1' },
    agreement: { prompts: 12, same: { llama: 11, wasmDense: 12 } },
    times: [
      { peer: 'llama', tokens: 2048, prefill: spread(3), decode: spread(8), turns: 3 },
      { peer: 'wasmDense', tokens: 2048, prefill: spread(2), decode: spread(10), turns: 3 },
      { peer: 'llama', tokens: 8192, prefill: spread(6), decode: spread(12), turns: 2 },
    ],
  };
  it('are a row a peer, with how many times as long llama.cpp takes', () => {
    const [head, dense, llama] = readingTable(comparison, 'prefill');
    expect(head).to.deep.equal(['', '2048 tokens', 'llama.cpp / it', '8192 tokens', 'llama.cpp / it']);
    expect(dense).to.deep.equal(['atpc wasm, dense', '2.00 (1.00 to 4.00)', '1.50x', '-', '']);
    expect(llama?.slice(2)).to.deep.equal(['1.00x', '6.00 (3.00 to 12.0)', '1.00x']);
  });
  it('say how often peers agreed', () => {
    const machine = { processor: 'A processor', cores: 2, memoryGibibytes: 8, node: 'v20.0.0' };
    expect(peersSection({ machine, comparison }, 'plot.svg')).to.contain('atpc wasm, dense 12, llama.cpp 11');
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
