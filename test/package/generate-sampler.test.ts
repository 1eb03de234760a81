import { expect } from 'chai';
import fc from 'fast-check';
import { Random } from '../../runtime/generate/random.ts';
import { probabilities, Sampler, type Sampling } from '../../runtime/generate/sampler.ts';

const plain: Sampling = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };
const logitsOf = (values: readonly number[]): Float32Array => Float32Array.from(values);

/** xoshiro128** by its definition, over unbounded integers. */
function* xoshiro(words: readonly bigint[]): Generator<number, never, void> {
  const wrap = (value: bigint): bigint => BigInt.asUintN(32, value);
  const rotate = (value: bigint, by: bigint): bigint => wrap((value << by) | (value >> (32n - by)));
  let [a, b, c, d] = words as [bigint, bigint, bigint, bigint];
  for (;;) {
    yield Number(wrap(rotate(wrap(b * 5n), 7n) * 9n));
    const shifted = wrap(b << 9n);
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11n);
  }
}
/** Probabilities by the definitions: penalty aside, temperature, topK, topP, minP, each over what the last left. */
function expectedProbabilities(logits: Float32Array, { temperature, topK, topP, minP }: Sampling): number[] {
  const order = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  const top = logits[order[0] ?? 0] ?? 0;
  const weight = (id: number): number => Math.exp(((logits[id] ?? 0) - top) / temperature);
  let kept = topK === 0 ? order : order.slice(0, topK);
  const total = kept.reduce((sum, id) => sum + weight(id), 0);
  let mass = 0;
  kept = kept.filter((id) => {
    const wanted = topP === 1 || mass < topP * total;
    mass += weight(id);
    return wanted;
  });
  kept = kept.filter((id) => weight(id) >= minP);
  const rest = kept.reduce((sum, id) => sum + weight(id), 0);
  return [...logits.keys()].map((id) => (kept.includes(id) ? weight(id) / rest : 0));
}

describe('the random numbers of sampling', () => {
  it('are those of xoshiro128** seeded by SplitMix64', () => {
    // The first two of SplitMix64 from 0, in Java's SplittableRandom and everywhere: e220a8397b1dcdaf, 6e789e6aa1b965f4.
    const random = new Random(0);
    const reference = xoshiro([0x7b1dcdafn, 0xe220a839n, 0xa1b965f4n, 0x6e789e6an]);
    for (let draw = 0; draw < 1000; draw++) expect(random.integer()).to.equal(reference.next().value);
  });
  it('are fractions below 1, evenly', () => {
    const random = new Random(2 ** 53 - 1);
    const bins = new Array<number>(16).fill(0);
    for (let draw = 0; draw < 64_000; draw++) {
      const fraction = random.fraction();
      expect(fraction).to.be.within(0, 1 - Number.EPSILON / 2);
      bins[Math.floor(fraction * 16)] = (bins[Math.floor(fraction * 16)] ?? 0) + 1;
    }
    // 4000 expected, standard deviation 61.
    for (const count of bins) expect(count).to.be.within(3700, 4300);
  });
});

