import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { GeneratedPiece, Generation, Model, Session } from '../../runtime/api.ts';
import { chunk, endId, expectedAnswer, expectedLogits, maxTokens, slowId, specialId, writeGenerator } from './tiny-generator.ts';
import { loadTiny, refusal, TemporaryFolder, writeTiny } from './tiny-package.ts';

/** A prompt whose answer has at least so many tokens. */
function promptFor(seed: number, length: number, answer = 20): number[] {
  for (let at = seed * 1000; ; at++) {
    const prompt = Array.from({ length }, (_, index) => (at * 7 + index * 11 + ((at * index) % 5)) % 60);
    if (expectedAnswer(prompt, answer).length === answer) return prompt;
  }
}
async function piecesOf(generation: Generation): Promise<GeneratedPiece[]> {
  const pieces: GeneratedPiece[] = [];
  for await (const piece of generation) pieces.push(piece);
  return pieces;
}
const isSlow = (prompt: readonly number[]): number[] => [...prompt.slice(0, -1), slowId];

for (const rewinds of [true, false])
  for (const threads of [1, 2])
    describe(`sessions whose state ${rewinds ? 'keeps all tokens' : 'is written over'}, ${threads} thread(s)`, () =>
      suite(rewinds, threads));

function suite(rewinds: boolean, threads: number): void {
  let folder: TemporaryFolder;
  let model: Model;
  before(async () => {
    folder = await TemporaryFolder.create();
    await writeGenerator(folder.file('tiny'), rewinds);
    model = await loadTiny(folder.file('tiny'), { threads });
  });
  after(async () => {
    await model.dispose();
    await folder.remove();
  });
  const expectAnswer = async (session: Session, prompt: readonly number[], count = 12): Promise<number> => {
    const { ids, reusedTokens } = await session.generate(prompt, { maxTokens: count }).result;
    expect(ids).to.deep.equal(expectedAnswer(prompt, count));
    return reusedTokens;
  };

  it('give the logits of every token, whatever the pieces', async () => {
    for (const length of [1, chunk - 1, chunk, chunk + 1, 3 * chunk + 2]) {
      const prompt = promptFor(1, length);
      const { logits } = await model.run({ input_ids: { data: prompt, shape: [1, length] } });
      expect(logits?.shape).to.deep.equal([1, length, 64]);
      expect([...(logits?.data ?? [])]).to.deep.equal(prompt.flatMap((_, at) => expectedLogits(prompt.slice(0, at + 1))));
    }
  });

  it('answer prompts of any length, in pieces that are the whole', async () => {
    for (const length of [1, chunk, chunk + 1, 5 * chunk]) {
      const prompt = promptFor(2, length);
      const generation = model.generate(prompt, { maxTokens: 20 });
      const pieces = await piecesOf(generation);
      const result = await generation.result;
      expect(result.ids).to.deep.equal(expectedAnswer(prompt, 20));
      expect(pieces.flatMap(({ ids }) => ids)).to.deep.equal(result.ids);
      expect(pieces.map(({ text }) => text).join('')).to.equal(result.text);
      expect(result).to.include({ promptTokens: length, reusedTokens: 0, finish: 'length' });
    }
  });

  it('stop at an end token, at a stop string, and at the length', async () => {
    const session = model.session();
    const whole = await session.generate('abc', { maxTokens: 40 }).result;
    const expected = expectedAnswer([0, 1, 2], 40);
    expect(whole.ids).to.deep.equal(expected);
    expect(whole.finish).to.equal(expected.length < 40 ? 'end' : 'length');
    expect(await session.generate([...expectedAnswerPrompt()], { maxTokens: 50 }).result).to.include({ finish: 'end' });
    const stop = whole.text.slice(3, 5);
    const stopped = await session.generate('abc', { stop: ['never comes', stop], maxTokens: 40 }).result;
    expect(stopped.finish).to.equal('stop');
    expect(stopped.text).to.equal(whole.text.slice(0, whole.text.indexOf(stop)));
    const full = await session.generate(promptFor(3, maxTokens - 3, 3)).result;
    expect(full).to.include({ finish: 'length' });
    expect(full.ids).to.have.length(3);
  });
  /** A prompt whose answer comes to an end. */
  function expectedAnswerPrompt(): readonly number[] {
    for (let at = 0; ; at++)
      if (expectedAnswer([at % 60, Math.floor(at / 60)], 50).length < 50) return [at % 60, Math.floor(at / 60)];
  }

  it('do not read again what they have read', async () => {
    const session = model.session();
    const prompt = promptFor(4, 20);
    expect(await expectAnswer(session, prompt)).to.equal(0);
    const longer = [...session.ids, 5, 6, 7];
    // The last token that was generated is in the text and not in the state.
    expect(await expectAnswer(session, longer)).to.equal(prompt.length + 11);
    const before = session.ids.length - 1;
    expect(await expectAnswer(session, prompt)).to.equal(rewinds ? prompt.length - 1 : 0);
    expect(before).to.be.above(prompt.length);
    expect(await expectAnswer(session, [...prompt.slice(0, 10), 9, 9])).to.equal(rewinds ? 10 : 0);
    expect(await expectAnswer(session, [59, ...prompt])).to.equal(0);
    session.dispose();
  });

  it('queue their calls up, and go on in turn without mixing', async () => {
    const session = model.session();
    const four = [1, 2, 3, 4].map((seed) => promptFor(seed, 17 + seed));
    await Promise.all(four.map((prompt) => expectAnswer(session, prompt)));
    const order: number[] = [];
    const sessions = four.map(() => model.session());
    await Promise.all(
      four.map(async (prompt, index) => {
        const generation = (sessions[index] as Session).generate(prompt, { maxTokens: 20 });
        for await (const { ids } of generation) order.push(...ids.map(() => index));
        expect((await generation.result).ids).to.deep.equal(expectedAnswer(prompt, 20));
      }),
    );
    // None has its whole answer before another has begun.
    const lastStart = Math.max(...four.map((_, index) => order.indexOf(index)));
    const firstEnd = Math.min(...four.map((_, index) => order.lastIndexOf(index)));
    expect(lastStart).to.be.below(firstEnd);
    for (const each of [...sessions, session]) each.dispose();
  });

  it('are aborted between calls and inside them, 200 times, and stay usable', async function () {
    this.timeout(300_000);
    const session = model.session();
    await expectAnswer(session, promptFor(5, 30));
    const { memoryBytes } = model;
    for (let round = 0; round < 200; round++) {
      const abort = new AbortController();
      const reason = new Error(`stop ${round}`);
      const prompt = promptFor(6, 18 + (round % 20));
      const generation = session.generate(round % 2 ? isSlow(prompt) : prompt, { signal: abort.signal });
      if (round % 4 < 2) setTimeout(() => abort.abort(reason), round % 8);
      let pieces = 0;
      try {
        for await (const _ of generation) {
          pieces += 1;
          if (round % 4 >= 2 && pieces === 3) abort.abort(reason);
        }
        // Aborted too late, or at its end by itself.
      } catch (error) {
        expect(error).to.equal(reason);
        expect(await generation.result.catch((caught: unknown) => caught)).to.equal(reason);
      }
      if (round % 10 === 9) {
        const next = [...session.ids, ...promptFor(7, 5)].slice(0, 150);
        await expectAnswer(session, next);
        await expectAnswer(session, [...session.ids, 1]);
      }
    }
    expect(model.memoryBytes).to.equal(memoryBytes);
    session.dispose();
  });

  it('stop an answer inside a call', async () => {
    const session = model.session();
    const abort = new AbortController();
    const long = isSlow(promptFor(8, 40));
    let began = performance.now();
    await session.generate(long, { maxTokens: 1 }).result;
    const whole = performance.now() - began;
    began = performance.now();
    expect(whole, 'long enough to be stopped').to.be.above(40);
    setTimeout(() => abort.abort('stop'), 20);
    const other = [0, ...long.slice(1)];
    expect(await session.generate(other, { signal: abort.signal }).result.catch(String)).to.equal('stop');
    // The call that stopped was that of the last piece; what it had written over is lost.
    expect(session.ids).to.deep.equal(rewinds ? other.slice(0, 2 * chunk) : []);
    // Another session has its turn when the call has stopped, not when it would have ended.
    await expectAnswer(model.session(), promptFor(9, 5));
    expect(performance.now() - began).to.be.below(2 * whole + 500);
    await expectAnswer(session, promptFor(9, 25));
  });

  it('leave no growth of memory after 1,000 of them, and no text of one in another', async function () {
    this.timeout(300_000);
    const prompt = promptFor(10, 20);
    for (let round = 0; round < 5; round++) await expectAnswer(model.session(), prompt, 2);
    const { memoryBytes } = model;
    for (let round = 0; round < 1000; round++) {
      const session = model.session();
      await expectAnswer(session, [round % 60, ...prompt.slice(0, round % 20)], 2);
      expect(session.stateBytes).to.equal(4 * maxTokens);
      session.dispose();
    }
    expect(model.memoryBytes).to.equal(memoryBytes);
  });

  it('are saved and restored', async () => {
    const session = model.session();
    expect(session.stateBytes).to.equal(0);
    const empty = await model.restore(await session.save());
    expect(empty.ids).to.deep.equal([]);
    const prompt = promptFor(11, 20);
    await expectAnswer(session, prompt);
    const bytes = await session.save();
    const next = [...session.ids, 3];
    const restored = await model.restore(bytes);
    expect(restored.ids).to.deep.equal(session.ids);
    const reused = await expectAnswer(restored, next);
    expect(reused).to.equal(prompt.length + 11);
    expect(await expectAnswer(session, next)).to.equal(reused);
    // In another copy of the package too.
    await using other = await loadTiny(folder.file('tiny'));
    expect(await expectAnswer(await other.restore(bytes), next)).to.equal(reused);
  });

  it('refuse saved bytes that are not theirs', async () => {
    const session = model.session();
    await expectAnswer(session, promptFor(12, 20));
    const bytes = await session.save();
    const state = model.memoryBytes;
    expect(await refusal(model.restore(new Uint8Array()))).to.match(/ATPC-608.*not those of a session/);
    expect(await refusal(model.restore(bytes.slice(0, 100)))).to.match(/ATPC-608.*damaged/);
    for (const at of [9, 75, 90, bytes.length - 1]) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(await refusal(model.restore(damaged))).to.match(/ATPC-608.*damaged/);
    }
    await writeGenerator(folder.file('other'), rewinds, { modelHash: 'another' });
    await using other = await loadTiny(folder.file('other'));
    expect(await refusal(other.restore(bytes))).to.match(/ATPC-608.*of the model none; this one is another/);
    expect(model.memoryBytes).to.equal(state);
  });

  it('end with their disposal and with that of the model', async () => {
    const session = model.session();
    const running = refusal(session.generate(promptFor(13, 20)).result);
    const waiting = refusal(session.generate(promptFor(13, 21)).result);
    session.dispose();
    session.dispose();
    expect(await running).to.match(/ATPC-606.*session/);
    expect(await waiting).to.match(/ATPC-606.*session/);
    expect(await refusal(session.generate([1]).result)).to.match(/ATPC-606/);
    expect(await refusal(session.save())).to.match(/ATPC-606/);
    expect(await refusal(session.run({ input_ids: [[1]] }))).to.match(/ATPC-606/);
    await expectAnswer(model.session(), promptFor(13, 22));
    const own = await loadTiny(folder.file('tiny'), { threads });
    const left = refusal(own.session().generate(isSlow(promptFor(13, 20))).result);
    await own.dispose();
    expect(await left).to.match(/ATPC-606.*model/);
    expect(await refusal(own.generate([1]).result)).to.match(/ATPC-606/);
  });

  it('let go of an answer that nobody wants any more', async () => {
    const prompt = promptFor(14, 20);
    for (let round = 0; round < 20; round++) {
      for await (const piece of model.generate(prompt)) {
        expect(piece.ids.length).to.be.above(0);
        break;
      }
    }
    // Nothing starts unasked.
    model.generate(prompt);
    const session = model.session();
    session.generate(prompt);
    await expectAnswer(session, prompt);
  });
}

