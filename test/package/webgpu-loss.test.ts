import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import type { StepTime } from '../../runtime/api.ts';
import { requires } from '../requirements.ts';
import { webgpuIsThere } from '../webgpu-adapter.ts';
import { expectedAnswer, maxTokens, slowId } from './tiny-generator.ts';
import { expectedLogits, refusal, TemporaryFolder } from './tiny-package.ts';
import { writeGeneratorWebGpu, writeTinyWebGpu } from './tiny-webgpu.ts';
import { loadHere, WatchedDevices } from './webgpu-thread.ts';

const ids = [[2, 4, 6, 3]];
const rounds = (count: number): { data: number[]; shape: number[] } => ({ data: [count], shape: [] });
/** Some tenths of a second on a device in software. */
const slow = 1_000_000;

describe('a model on a device', function () {
  this.timeout(300_000);
  let folder: TemporaryFolder;
  before(async function () {
    requires(this, 'webgpu', webgpuIsThere());
    folder = await TemporaryFolder.create();
    await writeTinyWebGpu(folder.file('tiny'));
    await writeGeneratorWebGpu(folder.file('rewinds'), true, { rounds: 500_000 });
    await writeGeneratorWebGpu(folder.file('forgets'), false, { rounds: 500_000 });
  });
  after(() => folder?.remove());

  it('gets one submission a call, and shares its device with other models until the last is disposed of', async () => {
    using watched = new WatchedDevices();
    const tiny = await loadHere(folder.file('tiny'));
    const generator = await loadHere(folder.file('rewinds'));
    expect(watched.devices.length).to.equal(1);
    for (const length of [1, 4, 3, 4]) {
      const before = watched.submissions;
      await tiny.run({ input_ids: [Array.from({ length }, () => 4)] });
      expect(watched.submissions - before).to.equal(1);
    }
    const session = generator.session();
    const before = watched.submissions;
    const { ids: answer } = await session.generate([1, 2, 3], { maxTokens: 4 }).result;
    expect(answer).to.deep.equal(expectedAnswer([1, 2, 3], 4));
    // The prompt, and all tokens but the last.
    expect(watched.submissions - before).to.equal(1 + 3);
    let lost = false;
    void watched.last.lost.then(() => (lost = true));
    await tiny.dispose();
    await wait(20);
    expect(lost).to.equal(false);
    expect([...session.ids]).to.deep.equal([1, 2, 3, ...answer]);
    await generator.dispose();
    await watched.last.lost;
    await using again = await loadHere(folder.file('tiny'));
    expect(watched.devices.length).to.equal(2);
    expect([...((await again.run({ input_ids: ids }))['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
  });

  it('tells the time of each dispatch where the device has timestamps', async () => {
    const profiles: (readonly StepTime[])[] = [];
    const onProfile = (times: readonly StepTime[]): void => void profiles.push(times);
    {
      await using model = await loadHere(folder.file('tiny'), { onProfile });
      await model.run({ input_ids: [...ids, ...ids], rounds: rounds(100_000) });
      expect(profiles.at(-1)?.map(({ step }) => step)).to.deep.equal([0, 1, 1, 2]);
      const [spin, ...others] = profiles.at(-1) ?? [];
      for (const { milliseconds } of others) expect(milliseconds).to.be.below(spin?.milliseconds ?? NaN);
    }
    using _ = new WatchedDevices(() => undefined, 'timestamp-query');
    await using model = await loadHere(folder.file('tiny'), { onProfile });
    await model.run({ input_ids: ids, rounds: rounds(100_000) });
    expect(profiles.at(-1)?.map(({ step }) => step)).to.deep.equal([-1]);
    expect(profiles.at(-1)?.[0]?.milliseconds).to.be.above(0);
  });

  it('is put on another device when its own is lost: before a call, and while one runs', async () => {
    using watched = new WatchedDevices();
    await using model = await loadHere(folder.file('tiny'));
    const check = async (count: number): Promise<void> => {
      const { logits, spun } = await model.run({ input_ids: ids, rounds: rounds(count) });
      expect([...(logits?.data ?? [])]).to.deep.equal(expectedLogits(ids));
      expect([...(spun?.data ?? [])]).to.deep.equal(Array.from({ length: 64 }, () => count));
    };
    await check(3);
    watched.last.destroy();
    await check(4);
    expect(watched.devices.length).to.equal(2);
    const running = check(slow);
    await wait(100);
    watched.last.destroy();
    await running;
    expect(watched.devices.length).to.equal(3);
    // At once: nobody has been told of the loss yet.
    watched.last.destroy();
    await Promise.all([check(5), check(6)]);
    expect(watched.devices.length).to.equal(4);
  });

  it('rejects with ATPC-506 where devices do not last, and runs again when they do', async () => {
    let brittle = false;
    using watched = new WatchedDevices((device) => {
      if (brittle) setTimeout(() => device.destroy(), 20);
    });
    await using model = await loadHere(folder.file('tiny'));
    brittle = true;
    watched.last.destroy();
    expect(await refusal(model.run({ input_ids: ids, rounds: rounds(slow) }))).to.match(/ATPC-506.*lost.*4 times in a row/);
    expect(watched.devices.length).to.equal(4);
    brittle = false;
    expect([...((await model.run({ input_ids: ids }))['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
  });

  it('rejects with ATPC-506 where its files were handed over and cannot be read again', async () => {
    using watched = new WatchedDevices();
    await using model = await loadHere(folder.file('tiny'), { handedOver: true });
    await model.run({ input_ids: ids });
    watched.last.destroy();
    for (const _ of [1, 2]) expect(await refusal(model.run({ input_ids: ids }))).to.match(/ATPC-506.*cannot be read again/);
    expect(watched.devices.length).to.equal(1);
  });

  it('is lost with a file that has changed since', async () => {
    await writeTinyWebGpu(folder.file('changed'));
    using watched = new WatchedDevices();
    await using model = await loadHere(folder.file('changed'));
    await writeTinyWebGpu(folder.file('changed'), {
      parts: {
        writeWeights: (await import('./tiny-generator.ts').then(({ generatorParts }) => generatorParts(true))).writeWeights,
      },
    });
    watched.last.destroy();
    expect(await refusal(model.run({ input_ids: ids }))).to.match(/ATPC-506.*cannot be put on another one: ATPC-402/);
  });

  for (const name of ['rewinds', 'forgets'])
    it(`reads the tokens of its sessions again (${name})`, async () => {
      using watched = new WatchedDevices();
      await using model = await loadHere(folder.file(name));
      const [first, second] = [model.session(), model.session()];
      const long = Array.from({ length: 40 }, (_, index) => (index * 7) % 60);
      const prompts = new Map([
        [first, long],
        [second, [9, 8, 7]],
      ]);
      for (let round = 0; round < 3; round++) {
        for (const [session, prompt] of prompts) {
          const { ids: answer } = await session.generate(prompt, { maxTokens: 5 }).result;
          expect(answer).to.deep.equal(expectedAnswer(prompt, 5));
          prompts.set(session, [...prompt, ...answer, round]);
        }
        watched.last.destroy();
      }
      // In the middle of an answer, whose tokens come out whole.
      const prompt = prompts.get(first) ?? [];
      const pieces: number[] = [];
      for await (const piece of first.generate(prompt, { maxTokens: 12 })) {
        pieces.push(...piece.ids);
        if (pieces.length === 4) watched.last.destroy();
      }
      expect(pieces).to.deep.equal(expectedAnswer(prompt, 12));
      expect(first.ids).to.deep.equal([...prompt, ...pieces]);
      // What is saved after a loss is what would have been saved before it.
      const saved = await first.save();
      watched.last.destroy();
      expect(await first.save()).to.deep.equal(saved);
      watched.last.destroy();
      const restored = await model.restore(saved);
      const next = [...prompt, ...pieces, 1];
      expect((await restored.generate(next, { maxTokens: 3 }).result).ids).to.deep.equal(expectedAnswer(next, 3));
      // The logits of all tokens, read in a state of their own.
      const running = model.run({ input_ids: [[...long, slowId]] });
      await wait(20);
      watched.last.destroy();
      expect((await running)['logits']?.data.length).to.equal(41 * 64);
      expect(watched.devices.length).to.equal(8);
      expect(maxTokens).to.be.above(prompt.length);
    });

  it('goes on after a call that is aborted, whose results are dropped', async () => {
    await using model = await loadHere(folder.file('tiny'));
    const abort = new AbortController();
    const reason = new Error('no longer needed');
    const started = performance.now();
    await model.run({ input_ids: ids, rounds: rounds(5 * slow) });
    const whole = performance.now() - started;
    const running = model
      .run({ input_ids: ids, rounds: rounds(5 * slow) }, { signal: abort.signal })
      .catch((error: unknown) => error);
    await wait(50);
    const began = performance.now();
    abort.abort(reason);
    expect(await running).to.equal(reason);
    expect(performance.now() - began).to.be.below(whole / 2);
    const { spun } = await model.run({ input_ids: ids, rounds: rounds(7) });
    expect([...(spun?.data ?? [])]).to.deep.equal(Array.from({ length: 64 }, () => 7));
  });
});
