/** What `atpc eval` computes from many documents, the data that it reads, and what it draws. */
import { expect } from 'chai';
import fc from 'fast-check';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { lossOverKeys, timeOverLength } from '../../compiler/evaluate/page.ts';
import type { EvaluationRow } from '../../compiler/evaluate/evaluation.ts';
import { readLabelledTexts, readSentencePairs } from '../../compiler/evaluate/evaluation-data.ts';
import { niceSteps, plotSvg } from '../../compiler/evaluate/plot.ts';
import { intervalText, numberText } from '../../compiler/evaluate/report-words.ts';
import { median, ranksOf, spearman, spearmanInterval } from '../../compiler/evaluate/statistics.ts';
import { packagedCachePlan, packagedPlan } from '../../compiler/attention/packaged-plan.ts';
import { attentionOf } from '../../compiler/prepare-generator.ts';
import { causalModes, uniformCachePlan } from '../../passes/atp/cache-plan.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { inScratch } from '../cli/command-line.ts';

describe('rank correlation', () => {
  it('is that of scipy.stats.spearmanr, and has mean ranks for ties', () => {
    // The example of its documentation; and ties on both sides, by hand: 3.75 / 4.5.
    expect(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).to.be.closeTo(0.8207826816681233, 1e-12);
    expect(spearman([1, 2, 2, 3], [1, 3, 2, 3])).to.be.closeTo(3.75 / 4.5, 1e-12);
    expect(ranksOf([10, 30, 20, 20])).to.deep.equal([1, 4, 2.5, 2.5]);
  });
  it('does not change under a growing function, and turns with a falling one', () => {
    const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 4, maxLength: 40 });
    fc.assert(
      fc.property(values, values, (first, second) => {
        const count = Math.min(first.length, second.length);
        const [a, b] = [first.slice(0, count), second.slice(0, count)];
        const found = spearman(a, b);
        if (Number.isNaN(found)) return;
        expect(
          spearman(
            a.map((value) => value ** 3),
            b.map((value) => Math.exp(value / 10)),
          ),
        ).to.be.closeTo(found, 1e-12);
        expect(
          spearman(
            a,
            b.map((value) => -value),
          ),
        ).to.be.closeTo(-found, 1e-12);
      }),
    );
  });
  it('has the interval of Bonett and Wright', () => {
    const a = Array.from({ length: 28 }, (_, index) => index);
    const b = a.map((value) => (value * 11) % 28);
    const { mean, low, high } = spearmanInterval(a, b);
    // By hand: half of the width is 1.96 sqrt((1 + r^2 / 2) / 25) in Fisher's z.
    const half = 1.959963984540054 * Math.sqrt((1 + mean ** 2 / 2) / 25);
    expect(Math.atanh(high) - Math.atanh(mean)).to.be.closeTo(half, 1e-12);
    expect(Math.atanh(mean) - Math.atanh(low)).to.be.closeTo(half, 1e-12);
    expect(spearmanInterval([1, 2, 3], [1, 2, 3])).to.deep.equal({ mean: 1, low: -1, high: 1 });
  });
  it('covers the correlation of the source 95 times of 100', () => {
    // Of two normal numbers with Pearson's 0.6: Spearman's is (6 / pi) asin(0.3).
    const truth = (6 / Math.PI) * Math.asin(0.3);
    let state = 1;
    const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    let covered = 0;
    for (let trial = 0; trial < 400; trial += 1) {
      const a = Array.from({ length: 60 }, normal);
      const { low, high } = spearmanInterval(
        a,
        a.map((value) => 0.6 * value + 0.8 * normal()),
      );
      if (low <= truth && truth <= high) covered += 1;
    }
    expect(covered / 400).to.be.within(0.92, 0.98);
  });
  it('comes beside a median', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2])]).to.deep.equal([2, 2.5]);
  });
});

const faultOf = async (work: Promise<unknown>): Promise<AtpcError> => {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof AtpcError) return error;
  throw new Error('expected an AtpcError');
};

