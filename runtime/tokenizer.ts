import { Tokenizer } from '@huggingface/tokenizers';
import type { Tokenized } from './api.ts';
import { AtpcError } from './errors.ts';

/** What is used of the library. Its own declarations import files without extensions, which NodeNext does not resolve. */
interface Encoder {
  encode(text: string, options?: { readonly return_token_type_ids?: boolean; readonly add_special_tokens?: boolean }): Encoding;
}
interface Encoding {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  readonly token_type_ids?: readonly number[];
}
const EncoderOf = Tokenizer as unknown as new (tokenizer: object, config: object) => Encoder;

export interface EncodedText extends Tokenized {
  readonly typeIds: readonly number[];
}

/**
 * Text to token ids, as Hugging Face's tokenizers give them. The fixed truncation and padding that a tokenizer.json may
 * carry are settings of whoever saved it and are not used; the model's own maximum length is.
 */
export class TextTokenizer {
  /** The parsed tokenizer.json and tokenizer_config.json. */
  readonly json: object;
  readonly config: object;
  readonly #tokenizer: Encoder;
  readonly #prepare: (text: string) => string;
  readonly #maxLength: number;

  /** Takes the parsed tokenizer.json and tokenizer_config.json; throws ATPC-403 for a kind that is not supported. */
  constructor(tokenizer: object, config: object, maxLength: number) {
    this.json = tokenizer;
    this.config = config;
    try {
      this.#tokenizer = new EncoderOf({ ...tokenizer, truncation: null, padding: null }, config);
    } catch (cause) {
      throw new AtpcError('ATPC-403', `The tokenizer of the package is not supported: ${String(cause)}.`, { cause });
    }
    this.#prepare = preparationOf(tokenizer);
    this.#maxLength = maxLength;
  }

  /** Token ids of a whole text, however long; a text that has its special tokens in it, as those of chats do, gets no others. */
  idsOf(text: string, specialTokens: boolean): readonly number[] {
    return this.#tokenizer.encode(this.#prepare(text), { add_special_tokens: specialTokens }).ids;
  }

  /**
   * Token ids with special tokens, at most `maxLength` of them: tokens are dropped from the end of the text, and the special
   * tokens around it stay.
   */
  encode(text: string, maxLength = this.#maxLength): EncodedText {
    const encoding = this.#tokenizer.encode(this.#prepare(text), { return_token_type_ids: true });
    const { ids, tokens } = encoding;
    const typeIds = encoding.token_type_ids ?? ids.map(() => 0);
    if (ids.length <= maxLength) return { ids, tokens, typeIds, truncated: false };
    // What an empty text gives is what stands around every text. The special tokens at the end are its common suffix with this one.
    const around = this.#tokenizer.encode('').ids;
    let suffix = 0;
    while (suffix < around.length && around[around.length - 1 - suffix] === ids[ids.length - 1 - suffix]) suffix += 1;
    suffix = Math.min(suffix, maxLength);
    const cut = <T>(values: readonly T[]): T[] => [
      ...values.slice(0, maxLength - suffix),
      ...values.slice(values.length - suffix),
    ];
    return { ids: cut(ids), tokens: cut(tokens), typeIds: cut(typeIds), truncated: true };
  }
}

/**
 * Two faults of BertNormalizer in @huggingface/tokenizers 0.2.0 that show in the ids, set right before the text goes in:
 * it looks at UTF-16 units, so that ideographs above U+FFFF get no spaces around them; and it lowers whole strings, so that
 * a capital sigma at the end of a word becomes a final one, where the Rust library lowers character by character.
 */
function preparationOf(tokenizer: object): (text: string) => string {
  const normalizer: unknown = 'normalizer' in tokenizer ? tokenizer.normalizer : undefined;
  if (typeof normalizer !== 'object' || normalizer === null || !('type' in normalizer) || normalizer.type !== 'BertNormalizer') {
    return (text) => text;
  }
  const separates = 'handle_chinese_chars' in normalizer && normalizer.handle_chinese_chars === true;
  const lowers = 'lowercase' in normalizer && normalizer.lowercase === true;
  return (text) => {
    const separated = separates ? text.replace(supplementaryIdeographs, ' $& ') : text;
    return lowers ? separated.replaceAll('Σ', 'σ') : separated;
  };
}
// The ranges of the Rust library's normalizers/bert.rs that lie above U+FFFF.
const supplementaryIdeographs =
  /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
