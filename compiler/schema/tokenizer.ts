/** tokenizer.json and tokenizer_config.json, as far as the importer looks into them; the tokenizer itself reads the rest. */
import { validator } from './validator.ts';

export interface TokenizerFile {
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
  readonly normalizer?: Readonly<Record<string, unknown>> | null;
  readonly model: {
    readonly type: string;
    /** Token -> id, or for Unigram a list of [token, score] in the order of the ids. */
    readonly vocab: Readonly<Record<string, number>> | readonly unknown[];
  };
}

const id = { type: 'integer', minimum: 0 };
const part = { type: ['object', 'null'] };

export const validateTokenizer = validator<TokenizerFile>({
  type: 'object',
  properties: {
    added_tokens: {
      type: 'array',
      items: { type: 'object', properties: { id, content: { type: 'string' } }, required: ['id', 'content'] },
    },
    normalizer: part,
    pre_tokenizer: part,
    post_processor: part,
    decoder: part,
    model: {
      type: 'object',
      properties: {
        type: { enum: ['WordPiece', 'BPE', 'Unigram'] },
        vocab: { anyOf: [{ type: 'object', additionalProperties: id }, { type: 'array' }] },
      },
      required: ['type', 'vocab'],
    },
  },
  required: ['model'],
});

export interface TokenizerConfigFile {
  readonly pad_token?: string | { readonly content: string } | null;
  readonly model_max_length?: number;
  /** A template, or several by name. */
  readonly chat_template?: string | readonly { readonly name: string; readonly template: string }[] | null;
}

export const validateTokenizerConfig = validator<TokenizerConfigFile>({
  type: 'object',
  properties: {
    pad_token: {
      anyOf: [
        { type: ['string', 'null'] },
        { type: 'object', properties: { content: { type: 'string' } }, required: ['content'] },
      ],
    },
    // One template, or several by name.
    chat_template: {
      anyOf: [
        { type: ['string', 'null'] },
        {
          type: 'array',
          items: {
            type: 'object',
            properties: { name: { type: 'string' }, template: { type: 'string' } },
            required: ['name', 'template'],
          },
        },
      ],
    },
    // A tokenizer without a limit says 1e30.
    model_max_length: { type: 'number', exclusiveMinimum: 0 },
  },
});
