/** Losses, their intervals, and the plans that a search looks at: numbers from tables and from brute force. */
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { readDocuments } from '../../compiler/quality/documents.ts';
import { frontierOf, type Choice, type PlanSpace } from '../../compiler/quality/frontier.ts';
import { leastDocumentsForShare, meanInterval, shareInterval } from '../../compiler/quality/interval.ts';
import { lossOf, losses, measuredLoss } from '../../compiler/quality/loss.ts';
import { repeatedDocument } from '../../compiler/quality/repeats.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { inScratch } from '../cli/command-line.ts';
import { randomNumbers } from '../ref/tensors.ts';

describe('95 % intervals', () => {
  it("of means are Student's", () => {
    // Quantiles of t at 0.975: 12.706 with 1 degree of freedom, 2.776 with 4, 2.045 with 29.
    for (const [values, quantile] of [
      [[1, 2], 12.706],
      [[1, 2, 3, 4, 5], 2.776],
      [Array.from({ length: 30 }, (_, i) => i % 7), 2.045],
    ] as const) {
      const { mean, low, high } = meanInterval(values);
      const squares = values.reduce((sum: number, value) => sum + (value - mean) ** 2, 0);
      const error = Math.sqrt(squares / (values.length - 1) / values.length);
      expect((high - mean) / error).to.be.closeTo(quantile, 1e-3);
      expect(mean - low).to.be.closeTo(high - mean, 1e-12);
    }
    expect(meanInterval([3]).high).to.equal(Infinity);
  });
  it("of shares are Clopper and Pearson's, by sums of the binomial distribution", () => {
    const atMost = (hits: number, count: number, share: number): number => {
      let [term, sum] = [(1 - share) ** count, 0];
      for (let k = 0; k <= hits; k += 1) {
        sum += term;
        term *= ((count - k) / (k + 1)) * (share / (1 - share));
      }
      return sum;
    };
    for (const [hits, count] of [
      [1, 20],
      [7, 768],
      [40, 90],
    ] as const) {
      const { low, high } = shareInterval(hits, count);
      expect(atMost(hits, count, high), 'upper').to.be.closeTo(0.025, 1e-9);
      expect(1 - atMost(hits - 1, count, low), 'lower').to.be.closeTo(0.025, 1e-9);
    }
    expect(shareInterval(0, 50)).to.include({ low: 0, mean: 0 });
    expect(shareInterval(50, 50)).to.include({ high: 1, mean: 1 });
  });
  it('of texts that all agree end below a bound from a number of texts on', () => {
    for (const bound of [0.01, 0.02, 0.2]) {
      const least = leastDocumentsForShare(bound);
      expect(shareInterval(0, least).high).to.be.at.most(bound);
      expect(shareInterval(0, least - 1).high).to.be.above(bound);
    }
  });
});

describe('losses', () => {
  const random = randomNumbers(5);
  const row = (scale: number, length = 3000): Float32Array => Float32Array.from({ length }, () => scale * (random() - 0.5));

  it('of next tokens are KL divergences, though log-probabilities are kept in 16 bits', () => {
    for (const scale of [1, 20, 80]) {
      const dense = row(scale);
      for (const noise of [0, 0.05, 1]) {
        const plan = dense.map((value) => value + noise * (random() - 0.5));
        const logits = (of: Float32Array): readonly number[] => {
          const largest = Math.max(...of);
          const normalizer = largest + Math.log(of.reduce((sum, value) => sum + Math.exp(value - largest), 0));
          return Array.from(of, (value) => value - normalizer);
        };
        const [p, q] = [logits(dense), logits(plan)];
        const exact = p.reduce((sum, value, id) => sum + Math.exp(value) * (value - (q[id] as number)), 0);
        expect(losses.generate.against(dense)(plan), `scale ${scale}, noise ${noise}`).to.be.closeTo(
          exact,
          1e-6 + 2 ** -12 * exact,
        );
      }
    }
  });
  it('of embeddings are 1 - cosine, of classes changed labels', () => {
    const embedding = Float32Array.of(1, 0, 0);
    const distance = losses.embed.against(embedding);
    embedding.fill(7);
    expect(distance(Float32Array.of(2, 0, 0))).to.equal(0);
    expect(distance(Float32Array.of(1, 1, 0))).to.be.closeTo(1 - Math.SQRT1_2, 1e-7);
    const label = losses.classify.against(Float32Array.of(0.1, 2, -1));
    expect([label(Float32Array.of(0, 0.5, 0.4)), label(Float32Array.of(0.6, 0.5, 0.4))]).to.deep.equal([0, 1]);
    const only = losses.classify.against(Float32Array.of(0.1));
    expect([only(Float32Array.of(3)), only(Float32Array.of(-0.1))]).to.deep.equal([0, 1]);
  });
  it('have a mean, an interval and a unit; models of tensors have none', () => {
    const loss = measuredLoss(lossOf({ kind: 'classify', output: 'logits', labels: ['a', 'b'] }), [0, 0, 1, 0]);
    expect(loss).to.include({ name: 'disagreement', unit: 'share of labels', mean: 0.25 });
    expect(loss.interval).to.deep.equal({ low: shareInterval(1, 4).low, high: shareInterval(1, 4).high, confidence: 0.95 });
    expect(measuredLoss(losses.embed, [0, 0.001]).interval.low, 'no loss is below 0').to.equal(0);
    expect(() => lossOf({ kind: 'tensors' })).to.throw(AtpcError, 'ATPC-311');
  });
});

