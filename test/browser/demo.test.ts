/** The page of examples/browser, with the packages that its serve.ts makes, used as a person does: pasting, clicking, and by keyboard alone. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { TemporaryFolder } from '../package/tiny-package.ts';
import { requires, smollm2File } from '../requirements.ts';
import { chromiumPath, faultsOf, launchChromium } from './playwright-chromium.ts';
import { isolation, StaticServer } from './static-server.ts';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const review =
  'A warm and funny film with a cast that clearly enjoys itself. The story is simple, the jokes land, and the ending is lovely. I would see it again tomorrow.';

/** The page in a folder with the packages of one tab, by the command that its README names. */
async function buildPage(out: string, tab: string): Promise<void> {
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const command = ['--import', 'tsx', '--conditions=atpc-source', `${checkout}examples/browser/serve.ts`];
  const options = ['--only', tab, '--out', out, '--no-serve'];
  await promisify(execFile)(process.execPath, [...command, ...options], { cwd: checkout, env });
}

describe('the demo page', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  let server: StaticServer;
  /** With an adapter, and without one. */
  let browser: Browser;
  let blind: Browser;

  before(async function () {
    const executablePath = chromiumPath();
    requires(this, 'browser', executablePath !== undefined);
    folder = await TemporaryFolder.create();
    await buildPage(folder.path, 'reviews');
    server = await StaticServer.start(folder.path, isolation);
    browser = await launchChromium(executablePath ?? '', { webgpu: true });
    blind = await launchChromium(executablePath ?? '', { webgpu: false });
  });
  after(async () => {
    for (const each of [browser, blind]) await (each as Browser | undefined)?.close();
    await (server as StaticServer | undefined)?.close();
    await (folder as TemporaryFolder | undefined)?.remove();
  });

  interface Setting extends BrowserContextOptions {
    readonly within?: Browser;
    readonly from?: StaticServer;
    /** What the page may complain of; nothing. */
    readonly faults?: RegExp;
  }
  /** The page, when it has begun. It complains of nothing. */
  async function inPage(
    query: string,
    { within = browser, from = server, faults = /^$/, ...options }: Setting,
    body: (page: Page) => Promise<void>,
  ): Promise<void> {
    const page = await within.newPage({ viewport: { width: 1200, height: 1100 }, ...options });
    try {
      const found = faultsOf(page);
      await page.goto(from.url(`index.html${query}`));
      await page.locator('html[data-ready]').waitFor();
      await body(page);
      expect(found.filter((fault) => !faults.test(fault))).to.deep.equal([]);
    } finally {
      await page.close();
    }
  }
  const textOf = async (page: Page, selector: string): Promise<string> => (await page.locator(selector).textContent()) ?? '';
  const says = (page: Page, sentence: string | RegExp): Promise<void> =>
    page.locator('#status', { hasText: sentence }).waitFor({ timeout: 90_000 });
  const focused = (page: Page): Promise<string> =>
    page.evaluate('document.activeElement.id || document.activeElement.className || document.activeElement.localName');

  it('answers with both models on WebAssembly and on WebGPU, with bars, numbers and how far they agree', async function () {
    const positive: number[][] = [];
    for (const [backend, machine] of [
      ['wasm', /^WebAssembly: asked for; \d+ threads?: /],
      ['webgpu', /^WebGPU on .+: asked for\.$/],
    ] as const) {
      await inPage(`?backend=${backend}`, {}, async (page) => {
        if (backend === 'webgpu') {
          const there = await page.evaluate('navigator.gpu?.requestAdapter().then(Boolean)');
          requires(this, 'webgpu', there === true, 'this Chromium finds no WebGPU adapter, even in software');
        }
        await page.locator('#text').fill(review);
        expect(await textOf(page, '#counted')).to.equal('30 words');
        await page.locator('#run').click();
        await says(page, 'Done.');
        expect(await textOf(page, '#machine')).to.match(machine);
        const shares: number[] = [];
        for (const side of ['dense', 'principal']) {
          const [, share] = /^POSITIVE \(([\d.]+) % positive, 1 passages\)$/.exec(await textOf(page, `#${side} .answer`)) ?? [];
          shares.push(Number(share));
        }
        positive.push(shares);
        const rows = page.locator('#figures tr');
        expect(await rows.locator('th').allTextContents()).to.deep.equal(['Time', 'Keys kept', 'Memory', 'Agreement']);
        for (const [row, unit] of [/^[\d.]+ m?s$/, /^[\d.]+ %$/, /^[\d.]+ MB$/].entries()) {
          const values = await rows.nth(row).locator('.bar span').allTextContents();
          expect(values).to.have.length(2);
          for (const value of values) expect(value).to.match(unit);
          const drawn = `document.querySelectorAll('#figures tr:nth-child(${row + 1}) rect')`;
          const widths = await page.evaluate<number[]>(`[...${drawn}].map((bar) => bar.width.baseVal.value)`);
          expect(widths).to.have.length(2);
          expect(Math.max(...widths)).to.equal(100);
          expect(Math.min(...widths)).to.be.above(0);
        }
        const [dense, principal] = await rows.nth(1).locator('.bar span').allTextContents();
        expect(dense).to.equal('100.0 %');
        expect(parseFloat(principal ?? '')).to.be.below(100);
        expect(await rows.nth(3).locator('td').textContent()).to.match(
          /^100\.0 %: 1 of 1 passages get the same label; a score moved by at most 0\.\d{3}$/,
        );
      });
    }
    const [processor = [], device = []] = positive;
    // Of what is printed, at most the last digit.
    for (const [side, share] of processor.entries()) expect(device[side]).to.be.closeTo(share, 0.11);
  });

  it("'the faster one' is told with its times, and is that of both models", async () => {
    const begin = server.requested.length;
    await inPage('?backend=neither', {}, async (page) => {
      expect(await page.locator('#backend').inputValue()).to.equal('auto');
      await page.locator('#text').fill(review);
      await page.locator('#run').click();
      await says(page, 'Done.');
      expect(await textOf(page, '#machine')).to.match(
        /^Web(Assembly|GPU).*: the faster: [\d.e+-]+ ms for .+; (wasm|webgpu): [\d.e+-]+ ms/,
      );
      // Programs of the first model are both read; of the second, that of the backend in use.
      const programs = (side: string): string[] =>
        server.requested
          .slice(begin)
          .filter((name) => name.startsWith(`/packages/reviews-${side}/`) && name.endsWith('program.json'));
      expect(new Set(programs('dense')).size).to.equal(2);
      expect(new Set(programs('principal')).size).to.equal(1);
    });
  });

  it('plots time over length, and stops when it is told to', async () => {
    await inPage('?backend=wasm', {}, async (page) => {
      await page.locator('#measure').click();
      await page.locator('#plot circle').nth(2).waitFor();
      await page.locator('#stop').click();
      await says(page, 'Stopped.');
      const [circles, ticks] = [await page.locator('#plot circle').count(), await page.locator('#plot text').allTextContents()];
      expect(circles).to.be.at.least(3).and.at.most(10);
      expect(ticks.slice(0, 5).at(-1)).to.match(/^[\d.]+ m?s$/);
      expect(ticks.slice(5, 7)).to.deep.equal(['32', '64']);
      expect(await textOf(page, '#plot figcaption'))
        .to.include('WebAssembly')
        .and.include('principal keys');
      // And goes on.
      await page.locator('#text').fill(review);
      await page.locator('#run').click();
      await says(page, 'Done.');
    });
  });

  it('works by keyboard alone, and keeps the focus where it was', async () => {
    await inPage('', {}, async (page) => {
      const press = async (...keys: readonly string[]): Promise<string> => {
        for (const key of keys) await page.keyboard.press(key);
        return focused(page);
      };
      expect(await press('Tab')).to.equal('skip');
      expect(await press('Tab')).to.equal('backend');
      await page.keyboard.type('WebAss');
      expect(await page.locator('#backend').inputValue()).to.equal('wasm');
      expect(await press('Shift+Tab')).to.equal('skip');
      expect(await press('Enter')).to.equal('text');
      await page.keyboard.press('Control+A');
      await page.keyboard.insertText(review);
      expect(await press('Tab')).to.equal('run');
      expect(await press('Enter')).to.equal('stop');
      await says(page, 'Done.');
      expect(await focused(page)).to.equal('run');
      expect(await textOf(page, '#principal .answer')).to.match(/^POSITIVE/);
      expect(await press('Tab', 'Enter')).to.equal('stop');
      await page.locator('#plot circle').nth(0).waitFor();
      await page.keyboard.press('Enter');
      await says(page, 'Stopped.');
      expect(await focused(page)).to.equal('measure');
    });
  });

  it('moves between tabs by arrows, Home and End, and says so when a package is not there', async () => {
    const page = await readFile(folder.file('page.json'), 'utf8');
    await writeFile(
      folder.file('page.json'),
      JSON.stringify({ ...(JSON.parse(page) as object), available: ['reviews', 'search', 'chat'] }),
    );
    try {
      await inPage('', { faults: /404/ }, async (opened) => {
        await opened.locator('#tab-reviews').focus();
        for (const [key, name] of [
          ['ArrowRight', 'search'],
          ['ArrowRight', 'chat'],
          ['ArrowRight', 'reviews'],
          ['ArrowLeft', 'chat'],
          ['Home', 'reviews'],
          ['End', 'chat'],
        ]) {
          await opened.keyboard.press(key ?? '');
          expect(await focused(opened)).to.equal(`tab-${name}`);
          expect(await opened.locator('[role=tab][aria-selected=true]').getAttribute('id')).to.equal(`tab-${name}`);
          expect(await opened.locator('#panel').getAttribute('aria-labelledby')).to.equal(`tab-${name}`);
        }
        expect(await opened.locator('[role=tab][tabindex="0"]').count()).to.equal(1);
        await opened.locator('#run').click();
        await says(opened, /Failed to fetch.*chat-dense/);
        expect(await opened.locator('#run').isEnabled()).to.equal(true);
      });
    } finally {
      await writeFile(folder.file('page.json'), page);
    }
  });

  it('says in sentences what it cannot do', async () => {
    await inPage('?backend=webgpu', { within: blind, faults: /No available adapters/ }, async (page) => {
      await page.locator('#text').fill(' ');
      await page.locator('#run').click();
      await says(page, 'Paste a text first.');
      expect(await focused(page)).to.equal('text');
      await page.locator('#text').fill(review);
      await page.locator('#run').click();
      await says(page, /ATPC-501: There is no WebGPU adapter here.*backend: 'wasm'/);
      await page.locator('#backend').selectOption('auto');
      await page.locator('#run').click();
      await says(page, 'Done.');
      expect(await textOf(page, '#machine')).to.match(/^WebAssembly: webgpu cannot be had here: ATPC-501/);
    });
  });

  it('is dark where that is preferred, and fits a narrow screen', async () => {
    const grounds: unknown[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await inPage('', { colorScheme, viewport: { width: 360, height: 700 } }, async (page) => {
        grounds.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
        expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360);
      });
    }
    expect(grounds[0]).to.not.equal(grounds[1]);
  });

  it('chats with SmolLM2: both sides stream an answer from the text, in fewer bytes with principal keys', async function () {
    requires(this, 'smollm2', existsSync(smollm2File));
    const chat = await TemporaryFolder.create();
    try {
      await buildPage(chat.path, 'chat');
      const from = await StaticServer.start(chat.path, isolation);
      try {
        await inPage('?backend=wasm', { from }, async (page) => {
          await page.locator('#text').fill('The gate opens at nine and closes at five.');
          await page.locator('#question').fill('When does the gate open?');
          // Enter in the line of the question sends it.
          await page.locator('#question').press('Enter');
          await says(page, 'Done.');
          for (const side of ['dense', 'principal']) expect(await textOf(page, `#${side} .answer`)).to.match(/opens at nine/);
          expect(await page.locator('#figures th').nth(2).textContent()).to.equal('State of the session');
          const state = await page.locator('#figures tr').nth(2).locator('.bar span').allTextContents();
          const [dense = NaN, principal = NaN] = state.map((text) => Number(/^([\d.]+) MB$/.exec(text)?.[1]));
          expect(dense / principal).to.be.above(3);
          expect(await page.locator('#figures tr').nth(3).locator('td').textContent()).to.match(
            /^[\d.]+ %: the first \d+ of \d+ tokens are the same\. Dense: \d+ tokens read in [\d.]+ s, [\d.]+ written a second\. Principal/,
          );
        });
      } finally {
        await from.close();
      }
    } finally {
      await chat.remove();
    }
  });
});