describe('sampling', () => {
  it('takes the likeliest token at temperature 0, the first of equals', () => {
    expect(new Sampler({ ...plain, temperature: 0 }).take(logitsOf([1, 3, 3, -Infinity]), [])).to.equal(1);
  });

  const sampling = fc.record({
    temperature: fc.constantFrom(0.2, 1, 3),
    topK: fc.constantFrom(0, 1, 3, 50),
    topP: fc.constantFrom(1, 0.95, 0.5, 0.01),
    minP: fc.constantFrom(0, 0.02, 0.5, 1),
  });
  const logits = fc
    .array(
      fc.oneof(
        fc.integer({ min: -400, max: 400 }).map((value) => value / 16),
        fc.constant(-Infinity),
      ),
      { minLength: 1, maxLength: 40 },
    )
    .filter((values) => values.some(Number.isFinite));
  it('takes tokens that the cuts leave, and no others', () => {
    fc.assert(
      fc.property(logits, sampling, fc.nat(), (values, cuts, seed) => {
        const settings = { ...plain, ...cuts, seed };
        const expected = expectedProbabilities(logitsOf(values), settings);
        const sampler = new Sampler(settings);
        for (let draw = 0; draw < 20; draw++) expect(expected[sampler.take(logitsOf(values), [])]).to.be.above(0);
      }),
      { numRuns: 400 },
    );
  });
  for (const cuts of [{}, { topK: 5 }, { topP: 0.8 }, { minP: 0.2 }, { topK: 12, topP: 0.9, minP: 0.05, temperature: 1.7 }]) {
    it(`takes them as often as they are likely: ${JSON.stringify(cuts)}`, () => {
      const values = logitsOf(Array.from({ length: 30 }, (_, id) => ((id * 7) % 30) / 6));
      const settings = { ...plain, ...cuts, seed: 7 };
      const sampler = new Sampler(settings);
      const counts = new Array<number>(30).fill(0);
      const draws = 20_000;
      for (let draw = 0; draw < draws; draw++) {
        const id = sampler.take(values, []);
        counts[id] = (counts[id] ?? 0) + 1;
      }
      for (const [id, probability] of expectedProbabilities(values, settings).entries()) {
        const deviation = Math.sqrt(draws * probability * (1 - probability));
        expect(Math.abs((counts[id] ?? 0) - draws * probability)).to.be.at.most(5 * deviation);
      }
    });
  }
  it('finds the same tokens in a large vocabulary, whatever it had to sort', () => {
    const random = new Random(3);
    const values = logitsOf(
      Array.from({ length: 50_000 }, () => 12 * (random.fraction() + random.fraction() + random.fraction()) - 18),
    );
    for (const cuts of [{ topP: 0.9999 }, { topK: 20_000 }, { topK: 40 }, { minP: 1e-6 }, { temperature: 0.01, topP: 0.5 }]) {
      const settings = { ...plain, ...cuts };
      const expected = expectedProbabilitiesOfMany(values, settings);
      const sampler = new Sampler(settings);
      for (let draw = 0; draw < 50; draw++) expect(expected(sampler.take(values, []))).to.equal(true);
    }
  });
  /** Whether a token is left, for vocabularies that are too large for the definitions above. */
  function expectedProbabilitiesOfMany(
    values: Float32Array,
    { temperature, topK, topP, minP }: Sampling,
  ): (id: number) => boolean {
    const sorted = values.slice().sort().reverse();
    const weights = [...sorted].map((logit) => Math.exp((logit - (sorted[0] ?? 0)) / temperature));
    const kept = weights.slice(0, topK || weights.length);
    const total = kept.reduce((sum, weight) => sum + weight, 0);
    let [mass, end] = [0, 0];
    while (end < kept.length && (topP === 1 || mass < topP * total)) mass += kept[end++] ?? 0;
    while ((kept[end - 1] ?? 1) < minP) end -= 1;
    return (id) => (values[id] ?? 0) >= (sorted[end - 1] ?? 0);
  }

  it('makes what was seen less likely, whatever its sign', () => {
    const values = logitsOf([2, -2, 1, 0]);
    new Sampler({ ...plain, repetitionPenalty: 2 }).take(values, [0, 1]);
    expect([...values]).to.deep.equal([1, -4, 1, 0]);
    expect(new Sampler({ ...plain, temperature: 0, repetitionPenalty: 3 }).take(logitsOf([2, 1]), new Set([0]))).to.equal(1);
  });
  it('refuses numbers that are not finite', () => {
    for (const values of [
      [1, NaN],
      [Infinity, 1],
      [-Infinity, -Infinity],
    ])
      expect(() => new Sampler(plain).take(logitsOf(values), [])).to.throw(/ATPC-504/);
  });
  it('gives log probabilities of the likeliest tokens and of any', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -99, max: 99 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 9 }),
        (values, count) => {
          const { top, of } = probabilities(logitsOf(values), count);
          const total = values.reduce((sum, value) => sum + Math.exp(value - 99), 0);
          const expected = values.map((value) => value - 99 - Math.log(total));
          for (const [id, logprob] of expected.entries()) expect(of(id)).to.be.closeTo(logprob, 1e-4);
          const order = [...values.keys()].sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
          expect(top.map(({ id }) => id)).to.deep.equal(order.slice(0, count));
        },
      ),
    );
  });
});
