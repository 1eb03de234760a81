import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { Model, NamedInputs } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';
import { expectedLogits, loadTiny, refusal, TemporaryFolder, tinyParts, writeTiny } from './tiny-package.ts';

const ids = [[2, 4, 6, 3]];
const rounds = (count: number): { data: number[]; shape: number[] } => ({ data: [count], shape: [] });
/** About this many rounds take `milliseconds` on this machine; measured twice, since the first calls run unoptimised code. */
async function roundsFor(model: Model, milliseconds: number): Promise<number> {
  let count = 20_000;
  for (const _ of [1, 2]) {
    const began = performance.now();
    await model.run({ input_ids: ids, rounds: rounds(count) });
    count = Math.ceil((count * milliseconds) / (performance.now() - began));
  }
  return count;
}

for (const threads of [1, 2])
  describe(`a loaded model with ${threads} ${threads === 1 ? 'thread' : 'threads'}`, () => loadedModel(threads));

function loadedModel(threads: number): void {
  let folder: TemporaryFolder;
  let manifest: Manifest;
  let model: Model;
  let long: number;
  before(async () => {
    folder = await TemporaryFolder.create();
    ({ manifest } = await writeTiny(folder.file('tiny')));
    model = await loadTiny(folder.file('tiny'), { threads });
    long = await roundsFor(model, 400);
  });
  after(async () => {
    await model.dispose();
    await folder.remove();
  });

  it('leaves the event loop free while it runs', async () => {
    let last = performance.now();
    let longestGap = 0;
    let ticks = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      longestGap = Math.max(longestGap, now - last);
      last = now;
      ticks += 1;
    }, 5);
    const began = last;
    await model.run({ input_ids: ids, rounds: rounds(long) });
    const elapsed = performance.now() - began;
    clearInterval(timer);
    // Blocked, it would tick once, with a gap as long as the run; the machine may be busy with other things.
    expect(elapsed).to.be.above(100);
    expect(ticks).to.be.above(elapsed / 5 / 5);
    expect(longestGap).to.be.below(elapsed / 2);
  });

  it('runs calls one after the other, in the order in which they came', async () => {
    const order: string[] = [];
    const call = async (name: string, count: number): Promise<number | undefined> => {
      const { spun } = await model.run({ input_ids: ids, rounds: rounds(count) });
      order.push(name);
      return spun?.data[0];
    };
    const results = await Promise.all([call('long', Math.ceil(long / 4)), call('short', 7), call('none', 0)]);
    expect(order).to.deep.equal(['long', 'short', 'none']);
    expect(results).to.deep.equal([Math.ceil(long / 4), 7, 0]);
  });

  it('copies its inputs when it is called', async () => {
    const data = Int32Array.from(ids.flat());
    const running = model.run({ input_ids: { data, shape: [1, 4] }, rounds: rounds(1000) });
    data.fill(5);
    expect([...((await running)['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
    expect(data.length, 'the array stays the callers').to.equal(4);
  });

  it('aborts a call that runs, with the reason of the signal, and goes on with the next call', async () => {
    const abort = new AbortController();
    const reason = { why: 'no longer needed' };
    // A length that no call has had yet: how long its dispatches take is not known.
    const running = model.run({ input_ids: [[2, 4, 3]], rounds: rounds(long * 10) }, { signal: abort.signal });
    const waiting = model.run({ input_ids: ids }, { signal: abort.signal });
    const after = model.run({ input_ids: ids });
    setTimeout(() => abort.abort(reason), 100);
    const began = performance.now();
    for (const aborted of [running, waiting]) {
      try {
        await aborted;
        expect.fail('The call was not aborted.');
      } catch (error) {
        expect(error).to.equal(reason);
      }
    }
    await after;
    // 100 ms until the abort, and a call that would have taken four seconds and more.
    expect(performance.now() - began).to.be.below(2000);
    const before = AbortSignal.abort(reason);
    expect(await model.run({ input_ids: ids }, { signal: before }).catch((error: unknown) => error)).to.equal(reason);
  });

  it('grows its memory only for larger inputs than ever before, as the formula says', async () => {
    await using fresh = await loadTiny(folder.file('tiny'), { selfTest: false, threads });
    const at = async (batch: number, seq: number): Promise<number> => {
      await fresh.run({ input_ids: { data: new Int32Array(batch * seq).fill(4), shape: [batch, seq] } });
      return fresh.memoryBytes;
    };
    const small = await at(1, 4);
    const large = await at(8, 4096);
    expect(large).to.be.above(small);
    // The scratch of one thread, 64 bytes, is in the manifest's formula.
    const formula = evaluateExpression(manifest.targets[0]?.memory.total ?? NaN, { batch: 8, seq: 4096 }) + (threads - 1) * 64;
    expect(large).to.be.within(formula, formula + 65536);
    for (const [batch, seq] of [
      [1, 1],
      [4, 4096],
      [8, 100],
      [8, 4096],
    ] as const)
      expect(await at(batch, seq)).to.equal(large);
    expect(fresh.info().memory).to.include({ bytes: large, peakBytes: large, maximumBytes: formula });
  });

  it('checks inputs with sentences that name them', async () => {
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [{}, /ATPC-601.*'input_ids' is missing/],
      [{ input_ids: ids, attention_msk: ids }, /ATPC-601.*no input 'attention_msk'/],
      [[1], /ATPC-601.*named inputs/],
      [{ input_ids: 'text' }, /ATPC-601.*not a tensor/],
      [{ input_ids: { data: Float32Array.of(1), shape: [1, 1] } }, /ATPC-601.*Float32Array; it takes Int32Array/],
      [{ input_ids: [[1.5]] }, /ATPC-601.*value 1\.5/],
      [{ input_ids: [[2n ** 40n]] }, /ATPC-601.*value 1099511627776/],
      [{ input_ids: { data: [1, 2, 3], shape: [2, 2] } }, /ATPC-602.*3 values; its shape \[2, 2\] needs 4/],
      [{ input_ids: [[1, 2], [3]] }, /ATPC-602.*shape \[2, 2\]/],
      [{ input_ids: [1, 2] }, /ATPC-602.*shape \[2\]; the model takes \[batch, seq\]/],
      [{ input_ids: ids, attention_mask: [[1, 1, 1]] }, /ATPC-602.*\[1, 3\].*seq is 4 in 'input_ids'/],
      [{ input_ids: [] }, /ATPC-602/],
      [{ input_ids: { data: new Int32Array(4097), shape: [1, 4097] } }, /ATPC-603.*seq = 4097; the model allows at most 4096/],
      [{ input_ids: [[4, 10]] }, /ATPC-604.*id 10 at position 1; ids go from 0 to 9/],
      [{ input_ids: [[-1]] }, /ATPC-604/],
      [{ input_ids: ids, trap: { data: [2], shape: [] } }, /ATPC-601.*'trap' holds the value 2/],
    ];
    for (const [inputs, message] of cases) expect(await refusal(model.run(inputs as NamedInputs))).to.match(message);
    for (const data of [
      BigInt64Array.from(ids.flat(), BigInt),
      ids.flat(),
      ids.flat().map(BigInt),
      Uint8Array.from(ids.flat()),
    ]) {
      const { logits } = await model.run({ input_ids: { data, shape: [1, 4] } });
      expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(ids));
    }
    expect(await refusal(model.run({ input_ids: ids }, { sigal: 1 } as object))).to.match(/ATPC-607.*run has no option 'sigal'/);
  });

  it('classifies texts in batches by length, in the order given', async () => {
    const texts = [
      'Good films.',
      'bad',
      'a a a a a a a a a',
      '',
      'Bad films',
      'unheard',
      'good',
      'good a',
      'film',
      'a bad film.',
    ];
    const results = await model.classify(texts);
    for (const [index, text] of texts.entries()) {
      const { ids: alone } = model.tokenize(text);
      const logits = expectedLogits([[...alone]]);
      const powers = logits.map(Math.exp);
      const sum = powers.reduce((a, b) => a + b, 0);
      expect(results[index]?.label).to.equal(['negative', 'neutral', 'positive'][logits.indexOf(Math.max(...logits))]);
      expect(results[index]?.scores['positive']).to.be.closeTo((powers[2] ?? NaN) / sum, 1e-6);
      expect(results[index]?.score).to.be.closeTo(Math.max(...powers) / sum, 1e-6);
    }
    expect(await model.classify('bad')).to.deep.equal((await model.classify(['bad']))[0]);
    expect(await model.classify([])).to.deep.equal([]);
    expect(model.tokenize('a a a a a a a a a')).to.deep.equal({
      ids: [2, 7, 7, 7, 7, 3],
      tokens: ['[CLS]', 'a', 'a', 'a', 'a', '[SEP]'],
      truncated: true,
    });
    expect(await refusal(model.classify([1] as unknown as string[]))).to.match(/ATPC-601.*element 0/);
    expect(await refusal(model.embed('a'))).to.match(/ATPC-605.*cannot embed.*made to classify/);
  });

  it('embeds, and scales where asked', async () => {
    const task = { kind: 'embed', output: 'logits', normalized: false, size: 3 } as const;
    await writeTiny(folder.file('embed'), { task });
    await using embedder = await loadTiny(folder.file('embed'), { threads });
    const raw = await embedder.embed('good films');
    expect([...raw]).to.deep.equal(expectedLogits([[2, 4, 6, 8, 3]]));
    const [scaled] = await embedder.embed(['good films'], { normalize: true });
    expect(Math.hypot(...(scaled ?? []))).to.be.closeTo(1, 1e-6);
    await writeTiny(folder.file('normalized'), { task: { ...task, normalized: true } });
    await using normalized = await loadTiny(folder.file('normalized'), { threads });
    expect(await refusal(normalized.embed('a', { normalize: false }))).to.match(/ATPC-605/);
  });

  it('refuses texts with a sentence where the package has no tokenizer', async () => {
    await writeTiny(folder.file('tensors'), { tokenizer: null, task: { kind: 'tensors' } });
    await using tensors = await loadTiny(folder.file('tensors'), { threads });
    for (const call of [tensors.embed('a'), tensors.classify('a')])
      expect(await refusal(call)).to.match(/ATPC-605.*takes tensors only/);
    expect(() => tensors.tokenize('a')).to.throw(/ATPC-605/);
    expect((await tensors.run({ input_ids: ids }))['logits']?.shape).to.deep.equal([1, 3]);
  });

  it('has sessions, which end on their own', async () => {
    const session = model.session();
    expect([...((await session.run({ input_ids: ids }))['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
    session.dispose();
    expect(await refusal(session.run({ input_ids: ids }))).to.match(/ATPC-606.*session/);
    await model.run({ input_ids: ids });
  });

  it('tells what it is', () => {
    const info = model.info();
    expect(info).to.deep.include({ name: 'tiny', backend: 'wasm', compilerVersion: '0.1.0', approximations: [] });
    expect(info.why).to.be.a('string').and.not.equal('');
    expect(info.threads).to.deep.equal({ used: threads, why: 'asked for' });
  });

  it('rejects everything when it is disposed of', async () => {
    const short = await loadTiny(folder.file('tiny'), { threads });
    const calls = [short.run({ input_ids: ids, rounds: rounds(long * 10) }), short.run({ input_ids: ids }), short.classify('a')];
    const refused = Promise.all(calls.map(refusal));
    await short.dispose();
    for (const message of await refused) expect(message).to.match(/ATPC-606/);
    expect(await refusal(short.run({ input_ids: ids }))).to.match(/ATPC-606/);
    expect(() => short.session()).to.throw(/ATPC-606/);
    expect(short.memoryBytes).to.equal(0);
    await short.dispose();
  });

  it('rejects all calls with ATPC-503 when its worker dies, and names the kernel that trapped', async () => {
    const doomed = await loadTiny(folder.file('tiny'), { threads });
    const calls = [doomed.run({ input_ids: ids, trap: { data: [true], shape: [] } }), doomed.run({ input_ids: ids })];
    for (const message of await Promise.all(calls.map(refusal)))
      expect(message).to.match(/ATPC-503.*the kernel of 'spun' stopped: unreachable/);
    const error: unknown = await doomed.run({ input_ids: ids }).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(AtpcError).and.to.include({ code: 'ATPC-503', hint: 'Load the model again.' });
    await doomed.dispose();
  });

  it('lets the process end, with and without dispose, and fails in it with a code', async () => {
    const script = folder.file('script.mjs');
    const text = (end: string): string => `
      import { load, AtpcError } from './tiny/index.js';
      const model = await load({ threads: ${threads} });
      const { logits } = await model.run({ input_ids: ${JSON.stringify(ids)} });
      try { await model.run({}); } catch (error) { console.log(error instanceof AtpcError, error.code); }
      console.log(JSON.stringify([...logits.data]));
      ${end}`;
    for (const end of ['', 'await model.dispose();']) {
      await writeFile(script, text(end));
      const { stdout, status, stderr } = spawnSync(process.execPath, [script], {
        encoding: 'utf8',
        timeout: 20_000,
        env: { PATH: process.env['PATH'] },
      });
      expect(stderr).to.equal('');
      expect(stdout).to.equal(`true ATPC-601\n${JSON.stringify(expectedLogits(ids))}\n`);
      expect(status).to.equal(0);
    }
  });

  it('needs no code from strings', async () => {
    const script = folder.file('strict.mjs');
    await writeFile(
      script,
      `import { load } from './tiny/index.js';\nconst model = await load({ threads: ${threads} });\nconsole.log((await model.classify('good')).label);\n`,
    );
    const flags = ['--disallow-code-generation-from-strings', script];
    const { stdout, stderr } = spawnSync(process.execPath, flags, {
      encoding: 'utf8',
      timeout: 20_000,
      env: { PATH: process.env['PATH'] },
    });
    expect(stderr).to.equal('');
    expect(stdout.trim()).to.be.oneOf(['negative', 'neutral', 'positive']);
    expect((await tinyParts()).task).to.deep.include({ kind: 'classify' });
  });
}
