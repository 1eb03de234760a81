import { expect } from 'chai';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { BenchReport } from '../../compiler/cli/bench-command.ts';
import { spreadOf, stepMedians } from '../../compiler/cli/measure.ts';
import { mainEntryPoint, type Program } from '../../runtime/format/program.ts';
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { flopsARound, multiplyAddProbe, renderMultiplyAddProbe } from '../../compiler/codegen/wasm/multiply-add-probe.ts';
import { requires } from '../requirements.ts';
import { atpc, compileSentiment } from './command-line.ts';

describe('atpc bench', function () {
  this.timeout(300_000);
  let folder = '';
  let sentiment = '';

  before(async () => {
    ({ folder, sentiment } = await compileSentiment());
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('measures every pair of tokens and batch', async () => {
    const args = ['bench', sentiment, '--tokens', '16,48', '--batch', '1,2', '--runs', '3', '--warmup', '1'];
    const { code, stdout, stderr } = await atpc([...args, '--json']);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    const { results, backend } = JSON.parse(stdout) as BenchReport;
    expect(backend).to.equal('wasm');
    expect(results.map(({ tokens, batch }) => [tokens, batch])).to.deep.equal([
      [16, 1],
      [16, 2],
      [48, 1],
      [48, 2],
    ]);
    for (const { milliseconds, sequencesPerSecond, batch, runs } of results) {
      expect(runs).to.equal(3);
      expect(milliseconds.min).to.be.above(0).and.at.most(milliseconds.median);
      expect(milliseconds.max).to.be.at.least(milliseconds.median);
      expect(sequencesPerSecond).to.be.closeTo((batch * 1000) / milliseconds.median, 1e-9);
    }
    const { stdout: text } = await atpc(args);
    expect(text)
      .to.match(/^ +tokens +batch +runs +median +min +max +sequences\/s$/m)
      .and.match(/^ +48 +2 +3 /m);
  });

  it('profiles every kernel, with the work of the program, and writes a Chrome trace', async () => {
    const trace = path.join(folder, 'trace.json');
    const args = ['bench', sentiment, '--tokens', '128', '--runs', '2', '--warmup', '1', '--profile', '--trace', trace];
    const { code, stdout, stderr } = await atpc([...args, '--json']);
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    const program = JSON.parse(await readFile(path.join(sentiment, 'program.json'), 'utf8')) as Program;
    const steps = mainEntryPoint(program).steps.flatMap((step) => (step.kind === 'dispatch' ? [step] : []));

    const report = JSON.parse(stdout) as BenchReport;
    const [result] = report.results;
    const profile = result?.profile ?? [];
    expect(profile.map(({ kernel }) => kernel)).to.have.members([...new Set(steps.map(({ kernel }) => kernel))]);
    expect(profile.reduce((sum, { dispatches }) => sum + dispatches, 0)).to.equal(steps.length);
    expect(profile.reduce((sum, { share }) => sum + share, 0)).to.be.closeTo(1, 1e-9);
    const total = profile.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    expect(total)
      .to.be.above(0)
      .and.at.most((result?.milliseconds.max ?? 0) * 1.01);
    // Three layers of 12 heads and 128 tokens: key, query and value of one layer are one product of 384 by 1152.
    const projections = profile.find(({ kernel }) => kernel === 'gemm_bias');
    expect(projections?.flops).to.be.above(3 * 2 * 128 * 384 * 1152);
    expect(projections?.gflopsPerSecond).to.be.closeTo((projections?.flops ?? 0) / (projections?.milliseconds ?? 1) / 1e6, 1e-6);

    const { simdLimit } = report;
    const { plain, relaxed } = simdLimit && 'plain' in simdLimit ? simdLimit : { plain: NaN, relaxed: NaN };
    expect(plain).to.be.above(0);
    if (hasFeature('relaxed-simd')) expect(relaxed).to.be.above(0);
    else expect(relaxed).to.equal(null);
    const limit = (relaxed ?? plain) * report.threads.used;
    const bound = profile.filter(({ kind }) => kind === 'gemm' || kind === 'attention');
    expect(new Set(bound.map(({ kind }) => kind))).to.have.all.keys('gemm', 'attention');
    for (const { shareOfLimit, gflopsPerSecond } of bound) {
      expect(shareOfLimit).to.be.closeTo((gflopsPerSecond ?? NaN) / limit, 1e-9);
    }
    const others = profile.filter((kernel) => !bound.includes(kernel));
    expect(others.map(({ shareOfLimit }) => shareOfLimit)).to.deep.equal(others.map(() => null));

    const { traceEvents } = JSON.parse(await readFile(trace, 'utf8')) as {
      traceEvents: { ph: string; cat?: string; ts: number; dur: number; name: string }[];
    };
    const runs = traceEvents.filter(({ cat }) => cat === 'run');
    expect(runs).to.have.length(2);
    const dispatches = traceEvents.filter(({ ph, cat }) => ph === 'X' && cat !== 'run');
    expect(dispatches).to.have.length(2 * steps.length);
    expect(dispatches.slice(0, steps.length).map(({ name }) => name)).to.deep.equal(steps.map(({ label }) => label));
    for (const { ts, dur } of dispatches) {
      const around = runs.filter((run) => run.ts <= ts + 0.01 && ts + dur <= run.ts + run.dur + 0.01);
      expect(around).to.have.length(1);
    }
  });

  it('prints the limit and the share of it with a profile, and neither without', async () => {
    const args = ['bench', sentiment, '--tokens', '16', '--runs', '1', '--warmup', '0'];
    const { stdout } = await atpc([...args, '--profile']);
    expect(stdout).to.match(/^SIMD limit of a core: \d+\.\d GFLOP\/s /m);
    expect(stdout).to.match(/^ +kernel .* GFLOP\/s +% of SIMD limit$/m);
    expect(stdout).to.match(/^ +gemm_bias .* \d+ %$/m);
    expect((await atpc(args)).stdout).not.to.contain('SIMD limit');
    expect(JSON.parse((await atpc([...args, '--json'])).stdout)).not.to.have.property('simdLimit');
  });

  it('takes the threads that it is told to', async () => {
    for (const threads of ['1', '2']) {
      const args = ['bench', sentiment, '--tokens', '16', '--runs', '1', '--warmup', '0', '--threads', threads, '--json'];
      const { threads: found } = JSON.parse((await atpc(args)).stdout) as BenchReport;
      expect(found.used).to.equal(Number(threads));
    }
  });

  it('measures texts with their tokenizer', async () => {
    const args = ['bench', sentiment, '--text', 'A fine film.', '--text', 'Dull.', '--runs', '2', '--warmup', '0', '--json'];
    const { results } = JSON.parse((await atpc(args)).stdout) as BenchReport;
    expect(results).to.have.length(1);
    expect(results[0]).to.include({ tokens: null, batch: 2, runs: 2 });
  });

  for (const [what, args, says] of [
    ['lengths that the model does not take', ['--tokens', '513'], /^ATPC-301: --tokens 513 .*1 to 512/],
    ['texts and lengths at once', ['--tokens', '5', '--text', 'a'], /^ATPC-301: /],
    ['no runs', ['--runs', '0'], /^ATPC-301: --runs/],
    ['no threads', ['--threads', '0'], /^ATPC-301: --threads/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await atpc(['bench', sentiment, ...args, '--quiet']);
      expect(stderr).to.match(says);
      expect(code).to.equal(2);
    });
  }
});

describe('medians', () => {
  it('are the middle value, or the mean of the two in the middle', () => {
    expect(spreadOf([3, 1, 2])).to.deep.equal({ median: 2, min: 1, max: 3 });
    expect(spreadOf([4, 1, 2, 100])).to.deep.equal({ median: 3, min: 1, max: 100 });
    expect(spreadOf([5])).to.deep.equal({ median: 5, min: 5, max: 5 });
  });

  it('add up the times of a step that runs several times in one run', () => {
    const at = (step: number, milliseconds: number) => ({ step, start: 0, milliseconds });
    const medians = stepMedians([
      [at(0, 1), at(1, 2), at(1, 3)],
      [at(0, 3), at(1, 4), at(1, 5)],
    ]);
    expect(medians.get(0)?.median).to.equal(2);
    expect(medians.get(1)).to.deep.equal({ median: 7, min: 5, max: 9 });
  });
});

describe('the probe of the SIMD limit', () => {
  for (const relaxedSimd of [false, true]) {
    it(`runs the multiply-adds that it counts, ${relaxedSimd ? 'fused' : 'apart'}`, async function () {
      if (relaxedSimd) requires(this, 'relaxed-simd', hasFeature('relaxed-simd'));
      const instructions = (name: string): number => renderMultiplyAddProbe(relaxedSimd).split(`(f32x4.${name}`).length - 1;
      // Four lanes, two FLOPs each.
      if (relaxedSimd) expect(instructions('relaxed_madd') * 8).to.equal(flopsARound);
      else expect((instructions('mul') + instructions('add')) * 4).to.equal(flopsARound);

      const probe = await multiplyAddProbe(relaxedSimd);
      const start = probe.sums();
      probe.run(1);
      // The factor and the term are 1/2: each step halves the distance to 1, exactly.
      const steps = flopsARound / 8 / (start.length / 4);
      expect([...probe.sums()]).to.deep.equal([...start].map((value) => 1 - (1 - value) / 2 ** steps));
      probe.run(1000);
      expect([...probe.sums()]).to.deep.equal([...start].map(() => 1));
    });
  }
});
