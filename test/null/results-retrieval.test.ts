/** The seeded texts of `npm run results`, with an encoder that gives a token a character. */
import { expect } from 'chai';
import { readCachePlanFile } from '../../compiler/attention/cache-plan-file.ts';
import { chatPlan } from '../../scripts/results/cache-plans.ts';
import { copyTokens, farCopy, keyValue, passkey, type TaskText } from '../../compiler/evaluate/retrieval-tasks.ts';

const decode = (ids: readonly number[]): string => String.fromCodePoint(...ids);
const model = { encode: (text: string): readonly number[] => Array.from(text, (character) => character.codePointAt(0) ?? 0) };
const filler = model.encode('abcdefghijklm '.repeat(500));
const seeded = (seed: number): TaskText => ({ model, filler, seed });

describe('texts of the retrieval results', () => {
  it('have the length asked for, and hold the pass key at its depth', () => {
    for (const [depth, from, to] of [
      [0.1, 180, 300],
      [0.7, 880, 1040],
    ] as const) {
      const [question] = passkey(seeded(3), 1500, depth);
      const text = decode(question?.prompt ?? []);
      const key = decode(question?.answer ?? []);
      expect(question?.prompt).to.have.lengthOf(1500);
      expect(key).to.match(/^[1-9]\d{4}$/);
      expect(text.indexOf(`The pass key is ${key}.`)).to.be.within(from, to);
      expect(text).to.match(/The pass key is $/);
    }
  });
  it('are the same for one seed, and others for another', () => {
    for (const make of [
      (seed: number) => passkey(seeded(seed), 1500, 0.5),
      (seed: number) => keyValue(seeded(seed), 20, 4),
      (seed: number) => farCopy(seeded(seed)),
    ]) {
      expect(make(1)).to.deep.equal(make(1));
      expect(make(1)).to.not.deep.equal(make(2));
    }
  });
  it('put filler between a list and its questions, and say where there is too little', () => {
    const questions = keyValue(seeded(5), 10, 3, 400);
    const text = decode(questions[0]?.prompt ?? []);
    const [list, rest] = [text.slice(0, text.lastIndexOf('.\n') + 2), text.slice(text.lastIndexOf('.\n') + 2)];
    expect(list.split('.\n')).to.have.lengthOf(11);
    expect(rest.indexOf('\n\nThe number of the ')).to.equal(400);
    expect(filler.join()).to.include(Array.from(rest.slice(0, 400), (character) => character.codePointAt(0)).join());
    for (const { answer } of questions) expect(list).to.include(` is ${decode(answer)}.`);
    expect(() => keyValue(seeded(5), 10, 3, filler.length)).to.throw('are needed');
    expect(() => passkey(seeded(1), 100, 0.5)).to.throw('no room');
  });
  it('ask for values that stand in the list, once each', () => {
    const questions = keyValue(seeded(5), 90, 8);
    const list = decode(questions[0]?.prompt ?? []);
    expect(list.split('\n').filter((line) => / is \d{4}\.$/.test(line))).to.have.lengthOf(90);
    expect(questions).to.have.lengthOf(8);
    for (const { prompt, answer } of questions) {
      const line = `${decode(prompt).split('\n').at(-1) ?? ''}${decode(answer)}.`;
      expect(list.split('\n').filter((other) => other === line)).to.have.lengthOf(1);
    }
  });
  it('repeat a passage after others', () => {
    const { passage, between, unscored } = copyTokens;
    const { prompt, answer } = farCopy(seeded(7));
    expect(prompt).to.have.lengthOf(passage + between + unscored);
    expect([...prompt.slice(passage + between), ...answer]).to.deep.equal(prompt.slice(0, passage));
  });
  it('are read with a plan that expands 16 heads and streams the others', async () => {
    const { layers } = await readCachePlanFile(chatPlan, Array<number>(30).fill(3), 4096);
    const heads = (mode: string): number =>
      layers.flat().reduce((sum, group) => sum + (group.mode === mode ? group.kvHeads.length : 0), 0);
    expect([heads('expand'), heads('stream')]).to.deep.equal([16, 74]);
  });
});
