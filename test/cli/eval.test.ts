/** `atpc eval`, on the classifier of the examples and on a small Llama whose tokens are characters. */
import { expect } from 'chai';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { EvaluationReport } from '../../compiler/evaluate/evaluation.ts';
import { compile, evaluate } from '../../compiler/index.ts';
import { calibrationTexts } from '../../compiler/calibrate/texts.ts';
import { writeTinyLlama } from '../models/tiny-folders.ts';
import { atpc, checkout, inScratch, sentimentModel, type SpawnOptions } from './command-line.ts';

const sentences = calibrationTexts.flatMap((text) => text.replaceAll('\n', ' ').split(/(?<=\.) /));
/** Stretches of prose of some 130 tokens, none twice, with labels that mean nothing. */
function labelled(count: number): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const text = Array.from({ length: 6 }, (__, at) => sentences[(5 * index + 7 * at) % sentences.length]).join(' ');
    return JSON.stringify({ text: `${index}. ${text}`, label: index % 2 });
  });
  return lines.join('\n');
}

async function evaluated(args: readonly string[], options: SpawnOptions, wantedCode = 0): Promise<EvaluationReport> {
  const { code, stdout, stderr } = await atpc(['eval', ...args, '--json', '--quiet'], options);
  expect(code, stderr + stdout).to.equal(wantedCode);
  expect(stderr).to.equal('');
  return JSON.parse(stdout) as EvaluationReport;
}

/** A tokenizer of 64 characters, as many as the small Llama has tokens. */
async function writeCharacters(folder: string): Promise<void> {
  const characters = [...'abcdefghijklmnopqrstuvwxyz0123456789 .,;:!?\'"()-\n'];
  const vocab = Object.fromEntries(['<unk>', '<s>', '</s>', ...characters].map((token, id) => [token, id]));
  const tokenizer = {
    version: '1.0',
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'Split', pattern: { Regex: '[\\s\\S]' }, behavior: 'Isolated', invert: false },
    post_processor: null,
    decoder: null,
    model: { type: 'BPE', vocab, merges: [], unk_token: '<unk>' },
  };
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  const config = { tokenizer_class: 'PreTrainedTokenizerFast', model_max_length: 1024, unk_token: '<unk>', eos_token: '</s>' };
  await writeFile(path.join(folder, 'tokenizer_config.json'), JSON.stringify(config));
}

