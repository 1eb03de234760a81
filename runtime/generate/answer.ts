import { firstStop, heldLength } from './stop-strings.ts';
import { Utf8Stream } from './utf8-stream.ts';

/** Text that can be given out, and the tokens whose text is all given out with it. */
export interface Released<Token> {
  readonly text: string;
  readonly tokens: readonly Token[];
}

/**
 * The text of an answer as its tokens come: whole characters, up to the first stop string. A token is given out when all of its text
 * is, so that no part of a stop string leaks by its ids either.
 */
export class Answer<Token> {
  readonly #stops: readonly string[];
  readonly #characters = new Utf8Stream();
  /** Text that is not given out yet. */
  #held = '';
  /** Tokens that are not given out yet, and where in `#held` their text ends. */
  #tokens: { readonly token: Token; end: number }[] = [];
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }
  /** Whether a stop string has come; nothing is given out after it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  push(token: Token, bytes: Uint8Array): Released<Token> {
    this.#held += this.#characters.push(bytes);
    this.#tokens.push({ token, end: Infinity });
    if (!this.#characters.isOpen) {
      for (const entry of this.#tokens) if (entry.end === Infinity) entry.end = this.#held.length;
    }
    const stop = firstStop(this.#held, this.#stops);
    if (stop === undefined) return this.#release(this.#held.length - heldLength(this.#held, this.#stops));
    this.#stopped = true;
    return this.#release(stop.start);
  }
  /** What was held, at the end of an answer without a stop string. The beginning of a character is dropped. */
  finish(): Released<Token> {
    for (const entry of this.#tokens) entry.end = 0;
    return this.#release(this.#held.length);
  }

  #release(length: number): Released<Token> {
    const text = this.#held.slice(0, length);
    const count = this.#tokens.findIndex(({ end }) => end > length);
    const given = this.#tokens.splice(0, count < 0 ? this.#tokens.length : count);
    this.#held = this.#held.slice(length);
    for (const entry of this.#tokens) entry.end -= length;
    return { text, tokens: given.map(({ token }) => token) };
  }
}