describe('evaluation data', () => {
  const labels = ['negative', 'positive'];
  const read = <T>(name: string, text: string, reader: (file: string) => Promise<T>): Promise<T> =>
    inScratch(async (folder) => {
      const file = path.join(folder, name);
      await writeFile(file, text);
      return await reader(file);
    });
  const texts = (name: string, text: string, most = 100) =>
    read(name, text, async (file) => (await readLabelledTexts(file, labels, most)).items);
  const pairs = (name: string, text: string) => read(name, text, async (file) => (await readSentencePairs(file, 100)).items);
  const four = [
    { text: 'a "b"', label: 0 },
    { text: 'c, d', label: 1 },
    { text: 'e', label: 1 },
    { text: 'f', label: 0 },
  ];

  it('are labelled texts in every format, by index or name', async () => {
    const json = four.map(({ text, label }, index) => JSON.stringify({ text, label: index % 2 ? label : labels[label] }));
    expect(await texts('data.jsonl', `${json.join('\n')}\n\n`)).to.deep.equal(four);
    expect(await texts('data.tsv', four.map(({ text, label }) => `${text}\t${label}`).join('\r\n'))).to.deep.equal(four);
    expect(await texts('data.csv', 'label,text\n0,"a ""b"""\n1,"c, d"\nPositive,e\n0,f\n')).to.deep.equal(four);
    expect(await texts('data.tsv', four.map(({ text, label }) => `${text}\t${label}`).join('\n'), 2)).to.deep.equal([
      four[0],
      four[2],
    ]);
  });
  it('are pairs of sentences, and the files of the STS benchmark as they are', async () => {
    const wanted = Array.from({ length: 4 }, (_, index) => ({ sentences: [`a ${index}`, `b "${index}`], score: index + 0.5 }));
    const row = ({ sentences: [a, b], score }: (typeof wanted)[number]) => ({ a, b, score });
    const rows = wanted.map(row);
    expect(
      await pairs('data.jsonl', rows.map(({ a, b, score }) => JSON.stringify({ sentence1: a, sentence2: b, score })).join('\n')),
    ).to.deep.equal(wanted);
    expect(await pairs('data.tsv', rows.map(({ a, b, score }) => `${a}\t${b}\t${score}`).join('\n'))).to.deep.equal(wanted);
    const benchmark = rows.map(({ a, b, score }) => `main-news\theadlines\t2016\t0001\t${score}\t${a}\t${b}\tsource`);
    expect(await pairs('data.tsv', benchmark.join('\n'))).to.deep.equal(wanted);
  });
  it('are refused with the line that is wrong', async () => {
    const good = four.map(({ text, label }) => JSON.stringify({ text, label })).join('\n');
    for (const [name, text, words] of [
      ['data.jsonl', `${good}\n{"text": "x"}`, 'data.jsonl:5: the line has no label'],
      [
        'data.jsonl',
        `${good}\n\n{"text": "x", "label": "bad"}`,
        'data.jsonl:6: the model has no label "bad"; it has 0 (negative)',
      ],
      ['data.jsonl', `${good}\n{"text": "x", "label": 2}`, 'data.jsonl:5: the model has no label 2'],
      ['data.jsonl', `${good}\n{"text"`, 'data.jsonl:5: the line is not JSON'],
      ['data.jsonl', '["x"]', 'data.jsonl:1: the line is not an object'],
      ['data.csv', 'text,label\n"a\nb",0\n"c" d,1\n', 'data.csv:4: a quoted cell'],
      ['data.csv', 'text,label\n"a\nb",0\n,1\n', 'data.csv:4: the line has no text'],
      ['data.tsv', 'a\t0\nb\t1', 'has 2 lines of data'],
      ['data.xml', '', 'none of the formats'],
    ] as const) {
      const { code, message } = await faultOf(texts(name, text));
      expect(code).to.equal('ATPC-608');
      expect(message).to.include(words);
    }
    expect((await faultOf(pairs('data.tsv', 'a\tb\t1\nc\td\tmuch'))).message).to.include(
      'data.tsv:2: the score "much" is not a number',
    );
    expect((await faultOf(pairs('data.tsv', 'a\tb'))).message).to.include('data.tsv:1: the line has no score');
    expect((await faultOf(readSentencePairs('/nowhere/data.tsv', 4))).message).to.include('cannot be read');
  });
});

