import { existsSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { openGguf } from '../../compiler/import/gguf-model.ts';
import { Answer } from '../../runtime/generate/answer.ts';
import { ChatTemplate } from '../../runtime/generate/chat-template.ts';
import { firstStop, heldLength } from '../../runtime/generate/stop-strings.ts';
import { TokenBytes } from '../../runtime/generate/token-bytes.ts';
import { TextTokenizer } from '../../runtime/tokenizer.ts';
import { requires, smollm2File } from '../requirements.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
/** The text without halves of surrogate pairs, which UTF-8 has not. */
const wellFormed = (text: string): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(utf8(text));
/** Bytes cut at the given places, which may be anywhere. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((begin, index) => bytes.subarray(begin, places[index] ?? bytes.length));
}
interface Given {
  readonly texts: readonly string[];
  readonly tokens: readonly number[];
  readonly stopped: boolean;
}
function answer(tokens: readonly Uint8Array[], stops: readonly string[] = []): Given {
  const stream = new Answer<number>(stops);
  const texts: string[] = [];
  const given: number[] = [];
  for (const [token, bytes] of tokens.entries()) {
    const released = stream.push(token, bytes);
    texts.push(released.text);
    given.push(...released.tokens);
    if (stream.stopped) return { texts, tokens: given, stopped: true };
  }
  const released = stream.finish();
  return { texts: [...texts, released.text], tokens: [...given, ...released.tokens], stopped: false };
}
/** Unit by unit, by the definition. */
function beforeStop(text: string, stops: readonly string[]): string {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length);
    if (ending[0] !== undefined) return text.slice(0, end - ending[0].length);
  }
  return text;
}
const texts = fc.string({ unit: 'grapheme', maxLength: 40 });
const cuts = fc.array(fc.nat(400), { maxLength: 40 });
// Few letters, so that stop strings begin often and go on rarely.
const letters = fc.array(fc.constantFrom('a', 'b', '😀', '€', '\n'), { maxLength: 40 }).map((list) => list.join(''));
const stopStrings = fc.array(
  fc.array(fc.constantFrom('a', 'b', '😀', '€', '\n'), { minLength: 1, maxLength: 5 }).map((list) => list.join('')),
  { maxLength: 4 },
);

describe('the text of an answer', () => {
  it('comes out whole, however its bytes are split over tokens', () => {
    fc.assert(
      fc.property(texts, cuts, (text, places) => {
        const tokens = pieces(utf8(text), places);
        const given = answer(tokens);
        expect(given.texts.join('')).to.equal(wellFormed(text));
        // No piece has half a character.
        for (const piece of given.texts) expect(piece).to.equal(wellFormed(piece));
        expect(given.tokens).to.deep.equal([...tokens.keys()]);
      }),
      { numRuns: 1000 },
    );
  });
  it('has U+FFFD for bytes that are no text, as every decoder has it, and nothing for a beginning at its end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), cuts, (bytes, places) => {
        const whole = answer([bytes]).texts.join('');
        expect(answer(pieces(bytes, places)).texts.join('')).to.equal(whole);
        expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).startsWith(whole)).to.equal(true);
      }),
      { numRuns: 2000 },
    );
    expect(answer([Uint8Array.of(0x61, 0xff, 0x62, 0xe2, 0x82)]).texts.join('')).to.equal('a\ufffdb');
  });
  it('ends before a stop string, across tokens, and gives nothing of it out', () => {
    fc.assert(
      fc.property(letters, stopStrings, cuts, (text, stops, places) => {
        const expected = beforeStop(text, stops);
        const given = answer(pieces(utf8(text), places), stops);
        expect(given.texts.join('')).to.equal(expected);
        expect(given.stopped).to.equal(expected !== text);
        const at = given.texts.map((_, index) => given.texts.slice(0, index + 1).join(''));
        for (const soFar of at) expect(stops.some((stop) => soFar.includes(stop))).to.equal(false);
      }),
      { numRuns: 3000 },
    );
  });
  it('gives no token out before its text, nor one that reaches into a stop string', () => {
    fc.assert(
      fc.property(letters, stopStrings, cuts, (text, stops, places) => {
        const tokens = pieces(utf8(text), places);
        const given = answer(tokens, stops);
        const bytes = given.tokens.reduce((sum, token) => sum + (tokens[token]?.length ?? 0), 0);
        expect(given.tokens).to.deep.equal([...given.tokens.keys()]);
        if (given.stopped) expect(bytes).to.be.at.most(utf8(given.texts.join('')).length);
        else expect(given.tokens).to.have.length(tokens.length);
      }),
      { numRuns: 1000 },
    );
  });
  it('is held only as far as it may be the beginning of a stop string', () => {
    expect(heldLength('ab', ['bcd'])).to.equal(1);
    expect(heldLength('abcabc', ['abcabd', 'x'])).to.equal(3);
    expect(heldLength('abc', [])).to.equal(0);
    expect(firstStop('xabc', ['abc', 'b'])).to.deep.equal({ start: 2, end: 3 });
    expect(firstStop('xabc', ['bc', 'abc'])).to.deep.equal({ start: 1, end: 4 });
  });
});