describe('atpc eval of a classifier', function () {
  this.timeout(300_000);

  it('holds shares of keys against dense attention, in a table and on a page', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'data.jsonl'), labelled(12));
      const args = [sentimentModel, '--data', 'data.jsonl', '--attn', 'expand,svd', '--keys', '1,1/2,1/8'];
      const { code, stdout, stderr } = await atpc(['eval', ...args, '--html', 'page.html'], { cwd: folder });
      expect(code, stderr).to.equal(0);
      expect(stdout).to.match(/^ +plan +accuracy +agreement +disagreement +ms a text/m);
      for (const plan of ['dense', 'expand 1/2', 'expand 1/8', 'svd 1/2', 'svd 1/8']) expect(stdout).to.include(`  ${plan} `);
      expect(stdout).to.include('compile` refuses svd');
      const page = await readFile(path.join(folder, 'page.html'), 'utf8');
      expect(page).to.include('Loss over keys kept').and.include('Time over length');
      expect(page.match(/<svg/g)).to.have.length(2);
      expect(page, 'stands alone').to.not.match(/<script|https?:|src=|NaN|undefined/);
    });
  });
  it('gives a report whose numbers fit each other, and exits with 1 above --max-loss', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'data.jsonl'), labelled(16));
      const args = [sentimentModel, '--data', 'data.jsonl', '--attn', 'svd', '--keys', '1/8', '--max-loss', '0.1'];
      const report = await evaluated([...args, '--documents', '12'], { cwd: folder }, 1);
      expect(report).to.deep.include({ task: 'classify', maxLoss: { bound: 0.1, met: false } });
      expect(report.data).to.include({ found: 16, documents: 12 });
      const [dense, svd] = report.rows;
      expect(dense).to.include({ plan: 'dense', loss: null, stateBytes: null });
      const { agreement } = svd?.measures ?? {};
      expect((agreement?.mean ?? NaN) + (svd?.loss?.mean ?? NaN), 'agreement and disagreement').to.be.closeTo(1, 1e-12);
      expect(svd?.loss?.mean, 'literal ATP on a model that was not tuned').to.be.above(0.1);
      expect(svd?.times.reduce((sum, { tokens }) => sum + tokens, 0)).to.equal(report.data.tokens);
      // 1/1 of the keys is dense, whatever the mode: a plan file says so here.
      await writeFile(path.join(folder, 'plan.yaml'), 'version: 1\ndefault: { mode: expand, keys: 1 }\n');
      const whole = await evaluated([sentimentModel, '--data', 'data.jsonl', '--plan', 'plan.yaml', '--max-loss', '0.3'], {
        cwd: folder,
      });
      expect(whole.rows.map(({ plan }) => plan)).to.deep.equal(['dense', 'plan.yaml']);
      expect(whole.rows[1]?.loss).to.include({ mean: 0, low: 0 });
      expect(whole.rows[1]?.measures.accuracy).to.deep.equal(whole.rows[0]?.measures.accuracy);
      expect(whole.maxLoss?.met).to.equal(true);
    });
  });
  it('evaluates the plan of a package, and knows another model', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'data.jsonl'), labelled(8));
      const data = path.join(folder, 'data.jsonl');
      const { manifest } = await compile({
        model: sentimentModel,
        out: path.join(folder, 'out'),
        attention: 'expand',
        keys: '1/8',
      });
      const ofPackage = await evaluated(['out', '--model', sentimentModel, '--data', 'data.jsonl'], { cwd: folder });
      const ofModel = await evaluate({ model: sentimentModel, data, attention: ['expand'], keys: ['1/8'] });
      expect(ofPackage.rows.map(({ plan }) => plan)).to.deep.equal(['dense', 'out']);
      expect(ofPackage.rows.map(({ measures, loss }) => ({ measures, loss }))).to.deep.equal(
        ofModel.rows.map(({ measures, loss }) => ({ measures, loss })),
      );
      const tuned = path.join(checkout, 'examples/sentiment/model-atp');
      const refused = await evaluate({ model: tuned, data, package: manifest }).catch((error: unknown) => error);
      expect(refused).to.have.property('code', 'ATPC-316');
    });
  });
  it('can be interrupted, and says what is wrong', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'data.jsonl'), labelled(60));
      await writeFile(path.join(folder, 'wrong.jsonl'), `${labelled(5)}\n{"text": "x", "label": "bad"}\n`);
      const data = ['--data', 'data.jsonl'];
      const stopped = await atpc(['eval', sentimentModel, ...data], { cwd: folder, interruptAt: 'measure' });
      expect(stopped.code).to.equal(130);
      for (const [args, words, wantedCode] of [
        [[sentimentModel], 'No data was given', 2],
        [[sentimentModel, '--data', 'wrong.jsonl'], 'wrong.jsonl:6: the model has no label "bad"', 2],
        [[sentimentModel, ...data, '--task', 'lm'], 'ATPC-311', 1],
        [[sentimentModel, ...data, '--task', 'translate'], "does not know 'translate'", 2],
        [[sentimentModel, ...data, '--keys', '3/2'], 'ATPC-303', 2],
        [[sentimentModel, ...data, '--keys', '1'], 'nothing to hold it against', 2],
        [[sentimentModel, ...data, '--model', sentimentModel], '--model goes with a compiled package', 2],
      ] as const) {
        const { code, stderr } = await atpc(['eval', ...args], { cwd: folder });
        expect(stderr, args.join(' ')).to.include(words);
        expect(code, args.join(' ')).to.equal(wantedCode);
      }
    });
  });
});