describe('plans on the frontier', () => {
  const random = randomNumbers(11);
  const choice = (seconds: number, scale: number): Choice => ({
    seconds: [seconds, 2 * seconds],
    errors: [Array.from({ length: 3 }, () => scale * random()), Array.from({ length: 2 }, () => scale * random())],
  });
  const dense: Choice = {
    seconds: [1, 2],
    errors: [
      [0, 0, 0],
      [0, 0],
    ],
  };
  const space = (changes: Partial<PlanSpace> = {}): PlanSpace => ({
    choices: [dense, choice(0.7, 0.1), choice(0.4, 1), choice(0.95, 1e-6)],
    choicesPerLayer: 3,
    leastGain: 0.9,
    ...changes,
  });

  it('run from the cheapest to more exact ones, and no plan is better in both', () => {
    const one = space();
    const plans = frontierOf(one);
    expect(plans.length).to.be.above(3);
    plans.slice(1).forEach((plan, index) => {
      expect(plan.seconds).to.be.at.least(plans[index]?.seconds as number);
      expect(plan.predicted).to.be.below(plans[index]?.predicted as number);
    });
    expect(
      plans[0]?.assignment.flat().every((index) => index === 2),
      'the cheapest',
    ).to.equal(true);
    // Every assignment of choices that pay: none costs less and errs less.
    const all: { seconds: number; predicted: number }[] = [];
    for (let code = 0; code < 3 ** 5; code += 1) {
      const heads = Array.from({ length: 5 }, (_, head) => Math.floor(code / 3 ** head) % 3);
      const layerOf = (head: number): number => (head < 3 ? 0 : 1);
      const of = (pick: (choice: Choice, layer: number, head: number) => number): number =>
        heads.reduce((sum, index, head) => {
          const layer = layerOf(head);
          return sum + pick(one.choices[index] as Choice, layer, layer === 0 ? head : head - 3);
        }, 0);
      all.push({
        seconds: of(({ seconds }, layer) => seconds[layer] as number),
        predicted: Math.sqrt(of(({ errors }, layer, head) => errors[layer]?.[head] as number)),
      });
    }
    for (const plan of plans) {
      expect(all.some(({ seconds, predicted }) => seconds < plan.seconds - 1e-9 && predicted < plan.predicted - 1e-9)).to.equal(
        false,
      );
    }
  });
  it('have at most so many choices a layer, and none that saves too little', () => {
    for (const { assignment, seconds } of frontierOf(space({ choicesPerLayer: 2 }))) {
      for (const heads of assignment) expect(new Set(heads).size).to.be.at.most(2);
      expect(assignment.flat()).to.not.include(3);
      expect(seconds).to.be.at.most(0.9 * 7);
    }
    expect(frontierOf(space({ leastGain: 0.3 }))).to.deep.equal([]);
  });
  it('give a choice of whole layers to all heads of a layer, or to none', () => {
    const whole = { ...choice(0.5, 0.2), wholeLayers: true };
    const plans = frontierOf(space({ choices: [dense, choice(0.7, 0.1), whole] }));
    const layers = plans.flatMap(({ assignment }) => assignment);
    expect(layers.some((heads) => heads.every((index) => index === 2))).to.equal(true);
    expect(
      layers.some((heads) => new Set(heads).size > 1),
      'the others are mixed',
    ).to.equal(true);
    for (const heads of layers.filter((own) => own.includes(2))) expect(new Set(heads).size).to.equal(1);
  });
});