const sentencePiece = {
  added_tokens: [
    { id: 0, content: '<s>', special: true },
    { id: 9, content: '<tool>', special: false },
  ],
  decoder: {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      { type: 'Strip', content: ' ', start: 1, stop: 0 },
    ],
  },
  model: { type: 'BPE', vocab: { '<s>': 0, '▁a': 1, '<0xE2>': 2, '<0x82>': 3, '<0xAC>': 4, b: 5, '▁': 6 } },
};
const decoded = (tokens: TokenBytes, ids: readonly number[]): string => answer(ids.map((id) => tokens.of(id))).texts.join('');

describe('the bytes of tokens', () => {
  it('are those of byte-fallback vocabularies, with the space before the first word', () => {
    const tokens = new TokenBytes(sentencePiece);
    expect(decoded(tokens, [0, 1, 5, 2, 3, 4, 6, 9, 5])).to.equal(' ab€ <tool>b');
    expect(tokens.textOf(2)).to.equal('\ufffd');
    expect(tokens.textOf(0)).to.equal('<s>');
    expect([...tokens.of(77)]).to.deep.equal([]);
  });
  it('are those of a list of tokens with scores', () => {
    const unigram = { model: { vocab: [['▁a', -1] as const, ['b', -2] as const] }, decoder: { type: 'Metaspace' } };
    expect(decoded(new TokenBytes(unigram), [0, 1])).to.equal(' ab');
  });
  it('are refused for a decoder that joins words by rules', () => {
    expect(() => new TokenBytes({ decoder: { type: 'WordPiece' } })).to.throw(/ATPC-605.*WordPiece/);
  });

  describe('of SmolLM2', () => {
    let json: object;
    let config: object;
    let tokenizer: TextTokenizer;
    before(async function () {
      requires(this, 'smollm2', existsSync(smollm2File));
      const imported = await openGguf(smollm2File, {});
      if (!imported.tokenizer) throw new Error('SmolLM2 has a tokenizer.');
      ({ json, config } = imported.tokenizer);
      tokenizer = new TextTokenizer(json, config, 8192);
    });
    it('are the text that the tokenizer was given, whatever it is', () => {
      const tokens = new TokenBytes(json);
      const hard = ['', ' ', 'a  b\n\n\tc', '👩‍👩‍👧‍👦 naïve café — 日本語', '\ufeffx', 'e\u0301', '𐍈𝄞', '<|im_start', '\u0000\u007f'];
      for (const text of hard) expect(decoded(tokens, tokenizer.idsOf(text, false))).to.equal(text);
      fc.assert(
        fc.property(texts, (text) => {
          expect(decoded(tokens, tokenizer.idsOf(text, false))).to.equal(wellFormed(text));
        }),
        { numRuns: 300 },
      );
    });
    it('are none for special tokens, which a template writes', () => {
      const chat = new ChatTemplate(config);
      const text = chat.render([{ role: 'user', content: 'Hi ✓' }], {});
      expect(text).to.match(/<\|im_start\|>user\nHi ✓<\|im_end\|>\n<\|im_start\|>assistant\n$/);
      const ids = tokenizer.idsOf(text, false);
      const tokens = new TokenBytes(json);
      expect(ids.map((id) => tokens.textOf(id)).slice(0, 3)).to.deep.equal(['<|im_start|>', 'system', '\n']);
      expect(decoded(tokens, ids))
        .to.match(/user\nHi ✓\nassistant\n$/)
        .and.not.to.include('<|');
      expect(tokens.textOf(ids[0] ?? -1)).to.equal('<|im_start|>');
    });
  });
});

describe('chat templates', () => {
  it('see messages, special tokens and the variables of the caller', () => {
    const source =
      '{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content | trim }}{{ eos_token }}{% endfor %}{% if think %}!{% endif %}{% if add_generation_prompt %}>{% endif %}';
    const template = new ChatTemplate({
      chat_template: source,
      bos_token: '<s>',
      eos_token: { content: '</s>' },
      model_max_length: 3,
    });
    const messages = [{ role: 'user', content: ' a ' }];
    expect(template.render(messages, {})).to.equal('<s>[user] a</s>>');
    expect(template.render(messages, { think: true, add_generation_prompt: false, messages: [] })).to.equal('<s>[user] a</s>!');
  });
  it('are refused with what is wrong with them', () => {
    expect(() => new ChatTemplate({})).to.throw(/ATPC-611.*no chat template/);
    expect(() => new ChatTemplate({ chat_template: '{% for %}' })).to.throw(/ATPC-611.*cannot be read/);
    const strict = new ChatTemplate({ chat_template: "{{ raise_exception('Roles must alternate.') }}" });
    expect(() => strict.render([], {})).to.throw(/ATPC-611: .*: Roles must alternate\.$/);
  });
});
