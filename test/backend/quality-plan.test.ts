/** Plans under a bound, for small models whose every step runs: the losses are those of the plans that come out. */
import { expect } from 'chai';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { readCachePlanFile } from '../../compiler/attention/cache-plan-file.ts';
import type { Encode } from '../../compiler/calibrate/calibrate.ts';
import { targetsNamed } from '../../compiler/codegen/targets.ts';
import { allToCheck, measureGivenPlan } from '../../compiler/quality/bounded-plan.ts';
import { cacheKind } from '../../compiler/quality/find-cache-plan.ts';
import { boundedPlan, lossBoundOf, type QualityOptions } from '../../compiler/quality/quality-plan.ts';
import type { SourceModel } from '../../compiler/source-model.ts';
import { attentionNodes, attentionShape, type AttentionShape } from '../../passes/atp/site.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { tinyLlama, tokenIds, type TinyLlama } from '../models/tiny-llama.ts';
import { inScratch } from '../cli/command-line.ts';

const maxTokens = 1100;

describe('plans of a model that generates, under a bound', function () {
  this.timeout(300_000);
  let model: TinyLlama;
  let shapes: readonly AttentionShape[];
  before(async () => {
    model = await tinyLlama({ maxLength: maxTokens, trainedLength: maxTokens, heads: 6, kvHeads: 3 });
    shapes = attentionNodes(model.graph).map(attentionShape);
  });
  const source = (): SourceModel =>
    ({
      name: 'tiny',
      graph: model.graph,
      tensors: model.source,
      task: { kind: 'generate', output: model.graph.outputs[0]?.name, vocabulary: 64, endIds: [], chat: false },
      context: { trainedLength: maxTokens, maxLength: maxTokens },
    }) as unknown as SourceModel;
  /** A tokenizer of bytes. */
  const encode: Encode = (text, most = Infinity) =>
    Array.from(text.slice(0, most), (letter) => (letter.codePointAt(0) ?? 0) % 64);
  const text = (documents: number): string =>
    Array.from({ length: documents }, (_, index) =>
      JSON.stringify(
        String.fromCharCode(
          ...tokenIds(1100 + index)
            .slice(index)
            .map((id) => 32 + id),
        ),
      ),
    ).join('\n');
  const kindFor = (file: string, seen: string[] = []): ReturnType<typeof cacheKind> =>
    cacheKind({
      source: source(),
      shapes,
      targets: targetsNamed(['wasm']),
      encode,
      files: [file],
      options: { typicalLength: maxTokens },
      report: (detail) => seen.push(detail),
    });
  const optionsFor = (file: string, maxLoss: number, changes: Partial<QualityOptions> = {}): QualityOptions => ({
    attention: 'auto',
    maxLoss,
    calibrate: [file],
    typicalLength: maxTokens,
    ...changes,
  });

  it('are found, written, read back as they are, and have the loss that was said', async () => {
    await inScratch(async (folder) => {
      const [file, plan] = [path.join(folder, 'text.jsonl'), path.join(folder, 'plan.yaml')];
      await writeFile(file, text(5));
      const seen: string[] = [];
      const kind = await kindFor(file, seen);
      // A random model loses much: the bound is one that few plans meet.
      const bound = 0.05;
      const found = await boundedPlan({ ...kind, options: optionsFor(file, bound, { writePlan: plan }), bound }, 'wasm');
      const { loss } = found;
      expect(loss).to.include({ name: 'KL divergence', unit: 'nats', bound, documents: 4 });
      expect(loss?.high).to.be.at.most(bound);
      expect(loss?.mean).to.be.above(0);
      expect(loss?.repeats).to.be.above(0);
      expect(found.plan.layers.flat().some(({ mode }) => mode !== 'dense')).to.equal(true);
      expect(seen.join('\n'))
        .to.match(/ranking heads/)
        .and.match(/plan 1, search, document 1 of 1/)
        .and.match(/check, document 4 of 4/);

      const yaml = await readFile(plan, 'utf8');
      expect(Object.keys(parse(yaml) as object)).to.deep.equal(['version', 'note', 'default', 'layers']);
      const read = await readCachePlanFile(
        plan,
        shapes.map(({ kvHeads }) => kvHeads),
        maxTokens,
      );
      expect(read.layers).to.deep.equal(found.plan.layers);
      expect(read.reason).to.include(found.plan.reason).and.include('Measured KL divergence');

      // The same plan, measured again on all documents: the check part is among them.
      const all = { ...kind.kind, documents: allToCheck(kind.kind.documents) };
      const again = await measureGivenPlan(all, read, bound);
      expect(again.loss.documents).to.equal(5);
      const twice = await boundedPlan({ ...kind, options: optionsFor(file, bound), bound }, 'wasm');
      expect(twice.plan).to.deep.equal(found.plan);
      expect(twice.loss).to.deep.equal(loss);
    });
  });
  it('are an error that says the best where none is under the bound', async () => {
    await inScratch(async (folder) => {
      const [file, plan] = [path.join(folder, 'text.jsonl'), path.join(folder, 'plan.yaml')];
      await writeFile(file, text(4));
      const kind = await kindFor(file);
      const question = { ...kind, options: optionsFor(file, 1e-9, { writePlan: plan }), bound: 1e-9 };
      const error: unknown = await boundedPlan(question, 'wasm').catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(AtpcError).and.have.property('code', 'ATPC-315');
      expect((error as AtpcError).message).to.match(
        /The best found: .* ms of dense attention become .*Measured KL divergence: /s,
      );
      expect((error as AtpcError).hint).to.include(plan);
      const best = await readCachePlanFile(
        plan,
        shapes.map(({ kvHeads }) => kvHeads),
        maxTokens,
      );
      expect(best.layers.flat().some(({ mode }) => mode !== 'dense')).to.equal(true);
    });
  });
  it('stay dense, and nothing is measured, where nothing pays at the typical length', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'text.jsonl');
      await writeFile(file, text(4));
      const short = { source: source(), shapes, targets: targetsNamed(['wasm']), encode, files: [file], report: () => undefined };
      const kind = await cacheKind({ ...short, options: { typicalLength: 200 } });
      const options = optionsFor(file, 0.05, { typicalLength: 200 });
      const { plan, loss } = await boundedPlan({ ...kind, options, bound: 0.05 }, 'wasm');
      expect(loss).to.equal(null);
      expect(plan.layers.flat().every(({ mode }) => mode === 'dense')).to.equal(true);
      expect(plan.reason).to.include('200 tokens');
    });
  });
  it('end where they are interrupted', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'text.jsonl');
      await writeFile(file, text(4));
      const { kind, notes } = await kindFor(file);
      const stop = new Error('stopped');
      const report = (detail: string): void => {
        if (detail.startsWith('plan 1, search')) throw stop;
      };
      const question = { kind: { ...kind, report }, notes, options: optionsFor(file, 0.05), bound: 0.05 };
      expect(await boundedPlan(question, 'wasm').catch((reason: unknown) => reason)).to.equal(stop);
    });
  });
});

