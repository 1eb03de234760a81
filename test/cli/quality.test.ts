/** `atpc compile --attn auto --max-loss`, on the classifier of the examples and a few short reviews. */
import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CompileReport, PlanReport } from '../../compiler/compile-options.ts';
import { calibrationTexts } from '../../compiler/calibrate/texts.ts';
import { nativeIsThere } from '../native-compiler.ts';
import { minilmFolder, requires } from '../requirements.ts';
import { atpc, inScratch, listing, sentimentModel } from './command-line.ts';

/** Stretches of prose, none twice: the sentences of the compiler's own texts, in other orders. */
function reviews(count: number): string {
  const sentences = calibrationTexts.flatMap((text) => text.replaceAll('\n', ' ').split(/(?<=\.) /));
  const documents = Array.from({ length: count }, (_, index) =>
    Array.from({ length: 6 }, (__, at) => sentences[(5 * index + 7 * at) % sentences.length]).join(' '),
  );
  return documents.map((text, index) => JSON.stringify({ text: `${index}. ${text}` })).join('\n');
}

describe('atpc compile --max-loss', function () {
  this.timeout(300_000);

  it('finds a plan, measures it, and says so in the package; --plan reads it back', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'reviews.jsonl'), reviews(16));
      const args = ['--attn', 'auto', '--max-loss', '0.3', '--calibrate', 'reviews.jsonl', '--typical-length', '512'];
      const { code, stdout, stderr } = await atpc(
        ['compile', sentimentModel, '-o', 'out', ...args, '--write-plan', 'plan.yaml', '--json', '--quiet'],
        { cwd: folder },
      );
      expect(code, stderr + stdout).to.equal(0);
      const { manifest, notes } = JSON.parse(stdout) as CompileReport;
      const { loss, layers, reason, keys } = manifest.attention;
      expect(loss).to.include({ name: 'disagreement', unit: 'share of labels', bound: 0.3, documents: 12 });
      expect(loss?.textHash).to.equal(createHash('sha256').update(reviews(16)).digest('hex'));
      expect(loss?.high).to.be.at.most(0.3);
      expect(keys).to.equal(null);
      expect(reason).to.include('cheapest plan found with a loss under 0.3');
      expect(layers.flatMap(({ heads }) => heads).some(({ mode }) => mode !== 'dense')).to.equal(true);
      expect(notes.join('\n')).to.include('--typical-length');
      expect(await readFile(path.join(folder, 'out/README.md'), 'utf8')).to.include(loss?.textHash);
      const explained = await atpc(['explain', path.join(folder, 'out')]);
      expect(explained.stdout).to.include('Measured disagreement').and.include(loss?.textHash);

      const planned = await atpc(['inspect', 'plan', sentimentModel, '--plan', path.join(folder, 'plan.yaml'), '--json']);
      const { rows, reason: read } = JSON.parse(planned.stdout) as PlanReport;
      expect(read).to.include(reason).and.include('Measured disagreement');
      expect(rows.map(({ layer, mode, heads, keys: share }) => ({ layer, mode, heads, share }))).to.deep.equal(
        layers.flatMap(({ layer, heads }) =>
          heads.map(({ mode, kvHeads, keys: share }) => ({ layer, mode, heads: kvHeads, share })),
        ),
      );
    });
  });
  it('measures a mode that is given, and refuses it above the bound', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'reviews.jsonl'), reviews(24));
      const compile = (...args: readonly string[]) =>
        atpc(['compile', sentimentModel, '-o', 'out', '--calibrate', 'reviews.jsonl', ...args], { cwd: folder });
      // Rows of a decomposition mean nothing to a model that was not tuned with them.
      const refused = await compile('--attn', 'svd', '--keys', '1/8', '--force', '--max-loss', '0.15');
      expect(refused.code, refused.stderr).to.equal(1);
      expect(refused.stderr).to.match(/ATPC-315: The loss of the plan is not under 0.15. Measured disagreement: /);
      const few = await compile('--attn', 'auto', '--max-loss', '0.02', '--typical-length', '512');
      expect(few.code).to.equal(1);
      expect(few.stderr).to.include('ATPC-315').and.include('Give 244 texts or more');
      expect(await listing(folder), 'no package').to.deep.equal(['reviews.jsonl']);
      const taken = await compile('--attn', 'dense', '--max-loss', '0.2', '--json', '--quiet');
      expect(taken.code, taken.stderr).to.equal(0);
      expect((JSON.parse(taken.stdout) as CompileReport).manifest.attention.loss).to.include({ mean: 0, low: 0, documents: 24 });
    });
  });
  it('multiplies in integers on native where the loss with them stays under the bound, and nowhere else', async function () {
    requires(this, 'minilm', existsSync(minilmFolder));
    requires(this, 'native', nativeIsThere());
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'reviews.jsonl'), reviews(12));
      const args = ['compile', minilmFolder, '-t', 'native', '-q', 'q4', '--attn', 'dense', '--calibrate', 'reviews.jsonl'];
      const compile = async (...more: readonly string[]): Promise<CompileReport> => {
        const { code, stdout, stderr } = await atpc([...args, '-o', 'out', '--force', '--json', '--quiet', ...more], {
          cwd: folder,
        });
        expect(code, stderr).to.equal(0);
        return JSON.parse(stdout) as CompileReport;
      };
      const rounded = ({ manifest }: CompileReport): readonly string[] =>
        manifest.approximations.filter((words) => words.includes('rounded to 8 bits'));
      const loose = await compile('--max-loss', '0.02');
      expect(rounded(loose)).to.have.length(1);
      const { mean = 0, high = 0 } = loose.manifest.attention.loss ?? {};
      expect(mean).to.be.above(1e-4);
      expect(high).to.be.below(0.02);
      expect(loose.notes.join('\n')).to.include('activations in 8 bits (int8): the loss stays under 0.02');
      // Dense attention with f32 activations loses nothing against itself.
      const tight = await compile('--max-loss', String(mean / 10));
      expect(rounded(tight)).to.have.length(0);
      expect(tight.manifest.attention.loss).to.include({ mean: 0 });
      expect(tight.notes.join('\n')).to.include('activations in f32: in 8 bits (int8) the loss would not be under');
      const refused = await atpc([...args, '-o', 'no', '--max-loss', String(mean / 10), '--activations', 'int8'], {
        cwd: folder,
      });
      expect(refused.code).to.equal(1);
      expect(refused.stderr).to.include('ATPC-315');
    });
  });
  it('can be interrupted, and refuses what does not go together', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'reviews.jsonl'), reviews(40));
      const auto = ['compile', sentimentModel, '-o', 'out', '--attn', 'auto', '--calibrate', 'reviews.jsonl'];
      const stopped = await atpc([...auto, '--max-loss', '0.3', '--typical-length', '512'], {
        cwd: folder,
        interruptAt: 'read model',
      });
      expect(stopped.code).to.equal(130);
      for (const [args, words] of [
        [auto, '--max-loss is missing'],
        [[...auto, '--max-loss', '-1'], 'takes a number above 0'],
        [['compile', sentimentModel, '-o', 'out', '--attn', 'auto', '--max-loss', '0.1'], 'no --calibrate is given'],
        [['inspect', 'plan', sentimentModel, '--attn', 'auto'], 'atpc compile` does and a report does not'],
      ] as const) {
        const { code, stderr } = await atpc(args, { cwd: folder });
        expect(stderr, args.join(' ')).to.include(words);
        expect(code, args.join(' ')).to.equal(2);
      }
      expect(await listing(folder)).to.deep.equal(['reviews.jsonl']);
    });
  });
});
