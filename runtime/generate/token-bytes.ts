import { AtpcError } from '../errors.ts';

/** What is read of a tokenizer.json. */
interface TokenizerFile {
  readonly model?: { readonly vocab?: Readonly<Record<string, number>> | readonly (readonly [string, number])[] };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string; readonly special?: boolean }[];
  readonly decoder?: Decoder | null;
}
interface Decoder {
  readonly type: string;
  readonly decoders?: readonly Decoder[];
  readonly pattern?: { readonly String?: string };
  readonly content?: string;
  readonly replacement?: string;
}

/** What a decoder of a tokenizer.json does to the text of one token; undefined is passed on to the next. */
type DecodeStep = (text: string) => string | Uint8Array;
const same: DecodeStep = (text) => text;
const encoder = new TextEncoder();

/**
 * Decoders that work token by token. Where they join tokens, as Fuse does, or take the space before the first word away, as Strip
 * and Metaspace do, nothing is to be done here: the text of an answer goes on from its prompt.
 */
const decoders: Readonly<Record<string, (decoder: Decoder) => readonly DecodeStep[]>> = {
  Sequence: ({ decoders: inner = [] }) => inner.flatMap(stepsOf),
  ByteLevel: () => [byteLevel],
  ByteFallback: () => [
    (text) => (/^<0x[\dA-Fa-f]{2}>$/.test(text) ? Uint8Array.of(Number.parseInt(text.slice(3, 5), 16)) : text),
  ],
  Replace: ({ pattern, content = '' }) => [pattern?.String === undefined ? same : replacing(pattern.String, content)],
  Metaspace: ({ replacement = '\u2581' }) => [replacing(replacement, ' ')],
  Fuse: () => [],
  Strip: () => [],
};
const replacing =
  (from: string, to: string): DecodeStep =>
  (text) =>
    text.replaceAll(from, to);

function stepsOf(decoder: Decoder): readonly DecodeStep[] {
  const steps = Object.hasOwn(decoders, decoder.type) ? decoders[decoder.type] : undefined;
  if (steps) return steps(decoder);
  throw new AtpcError(
    'ATPC-605',
    `The tokenizer of this package has a decoder '${decoder.type}', which cannot give text token by token.`,
    {
      hint: 'Use run with tensors.',
    },
  );
}

let bytesOfLetters: ReadonlyMap<string, number> | undefined;
/** The letters that stand for bytes in byte-level vocabularies: bytes_to_unicode of GPT-2's encoder.py. */
function letterBytes(): ReadonlyMap<string, number> {
  if (bytesOfLetters) return bytesOfLetters;
  const letters = new Map<string, number>();
  let others = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    letters.set(String.fromCodePoint(printable ? byte : others++), byte);
  }
  return (bytesOfLetters = letters);
}
/** A token with a letter that stands for no byte is its own text, as in the Rust library. */
const byteLevel: DecodeStep = (text) => {
  const letters = letterBytes();
  const bytes: number[] = [];
  for (const letter of text) {
    const byte = letters.get(letter);
    if (byte === undefined) return encoder.encode(text);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
};

/** The UTF-8 bytes that each token of a vocabulary stands for; they need not be whole characters. */
export class TokenBytes {
  readonly #texts: (string | undefined)[] = [];
  readonly #special = new Set<number>();
  readonly #steps: readonly DecodeStep[];

  /** Takes a parsed tokenizer.json; throws ATPC-605 for a kind that has no bytes for a token. */
  constructor(tokenizer: object) {
    const { model, added_tokens: added = [], decoder }: TokenizerFile = tokenizer;
    const vocab = model?.vocab ?? {};
    if (Array.isArray(vocab)) vocab.forEach(([text], id) => (this.#texts[id] = text as string));
    else for (const [text, id] of Object.entries(vocab)) this.#texts[id as number] = text;
    for (const { id, content, special } of added) {
      this.#texts[id] = content;
      if (special) this.#special.add(id);
    }
    this.#steps = decoder ? stepsOf(decoder) : [];
  }

  /** None for special tokens, and for ids that the tokenizer does not know. */
  of(id: number): Uint8Array {
    let value: string | Uint8Array = this.#special.has(id) ? '' : (this.#texts[id] ?? '');
    for (const step of this.#steps) {
      if (typeof value !== 'string') return value;
      value = step(value);
    }
    return typeof value === 'string' ? encoder.encode(value) : value;
  }
  /** The text of a token by itself, also of a special one; bytes that are no whole character are shown as U+FFFD. */
  textOf(id: number): string {
    return this.#special.has(id) ? (this.#texts[id] ?? '') : new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.of(id));
  }
}