describe('the options of a bound', () => {
  it('go together, or are refused', () => {
    const files = ['a.txt'];
    expect(lossBoundOf({})).to.equal(null);
    expect(lossBoundOf({ attention: 'hybrid', calibrate: files })).to.equal(null);
    expect(lossBoundOf({ attention: 'auto', maxLoss: 0.1, calibrate: files })).to.deep.equal({ bound: 0.1, files });
    expect(lossBoundOf({ plan: 'p.yaml', maxLoss: 0.1, calibrate: files })).to.deep.equal({ bound: 0.1, files });
    for (const options of [
      { attention: 'auto' },
      { attention: 'auto', maxLoss: 0.1 },
      { maxLoss: 0.1, calibrate: files },
      { attention: 'auto', maxLoss: 0, calibrate: files },
      { attention: 'auto', maxLoss: Number.NaN, calibrate: files },
      { attention: 'auto', maxLoss: 0.1, calibrate: files, keys: '1/4' },
      { attention: 'auto', maxLoss: 0.1, calibrate: files, plan: 'p.yaml' },
      { attention: 'expand', maxLoss: 0.1, calibrate: files, writePlan: 'p.yaml' },
    ] satisfies readonly QualityOptions[]) {
      expect(() => lossBoundOf(options), JSON.stringify(options)).to.throw(AtpcError, 'ATPC-301');
    }
  });
});