describe('atpc eval of a model that generates', function () {
  this.timeout(300_000);

  it('measures its text, pass keys and lists under every mode', async () => {
    await inScratch(async (folder) => {
      const model = await writeTinyLlama(path.join(folder, 'llama'), 1024);
      await writeCharacters(model);
      const data = path.join(folder, 'text.txt');
      await writeFile(data, sentences.join('\n'));
      const options = { model, data, documents: 3 };
      const lm = await evaluate({ ...options, tokens: 700, attention: ['stream', 'cluster'], keys: ['1/8', '1/64'] });
      expect(lm.task).to.equal('lm');
      const [dense, ...others] = lm.rows;
      expect(others.map(({ plan }) => plan)).to.deep.equal(['stream 1/8', 'stream 1/64', 'cluster 1/8', 'cluster 1/64']);
      // Dense caches of 2 layers, 2 KV heads of 8 numbers, keys and values in f32.
      expect(dense?.stateBytes).to.be.within(2 * 2 * 2 * 8 * 4 * 700, 2 * 2 * 2 * 8 * 4 * 700 + 4096);
      expect(dense?.measures.perplexity?.mean, 'of 64 random tokens').to.be.within(20, 2000);
      for (const { loss, measures, plan } of others) {
        expect(loss?.mean, plan)
          .to.be.above(0)
          .and.below(loss?.high ?? NaN);
        expect(measures.agreement?.mean, plan).to.be.within(0, 1);
      }
      const lossOf = (name: string): number => others.find(({ plan }) => plan === name)?.loss?.mean ?? NaN;
      expect(lossOf('cluster 1/64'), 'fewer keys lose more').to.be.above(lossOf('cluster 1/8'));
      // Times within a text, by pieces of 128 tokens, which the model reads at once.
      expect(dense?.times.slice(0, 6).map(({ tokens }) => tokens)).to.deep.equal([128, 256, 384, 512, 640, 700]);

      for (const task of ['passkey', 'retrieval'] as const) {
        const { rows, data: read, loss } = await evaluate({ ...options, tokens: 600, task, keys: ['1/8'] });
        expect(loss.unit).to.equal('share of answers');
        expect(read.documents).to.equal(3);
        expect(read.tokens, task).to.be.within(3 * 400, 3 * 700);
        // Random weights answer nothing.
        expect(rows.map(({ measures }) => measures['right answers']?.mean)).to.deep.equal([0, 0]);
        expect(rows[1]?.loss).to.include({ mean: 0, low: 0 });
      }
      const out = path.join(folder, 'out');
      const { manifest } = await compile({ model, out, attention: 'cluster' });
      const ofPackage = await evaluate({ ...options, tokens: 700, package: { ...manifest, name: 'out' } });
      expect(ofPackage.rows.map(({ plan }) => plan)).to.deep.equal(['dense', 'out']);
      const eighth = others.find(({ plan }) => plan === 'cluster 1/8');
      expect(ofPackage.rows[1]?.loss, 'the mode has one key for eight tokens').to.deep.equal(eighth?.loss);
    });
  });
  it('measures the plan of a package on the weights that it has', async () => {
    await inScratch(async (folder) => {
      const model = await writeTinyLlama(path.join(folder, 'llama'), 1024);
      await writeCharacters(model);
      const data = path.join(folder, 'text.txt');
      await writeFile(data, sentences.join('\n'));
      const { manifest } = await compile({ model, out: path.join(folder, 'out'), attention: 'cluster', storage: 'q4' });
      expect(manifest.storage).to.equal('q4');
      const args = ['out', '--model', 'llama', '--data', 'text.txt', '--documents', '2', '--tokens', '700'];
      const figures = ({ rows }: EvaluationReport) => rows.map(({ measures, loss }) => ({ measures, loss }));
      const ofPackage = figures(await evaluated(args, { cwd: folder }));
      const options = { model, data, documents: 2, tokens: 700 };
      const modelWith = async (more: Partial<Parameters<typeof evaluate>[0]>) =>
        figures(await evaluate({ ...options, attention: ['cluster'], keys: ['1/8'], ...more }));
      expect(ofPackage).to.deep.equal(await modelWith({ storage: 'q4' }));
      expect(ofPackage, 'with other weights').to.not.deep.equal(await modelWith({}));
      const { name, modelHash, attention } = manifest;
      const earlier = await evaluate({ ...options, storage: 'q4', package: { name, modelHash, attention } });
      expect(figures(earlier), 'of a package that does not say').to.deep.equal(ofPackage);
      const other = await atpc(['eval', ...args, '-q', 'q8'], { cwd: folder });
      expect(other.stderr).to.include('ATPC-301').and.include('was compiled with -q q4');
      expect(other.code).to.equal(2);
    });
  });
});
