import { expect } from 'chai';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { explainModel } from '../../compiler/inspect.ts';
import { explainPage } from '../../compiler/explain/page.ts';
import { explainReport, type ExplainReport } from '../../compiler/explain/report.ts';
import type { ManifestLoss } from '../../runtime/format/manifest.ts';
import { sentimentModel } from '../cli/command-line.ts';
import { requires } from '../requirements.ts';
import { findChromium, Page } from './chromium.ts';

const loss: ManifestLoss = {
  name: 'KL divergence',
  unit: 'nats',
  bound: 0.02,
  mean: 0.011912,
  low: 0.0088612,
  high: 0.014949,
  documents: 6,
  tokens: 12288,
  textHash: '0123456789abcdef'.repeat(4),
  repeats: 0.028949,
};

describe('the explain page in Chromium', function () {
  this.timeout(180_000);
  let chromium = '';
  let folder = '';
  let url = '';
  let report: ExplainReport;

  before(async function () {
    const found = findChromium();
    requires(this, 'browser', found !== undefined);
    chromium = found ?? '';
    folder = await mkdtemp(path.join(tmpdir(), 'atpc-test-'));
    const model = await explainModel({ model: sentimentModel, attention: 'expand' });
    const steps = new Map(model.explanation.steps.map((_, step) => [step, { median: step + 1, min: step + 0.5, max: step + 2 }]));
    const run = { median: 700, min: 690, max: 710 };
    const measured = { steps, run, how: 'made up for this test' };
    const attention = { ...model.attention, loss };
    report = explainReport({ ...model, attention, name: '<b>model</b>', dims: { batch: 1, seq: 128 }, measured });
    const file = path.join(folder, 'page.html');
    await writeFile(file, await explainPage(report));
    url = pathToFileURL(file).href;
  });
  after(async () => {
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  });

  async function withPage(options: Parameters<typeof Page.open>[2], body: (page: Page) => Promise<void>): Promise<void> {
    const page = await Page.open(chromium, url, options);
    try {
      await body(page);
    } finally {
      await page.close();
    }
  }
  const texts = (selector: string): string =>
    `[...document.querySelectorAll(${JSON.stringify(selector)})].map((element) => element.textContent)`;

  it('draws every kernel with its nodes and boundary, without a fault and without the network', async () => {
    await withPage({}, async (page) => {
      expect(page.faults).to.deep.equal([]);
      expect(page.requested).to.deep.equal([url]);
      expect(await page.evaluate(texts('h1'))).to.deep.equal(['<b>model</b>']);
      const order = report.sections.flatMap((section) => section.steps.map((step) => report.steps[step]));
      expect(await page.evaluate(texts('.step .title code'))).to.deep.equal(order.map((step) => step?.kernel));
      const chips = await page.evaluate<string[]>(`[...document.querySelectorAll('.step .chips')].map((c) => c.innerText)`);
      expect(chips.map((text) => text.split(/\s+/).filter(Boolean))).to.deep.equal(
        order.map((step) => step?.nodes.map((index) => report.nodes[index]?.op)),
      );
      expect(await page.evaluate(texts('.boundary'))).to.deep.equal(order.map((step) => `ends here: ${step?.boundary ?? ''}`));
      const layers = report.sections.map(({ title }) => title);
      expect(await page.evaluate(texts('section.layer h2'))).to.deep.equal(layers);
      // A square outline and its filled part for each of 12 heads of 3 layers.
      expect(await page.evaluate('document.querySelectorAll(".heads rect").length')).to.equal(2 * 12 * 3);
    });
  });

  it('shows the loss of the plan that was measured, its bound and its text', async () => {
    await withPage({}, async (page) => {
      expect(await page.evaluate(texts('.loss dt'))).to.deep.equal([
        'KL divergence',
        '95 % interval',
        'bound (--max-loss)',
        'measured on',
        'repeated from far back',
        'SHA-256 of the text',
      ]);
      expect(await page.evaluate(texts('.loss dd'))).to.deep.equal([
        '0.0119 nats',
        '0.00886 to 0.0149',
        '0.02',
        '6 documents of 12288 tokens',
        '0.0289 nats',
        loss.textHash,
      ]);
    });
  });

  it('shows the kernel that is selected, by mouse and by keyboard, and draws what it reads', async () => {
    await withPage({}, async (page) => {
      const shown = async (): Promise<string> => (await page.evaluate<string[]>(texts('.detail h2')))[0] ?? '';
      // The slowest first: the last step, by the times above.
      expect(await shown()).to.equal(report.steps.at(-1)?.label);
      await page.evaluate('document.querySelectorAll(".step")[0].click()');
      expect(await shown()).to.equal(report.steps[0]?.label);
      await page.evaluate('document.querySelector(".graph").focus()');
      const order = report.sections.flatMap((section) => section.steps);
      for (const [key, step] of [
        ['ArrowDown', order[1]],
        ['ArrowUp', order[0]],
        ['End', order.at(-1)],
        ['ArrowLeft', report.steps[order.at(-1) ?? 0]?.from.at(-1)],
        ['Home', order[0]],
        ['PageDown', report.sections[1]?.steps[0]],
      ] as const) {
        await page.press(key);
        expect(await shown(), key).to.equal(report.steps[step ?? -1]?.label);
      }
      const now = report.steps[report.sections[1]?.steps[0] ?? -1];
      expect(await page.evaluate('document.querySelectorAll(".edges path.reads").length')).to.equal(now?.from.length);
      expect(await page.evaluate('document.querySelectorAll(".edges path.feeds").length')).to.equal(now?.to.length);
      const detail = await page.evaluate<string>('document.querySelector(".detail").innerText');
      expect(detail).to.include(now?.reason).and.include('atpc/families/bert.ts').and.include('nn.linear');
      expect(await page.evaluate(texts('.detail mark'))).to.include('nn.linear');
      expect(page.faults).to.deep.equal([]);
    });
  });

  it('shows measured and predicted time, FLOPs and bytes, as the report has them', async () => {
    await withPage({}, async (page) => {
      const first = report.steps[report.sections[1]?.steps[0] ?? -1];
      const value = `document.querySelector('#step-${first?.step ?? ''} .value').innerText`;
      expect(await page.evaluate(value)).to.match(new RegExp(`^${(first?.measured?.median ?? 0).toFixed(2)} ms`));
      for (const [metric, expected] of [
        ['predicted', `${(first?.predictedMilliseconds ?? 0).toFixed(2)} ms`],
        ['flops', `${Math.round((first?.flops ?? 0) / 1e6)} MFLOP`],
        ['bytes', `${((first?.bytes ?? 0) / 1e6).toPrecision(3)} MB`],
      ] as const) {
        await page.evaluate(`document.querySelector('input[value=${metric}]').click()`);
        expect(await page.evaluate<string>(value), metric).to.include(expected);
      }
    });
  });

  it('follows the colour scheme, and fits a narrow window', async () => {
    const ground = 'getComputedStyle(document.body).backgroundColor';
    const wide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    let light = '';
    await withPage({ width: 420 }, async (page) => {
      light = await page.evaluate(ground);
      expect(await page.evaluate(wide)).to.equal(0);
    });
    await withPage({ dark: true }, async (page) => {
      expect(await page.evaluate(ground)).not.to.equal(light);
      expect(await page.evaluate(wide)).to.equal(0);
    });
  });
});