describe('generation', () => {
  let folder: TemporaryFolder;
  let model: Model;
  before(async () => {
    folder = await TemporaryFolder.create();
    await writeGenerator(folder.file('tiny'), true);
    model = await loadTiny(folder.file('tiny'));
  });
  after(async () => {
    await model.dispose();
    await folder.remove();
  });
  const refused = (options: object): Promise<string> => refusal(model.generate('ab', options).result);

  it('checks its options with sentences that name them', async () => {
    expect(await refused({ temprature: 1 })).to.match(/ATPC-607.*generate has no option 'temprature'/);
    for (const options of [
      { temperature: -1 },
      { temperature: NaN },
      { topP: 0 },
      { topP: 1.5 },
      { minP: 2 },
      { topK: 1.5 },
      { maxTokens: 0 },
      { repetitionPenalty: 0 },
      { seed: -1 },
      { logprobs: 101 },
      { stop: '' },
      { stop: ['a', 3] },
      { temperature: '1' },
    ]) {
      expect(await refused(options)).to.match(new RegExp(`ATPC-610.*option ${Object.keys(options)[0]} of generate is `));
    }
    expect(await refusal(model.chat([{ role: 'user', content: 'a' }], { variable: {} } as object).result)).to.match(
      /ATPC-607.*chat/,
    );
  });

  it('checks its prompts with sentences that name what is wrong', async () => {
    const of = (prompt: unknown): Promise<string> => refusal(model.generate(prompt as string).result);
    expect(await of('')).to.match(/ATPC-601.*no tokens/);
    expect(await of(3)).to.match(/ATPC-601/);
    expect(await of([1, 2.5])).to.match(/ATPC-601/);
    expect(await of([1, 64])).to.match(/ATPC-604.*64 at position 1; ids go from 0 to 63/);
    const error: unknown = await model.generate(Array.from({ length: 300 }, () => 1)).result.catch((caught: unknown) => caught);
    expect(String(error)).to.match(/ATPC-603.*300 tokens.*at most 200/);
    expect(error)
      .to.have.property('hint')
      .that.matches(/--max-seq 301 --beyond-trained-context/);
    const chat = (messages: unknown): Promise<string> => refusal(model.chat(messages as []).result);
    expect(await chat([])).to.match(/ATPC-601/);
    expect(await chat([{ role: 'user' }])).to.match(/ATPC-601.*message 0/);
    expect(await chat([{ role: 'nobody', content: '' }])).to.match(/ATPC-611.*Nobody speaks/);
  });

  it('says what hybrid would take where a dense model is too short', async () => {
    const heads = [{ mode: 'dense', kvHeads: [0], keys: 1, measuredKeys: null }];
    const attention = { keys: null, reason: '', calibration: null, layers: [{ layer: 0, heads }] };
    await writeGenerator(folder.file('dense'), true, { attention });
    await using dense = await loadTiny(folder.file('dense'));
    const error: unknown = await dense.generate(Array.from({ length: 300 }, () => 1)).result.catch((caught: unknown) => caught);
    expect(error)
      .to.have.property('hint')
      .that.matches(/dense as it is, takes 1 MB.*--attn hybrid.*about 1 MB/);
  });

  it('reads chats as the template writes them', async () => {
    const session = model.session();
    const { promptTokens } = await session.chat(
      [
        { role: 'user', content: 'ab' },
        { role: 'me', content: 'c' },
      ],
      { maxTokens: 1, variables: { tone: 'x' } },
    ).result;
    const text = [specialId, ...ids('user:ab'), specialId, ...ids('me:c'), specialId, ...ids('x-')];
    expect(promptTokens).to.equal(text.length);
    expect(session.ids.slice(0, text.length)).to.deep.equal(text);
  });
  const ids = (text: string): number[] =>
    [...text].map((letter) => 'abcdefghijklmnopqrstuvwxyz0123456789.:,!?-+()'.indexOf(letter));

  it('gives log probabilities of the model, before temperature and cuts', async () => {
    const prompt = promptFor(20, 5);
    const pieces = await piecesOf(model.generate(prompt, { logprobs: 3, temperature: 5, topK: 40, seed: 3, maxTokens: 10 }));
    const all = pieces.flatMap(({ logprobs = [] }) => logprobs);
    const answer = pieces.flatMap((piece) => piece.ids);
    expect(all.map(({ id }) => id)).to.deep.equal(answer);
    for (const [at, { id, logprob, top }] of all.entries()) {
      const logits = expectedLogits([...prompt, ...answer.slice(0, at)]);
      const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
      expect(logprob).to.be.closeTo((logits[id] ?? NaN) - total, 1e-5);
      expect(top.map((each) => each.logprob)).to.deep.equal(top.map((each) => each.logprob).sort((a, b) => b - a));
      expect(top[0]?.id).to.equal(logits.indexOf(Math.max(...logits)));
      expect(top).to.have.length(3);
    }
  });

  it('gives the same text for the same seed, and another for another', async () => {
    const options = { temperature: 2, maxTokens: 30 };
    const of = async (seed: number): Promise<string> => (await model.generate('seed', { ...options, seed }).result).ids.join();
    expect(await of(1)).to.equal(await of(1));
    expect(await of(1)).to.not.equal(await of(2));
  });

  it('takes ids and gives ids where the package has no tokenizer', async () => {
    const task = { kind: 'generate', output: 'logits', vocabulary: 64, endIds: [endId], chat: false } as const;
    await writeGenerator(folder.file('bare'), true, { tokenizer: null, task });
    await using bare = await loadTiny(folder.file('bare'));
    const prompt = promptFor(21, 20);
    expect(await bare.generate(prompt, { maxTokens: 5 }).result).to.deep.include({ ids: expectedAnswer(prompt, 5), text: '' });
    expect(await refusal(bare.generate('abc').result)).to.match(/ATPC-605.*no tokenizer/);
    expect(await refusal(bare.generate(prompt, { stop: 'a' }).result)).to.match(/ATPC-605/);
    expect(await refusal(bare.chat([{ role: 'user', content: 'a' }]).result)).to.match(/ATPC-605/);
  });

  it('is refused with a sentence by models that do not generate', async () => {
    await writeTiny(folder.file('encoder'));
    await using encoder = await loadTiny(folder.file('encoder'));
    expect(await refusal(encoder.generate('a').result)).to.match(/ATPC-605.*cannot generate/);
    expect(await refusal(piecesOf(encoder.session().chat([])))).to.match(/ATPC-605.*cannot chat/);
    expect(await refusal(encoder.session().save())).to.match(/ATPC-605/);
    expect(await refusal(encoder.restore(new Uint8Array()))).to.match(/ATPC-605/);
    expect(await refusal(model.embed('a'))).to.match(/ATPC-605/);
  });

  it('needs no code from strings', async () => {
    const script = folder.file('strict.mjs');
    await writeFile(
      script,
      `globalThis.Function = globalThis.eval = () => { throw new Error('code from a string') };
       const { load } = await import('./tiny/index.js');
       const model = await load();
       const { ids } = await model.chat([{ role: 'user', content: 'ab' }], { maxTokens: 4 }).result;
       console.log(ids.length);`,
    );
    const { spawnSync } = await import('node:child_process');
    const { stdout, stderr } = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', script], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(stderr).to.equal('');
    expect(Number(stdout)).to.be.within(1, 4);
  });
});
