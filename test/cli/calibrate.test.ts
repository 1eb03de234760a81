/** `atpc calibrate`, and `atpc compile --attn hybrid --calibrate`, with SmolLM2 on one of the guides. */
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CompileReport, PlanReport } from '../../compiler/compile-options.ts';
import type { HeadCalibration } from '../../compiler/calibrate/calibrate-heads.ts';
import { requires, smollm2File } from '../requirements.ts';
import { atpc, checkout, inScratch, listing } from './command-line.ts';

const text = path.join(checkout, 'docs/guide/attention.md');

describe('atpc calibrate', function () {
  this.timeout(180_000);
  before(function () {
    requires(this, 'smollm2', existsSync(smollm2File));
  });

  it('writes a plan that compile takes, and says which heads it found', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'plan.yaml');
      const args = ['calibrate', smollm2File, '--text', text, '--tokens', '1024', '-o', file];
      const { code, stdout, stderr } = await atpc([...args, '--json', '--quiet']);
      expect(code, stderr + stdout).to.equal(0);
      const { heads, guards, plan, tokens, predicted } = JSON.parse(stdout) as HeadCalibration;
      expect(guards).to.equal(16);
      expect(heads).to.have.length(90);
      expect(tokens).to.deep.equal([1024]);
      expect(predicted.hybrid).to.be.below(predicted.stream / 2);
      // Of the sixteen worst of atp-modes.md; another and shorter text finds most of them.
      const known = '18,2 17,1 7,2 23,0 20,2 23,2 20,1 0,0 14,1 8,0 0,2 0,1 15,2 17,0 7,1 19,1'.split(' ');
      const found = heads.slice(0, guards).map(({ layer, kvHead }) => `${layer},${kvHead}`);
      expect(found.filter((head) => known.includes(head)).length).to.be.at.least(11);
      expect(plan.default).to.deep.equal({ mode: 'stream', atoms: 128 });
      expect(await readFile(file, 'utf8')).to.match(/^default: \{ mode: stream, atoms: 128 \}$/m);
      expect(await listing(folder)).to.deep.equal(['plan.yaml']);

      const inspected = await atpc(['inspect', 'plan', smollm2File, '--plan', file, '--json']);
      const { rows, reason } = JSON.parse(inspected.stdout) as PlanReport;
      const expanded = rows.flatMap(({ layer, mode, heads: own }) =>
        mode === 'expand' ? own.map((head) => `${layer},${head}`) : [],
      );
      expect(expanded).to.have.members(found);
      expect(reason).to.include('16 of 90 KV heads');
    });
  });
  it('is part of a compilation with --attn hybrid', async () => {
    await inScratch(async (folder) => {
      const args = [
        'compile',
        smollm2File,
        '-o',
        'out',
        '--attn',
        'hybrid',
        '--max-seq',
        '640',
        '--calibrate',
        text,
        '--json',
        '--quiet',
      ];
      const { code, stdout, stderr } = await atpc(args, { cwd: folder });
      expect(code, stderr + stdout).to.equal(0);
      const { manifest } = JSON.parse(stdout) as CompileReport;
      const groups = manifest.attention.layers.flatMap(({ heads }) => heads);
      const count = (mode: string): number =>
        groups.filter((group) => group.mode === mode).reduce((sum, { kvHeads }) => sum + kvHeads.length, 0);
      expect([count('expand'), count('stream'), count('dense')]).to.deep.equal([16, 74, 0]);
      expect(manifest.attention.reason).to.include('16 of 90 KV heads');
      const { stdout: said } = await atpc([
        'run',
        path.join(folder, 'out'),
        '--prompt',
        'The capital of France is',
        '--max-tokens',
        '6',
      ]);
      expect(said).to.include('Paris');
    });
  });
  it('refuses what cannot work, and writes nothing', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'short.txt');
      await writeFile(file, 'A short text.');
      const plan = path.join(folder, 'plan.yaml');
      for (const [args, exit, words] of [
        [['calibrate', smollm2File, '-o', plan], 2, 'No text was given'],
        [['calibrate', smollm2File, '--text', file, '-o', plan], 2, 'calibration needs 1024 or more'],
        [['calibrate', smollm2File, '--text', `${file}.none`, '-o', plan], 2, 'cannot be read'],
        [['calibrate', 'examples/sentiment/model', '--text', text, '-o', plan], 1, 'models that generate'],
        [['compile', smollm2File, '-o', plan, '--calibrate', text], 2, 'where --attn hybrid finds its heads'],
      ] as const) {
        const { code, stderr } = await atpc(args);
        expect(stderr, args.join(' ')).to.include(words);
        expect(code, args.join(' ')).to.equal(exit);
        expect(await listing(folder)).to.deep.equal(['short.txt']);
      }
    });
  });
});
