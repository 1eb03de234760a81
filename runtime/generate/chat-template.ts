import { Template } from '@huggingface/jinja';
import type { ChatMessage } from '../api.ts';
import { AtpcError } from '../errors.ts';

/** Messages to the text of a prompt, as tokenizer_config.json has it: its template, and the special tokens that it may name. */
export class ChatTemplate {
  readonly #template: Template;
  readonly #tokens: Readonly<Record<string, string>>;

  /** Throws ATPC-611 for a template that cannot be read, or none. */
  constructor(config: object) {
    const source: unknown = 'chat_template' in config ? config.chat_template : undefined;
    if (typeof source !== 'string')
      throw new AtpcError('ATPC-611', 'The tokenizer configuration of the package has no chat template.');
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new AtpcError('ATPC-611', `The chat template of the package cannot be read: ${sentenceOf(cause)}.`, { cause });
    }
    const tokens = Object.entries(config).flatMap(([name, value]: [string, unknown]): [string, string][] => {
      // Added tokens are written as objects by some versions of transformers.
      const text = typeof value === 'object' && value !== null && 'content' in value ? value.content : value;
      return name.endsWith('_token') && typeof text === 'string' ? [[name, text]] : [];
    });
    this.#tokens = Object.fromEntries(tokens);
  }

  /** Throws ATPC-611 with what the template says of messages that it does not take. */
  render(messages: readonly ChatMessage[], variables: Readonly<Record<string, unknown>>): string {
    try {
      return this.#template.render({ add_generation_prompt: true, ...this.#tokens, ...variables, messages });
    } catch (cause) {
      throw new AtpcError('ATPC-611', `The chat template of the model does not take these messages: ${sentenceOf(cause)}.`, {
        cause,
      });
    }
  }
}
const sentenceOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