describe('the plan of a package', () => {
  it('comes back from its manifest, for every causal mode', () => {
    for (const mode of Object.keys(causalModes) as (keyof typeof causalModes)[]) {
      for (const settings of mode === 'expand' ? [{}, { most: 16, share: 0 }] : [{}]) {
        const plan = uniformCachePlan(mode, [2, 3], 512, 'asked for', settings);
        expect(packagedCachePlan(attentionOf(plan)), mode).to.deep.equal(plan);
      }
    }
  });
  it('has the shares that were asked for', () => {
    const head = { mode: 'expand', kvHeads: [0, 1], measuredKeys: null };
    const layers = [1 / 3, 0.25, 1, 64 / 511].map((keys, layer) => ({ layer, heads: [{ ...head, keys }] }));
    const { layers: read } = packagedPlan({ keys: null, reason: '', calibration: null, layers });
    expect(read.map(({ groups }) => groups[0]?.keys)).to.deep.equal([
      [1, 3],
      [1, 4],
      [1, 1],
      [64, 511],
    ]);
  });
});

describe('plots of an evaluation', () => {
  const row = (mode: string, keys: number, loss: number | null, times: EvaluationRow['times']): EvaluationRow => ({
    plan: `${mode} ${keys}`,
    mode,
    keys,
    measures: {},
    loss: loss === null ? null : { mean: loss, low: 0, high: 2 * loss },
    milliseconds: 1,
    stateBytes: null,
    times,
  });
  const rows = [
    row('dense', 1, null, [{ tokens: 64, milliseconds: 3 }]),
    row('expand', 0.5, 0.1, []),
    row('expand', 0.25, 0.2, []),
  ];

  it('have a line a mode over the keys, and a line a plan over the lengths', () => {
    expect(lossOverKeys({ rows })).to.deep.equal([
      {
        name: 'expand',
        points: [
          { x: 0.25, y: 0.2, low: 0, high: 0.4 },
          { x: 0.5, y: 0.1, low: 0, high: 0.2 },
        ],
      },
    ]);
    const times = [60, 64, 68, 256].map((tokens) => ({ tokens, milliseconds: tokens / 2 }));
    expect(timeOverLength({ rows: [row('dense', 1, null, times)] })[0]?.points).to.deep.equal([
      { x: 64, y: 32 },
      { x: 256, y: 128 },
    ]);
  });
  it('lie within their frame, and escape what names hold', () => {
    const svg = plotSvg({
      title: '<plot>',
      xLabel: 'x',
      yLabel: 'y',
      series: [{ name: '"a" & <b>', points: lossOverKeys({ rows })[0]?.points ?? [] }],
      xMarks: [{ at: 0.25, text: '1/4' }],
      yText: String,
    });
    expect(svg).to.not.match(/<plot>|<b>|NaN/);
    const places = [...svg.matchAll(/c([xy])="([-\d.]+)"/g)].map(([, axis, value]) => [axis, Number(value)] as const);
    expect(places).to.have.length(4);
    for (const [axis, value] of places) expect(value).to.be.within(0, axis === 'x' ? 640 : 360);
  });
  it('have steps that people count in', () => {
    expect(niceSteps(0.24)).to.have.length(6);
    expect(niceSteps(100)).to.deep.equal([0, 20, 40, 60, 80, 100]);
    expect(niceSteps(0)).to.deep.equal([0, 1]);
  });
  it('print numbers as their kind asks for', () => {
    expect(intervalText({ mean: 0.5, low: 0.25, high: 1 }, true)).to.equal('50.0 % (25.0 % to 100.0 %)');
    expect(['0.00123', '1e-12', '12.345'].map((text) => numberText(Number(text), false))).to.deep.equal(['0.0012', '0', '12.3']);
  });
});
