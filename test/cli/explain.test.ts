import { expect } from 'chai';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { boundaryReasons, type Explanation } from '../../compiler/explain/explanation.ts';
import type { ExplainReport } from '../../compiler/explain/report.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { mainEntryPoint, type Program } from '../../runtime/format/program.ts';
import { atpc, checkout, inScratch, sentimentModel } from './command-line.ts';

describe('atpc explain', function () {
  this.timeout(300_000);
  let folder = '';
  let sentiment = '';
  let report: ExplainReport;
  const read = async <T>(file: string): Promise<T> => JSON.parse(await readFile(path.join(sentiment, file), 'utf8')) as T;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'atpc-test-'));
    sentiment = path.join(folder, 'sentiment');
    const { code, stderr } = await atpc(['compile', sentimentModel, '-o', sentiment, '--attn', 'expand', '--quiet']);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    report = JSON.parse((await atpc(['explain', sentiment, '--tokens', '128', '--json'])).stdout) as ExplainReport;
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('has a step for every dispatch of the program, with its kernel and label', async () => {
    const { steps } = mainEntryPoint(await read<Program>('program.json'));
    const ours = report.steps.map(({ kernel, label }) => ({ kernel, label }));
    expect(ours).to.deep.equal(steps.map((step) => (step.kind === 'dispatch' ? { kernel: step.kernel, label: step.label } : {})));
    expect(report.sections.flatMap((section) => section.steps).sort((a, b) => a - b)).to.deep.equal(
      report.steps.map((_, i) => i),
    );
    expect(report.sections.map(({ layer }) => layer)).to.deep.equal([null, 0, 1, 2, null]);
  });

  it('reads what earlier steps wrote, and only that', async () => {
    const { steps, inputs } = mainEntryPoint(await read<Program>('program.json'));
    const buffersOf = (step: number): readonly number[] => {
      const found = steps[step];
      return found?.kind === 'dispatch' ? found.operands.map(({ buffer }) => buffer) : [];
    };
    for (const { step, from, inputs: ports } of report.steps) {
      for (const source of from) {
        expect(source).to.be.below(step);
        expect(
          buffersOf(step).some((buffer) => buffersOf(source).includes(buffer)),
          `${step} reads ${source}`,
        ).to.equal(true);
      }
      for (const port of ports) expect(inputs.map(({ name }) => name)).to.include(port);
    }
    expect(report.steps.at(-1)?.outputs).to.deep.equal(['logits']);
    expect(report.steps.slice(0, -1).flatMap(({ outputs }) => outputs)).to.deep.equal([]);
  });

  it('names lines of the model that are there, and hold the call that it says', async () => {
    const source = (await readFile(path.join(checkout, 'compiler/families/bert.ts'), 'utf8')).split('\n');
    expect(report.sources.map(({ file }) => file)).to.deep.equal(['atpc/families/bert.ts']);
    for (const [line, text] of Object.entries(report.sources[0]?.lines ?? {})) expect(source[Number(line) - 1]).to.equal(text);
    const calls = new Set<string>();
    for (const { at } of report.nodes) {
      if (at === undefined) continue;
      const [, line, column] = at;
      calls.add(/^nn\.\w+/.exec((source[line - 1] ?? '').slice(column - 1))?.[0] ?? '');
    }
    expect([...calls]).to.include.members(['nn.linear', 'nn.attention', 'nn.layerNorm', 'nn.embedding', 'nn.tanh']);
    const wide = report.steps.find(({ title, layer }) => layer === 1 && title === 'wide');
    expect(wide?.nodes.map((index) => report.nodes[index]?.op)).to.deep.equal(['matmul', 'add', 'gelu']);
    expect(wide?.lines).to.have.length(1);
  });

  it('counts the work of products, and of attention only what inputs of that length need', () => {
    // Query, key and value of a layer in one product: 384 by 1152, then the bias.
    const projection = report.steps.find(({ layer, kind }) => layer === 0 && kind === 'gemm');
    expect(projection?.flops).to.equal(2 * 128 * 384 * 1152 + 128 * 1152);
    expect(projection?.bytes).to.equal(4 * (128 * 384 + 384 * 1152 + 1152 + 128 * 1152));
    const attention = report.steps.find(({ kind }) => kind === 'attention');
    expect(attention?.gatheredFlops)
      .to.be.above(0)
      .and.below(attention?.flops ?? 0);
  });

  it('says that short inputs build no clusters, and stay dense', async () => {
    const short = JSON.parse((await atpc(['explain', sentiment, '--tokens', '32', '--json'])).stdout) as ExplainReport;
    for (const step of short.steps.filter(({ kind }) => kind === 'cluster')) {
      expect(step).to.include({ runs: false, flops: 0, bytes: 0, predictedMilliseconds: 0 });
    }
    const attention = short.steps.find(({ kind }) => kind === 'attention');
    // Both products, 12 heads of 32: q k and p v.
    expect(attention?.flops).to.equal(2 * 12 * 32 * 32 * (32 + 32));
    expect(attention?.gatheredFlops).to.equal(0);
  });

  it('lists explain.json in the manifest, without any path of this machine', async () => {
    const manifest = await read<Manifest>('manifest.json');
    expect(manifest.files.map(({ path: file }) => file)).to.include('explain.json');
    const text = await readFile(path.join(sentiment, 'explain.json'), 'utf8');
    expect(text).not.to.include(checkout).and.not.include(folder);
    const explanation = JSON.parse(text) as Explanation;
    for (const { costs, bytes } of explanation.steps) {
      for (const size of [bytes, ...costs.map(({ flops }) => flops)])
        expect(evaluateExpression(size, { batch: 1, seq: 7 })).to.be.at.least(0);
    }
  });

  it('explains a model as it would be compiled, and prints the reasons in full', async () => {
    const { code, stdout, stderr } = await atpc(['explain', sentimentModel, '--attn', 'expand', '--tokens', '128']);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(/^Layer 2 /m)
      .and.match(/attention_keys_expand .*select_clusters, attention +bert\.ts:\d+/);
    for (const boundary of new Set(report.steps.map((step) => step.boundary)))
      expect(stdout).to.include(`${boundary}: ${boundaryReasons[boundary]}`);
    const json = JSON.parse(
      (await atpc(['explain', sentimentModel, '--attn', 'expand', '--tokens', '128', '--json'])).stdout,
    ) as ExplainReport;
    expect(json.steps).to.deep.equal(report.steps);
  });

  it('measures every step that runs', async () => {
    const args = ['explain', sentiment, '--tokens', '64', '--profile', '--runs', '3', '--json'];
    const { code, stdout, stderr } = await atpc(args);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    const { steps, measured, total } = JSON.parse(stdout) as ExplainReport;
    for (const { measured: time } of steps)
      expect(time?.min)
        .to.be.at.least(0)
        .and.at.most(time?.median ?? -1);
    expect(total.measuredMilliseconds)
      .to.be.above(0)
      .and.below((measured?.run.max ?? 0) * 1.01);
    expect(measured?.how).to.include('3 runs');
  });

  it('writes a page that holds the report, and loads nothing', async () => {
    await inScratch(async (cwd) => {
      const { code } = await atpc(['explain', sentiment, '--tokens', '128', '--html', 'page.html', '--quiet'], { cwd });
      expect(code).to.equal(0);
      const page = await readFile(path.join(cwd, 'page.html'), 'utf8');
      const data = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(page)?.[1] ?? '';
      expect(JSON.parse(data)).to.deep.equal(report);
      expect(page).to.include("default-src 'none'");
      expect(page.replaceAll('http://www.w3.org/2000/svg', '')).not.to.match(/https?:|\bimport\b[^"']*["']|src=|href=/);
    });
  });

  it('refuses options of models for a package, and a damaged explain.json', async () => {
    const { code, stderr } = await atpc(['explain', sentiment, '--attn', 'dense']);
    expect(stderr).to.match(/^ATPC-301: --attn /);
    expect(code).to.equal(2);
    const file = path.join(sentiment, 'explain.json');
    const whole = await readFile(file);
    await writeFile(file, Buffer.concat([whole, Buffer.from(' ')]));
    const damaged = await atpc(['explain', sentiment]);
    await writeFile(file, whole);
    expect(damaged.stderr).to.match(/^ATPC-402: .*explain\.json/);
    expect(damaged.code).to.equal(1);
  });
});