describe('documents for a measurement', () => {
  const encode = (text: string, most = Infinity): readonly number[] =>
    Array.from(text.slice(0, most), (letter) => letter.charCodeAt(0));
  const options = { encode, maxTokens: 50, minTokens: 1, cut: 'paragraphs', counts: { search: 10, check: 30 } } as const;

  it('come from lines or paragraphs, once each, in one order, in two parts', async () => {
    await inScratch(async (folder) => {
      const [lines, text] = [path.join(folder, 'a.jsonl'), path.join(folder, 'b.txt')];
      const first = Array.from({ length: 12 }, (_, index) =>
        JSON.stringify(index % 2 === 0 ? { text: `line ${index}` } : `line ${index}`),
      );
      await writeFile(lines, `${[...first, first[0], ''].join('\n')}\n`);
      await writeFile(
        text,
        'one\nparagraph\r\n\r\nanother\n\n\n  \na third one that is longer than the fifty tokens of a document, and so is cut',
      );
      const read = await readDocuments({ ...options, files: [lines, text] });
      expect(read.found).to.equal(15);
      expect([read.search.length, read.check.length]).to.deep.equal([4, 11]);
      const words = [...read.search, ...read.check].map((ids) => String.fromCharCode(...ids));
      expect(words).to.include.members(['line 0', 'line 11', 'one\nparagraph', 'another']);
      expect(new Set(words).size).to.equal(15);
      expect(Math.max(...words.map(({ length }) => length))).to.equal(50);
      expect(await readDocuments({ ...options, files: [lines, text] })).to.deep.equal(read);
      const { readFile } = await import('node:fs/promises');
      const bytes = Buffer.concat([await readFile(lines), await readFile(text)]);
      expect(read.textHash).to.equal(createHash('sha256').update(bytes).digest('hex'));
      const few = await readDocuments({ ...options, files: [lines, text], counts: { search: 2, check: 3 } });
      expect([few.search.length, few.check.length]).to.deep.equal([2, 3]);
    });
  });
  it('are stretches of a text for a model that continues it', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'a.txt');
      await writeFile(file, Array.from({ length: 100 }, (_, index) => `sentence number ${index}.`).join('\n'));
      const { search, check } = await readDocuments({ ...options, files: [file], minTokens: 50, cut: 'stretches' });
      const all = [...search, ...check];
      expect(all.length).to.be.above(20);
      expect(all.every((ids) => ids.length === 50 && String.fromCharCode(...ids).startsWith('sentence'))).to.equal(true);
    });
  });
  it('are refused with the place of the fault', async () => {
    await inScratch(async (folder) => {
      const failure = async (name: string, content: string): Promise<string> => {
        const file = path.join(folder, name);
        await writeFile(file, content);
        const error: unknown = await readDocuments({ ...options, files: [file] }).catch((reason: unknown) => reason);
        expect(error).to.have.property('code', 'ATPC-608');
        return (error as AtpcError).message;
      };
      expect(await failure('a.jsonl', '"one"\n{"text": ')).to.include('a.jsonl:2');
      expect(await failure('b.jsonl', '"one"\n"two"\n{"body": "three"}')).to.include('b.jsonl:3: the line has no text');
      expect(await failure('c.txt', 'one\n\ntwo')).to.include('2 of 2 documents');
    });
  });
  it('get far repeats made of them', () => {
    const document = Array.from({ length: 1600 }, (_, index) => index);
    const { document: repeated, positions } = repeatedDocument(document, 100);
    expect(repeated.slice(0, 1100)).to.deep.equal(document.slice(0, 1100));
    expect(repeated.slice(1100)).to.deep.equal(document.slice(0, 500));
    expect(positions).to.have.length(100);
    expect([positions[0], (positions.at(-1) as number) < 1600]).to.deep.equal([1132, true]);
  });
});
