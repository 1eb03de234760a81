/** Reads one line of the text form, token by token. */

/** A text that does not parse: the sentence names the line. */
export class ParseError extends Error {
  override readonly name = 'ParseError';
  readonly line: number;
  constructor(line: number, sentence: string) {
    super(`Line ${line}: ${sentence}`);
    this.line = line;
  }
}

const blank = /[ \t]*/y;
const patterns = {
  identifier: /[A-Za-z_][A-Za-z0-9_]*/y,
  integer: /-?[0-9]+(?![0-9.eE])|-?[0-9]+(?=\.\.)/y,
  number: /-?(?:Infinity|NaN|[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)/y,
  string: /"(?:[^"\\]|\\.)*"/y,
  braces: /\{(?:[^{}]|\{[^{}]*\})*\}/y,
  reference: /%[0-9]+/y,
} as const;
export type TokenKind = keyof typeof patterns;

const tokenNames: { readonly [K in TokenKind]: string } = {
  identifier: 'a name',
  integer: 'a whole number',
  number: 'a number',
  string: 'a quoted string',
  reference: 'a node such as %0',
  braces: 'a JSON object',
};

export class Scanner {
  readonly #text: string;
  readonly #line: number;
  #at = 0;

  constructor(text: string, line = 1) {
    this.#text = text;
    this.#line = line;
    this.#skipBlanks();
  }
  #skipBlanks(): void {
    blank.lastIndex = this.#at;
    blank.exec(this.#text);
    this.#at = blank.lastIndex;
  }
  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }
  fail(sentence: string): never {
    throw new ParseError(this.#line, sentence);
  }
  /** What stands here, for messages. */
  here(): string {
    return this.atEnd ? 'the end of the line' : JSON.stringify(this.#text.slice(this.#at, this.#at + 16));
  }
  /** The token, if one of this kind stands here. */
  take(kind: TokenKind): string | undefined {
    const pattern = patterns[kind];
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    this.#skipBlanks();
    return found;
  }
  expect(kind: TokenKind): string {
    return this.take(kind) ?? this.fail(`expected ${tokenNames[kind]} but found ${this.here()}.`);
  }
  /** Takes the punctuation or word if it stands here. */
  skip(symbol: string): boolean {
    if (!this.#text.startsWith(symbol, this.#at)) return false;
    this.#at += symbol.length;
    this.#skipBlanks();
    return true;
  }
  expectSymbol(symbol: string): void {
    if (!this.skip(symbol)) this.fail(`expected "${symbol}" but found ${this.here()}.`);
  }
  expectEnd(): void {
    if (!this.atEnd) this.fail(`expected the end of the line but found ${this.here()}.`);
  }
  integer(): number {
    return Number(this.expect('integer'));
  }
  number(): number {
    return Number(this.expect('number'));
  }
  string(): string {
    const text = this.expect('string');
    try {
      return JSON.parse(text) as string;
    } catch {
      return this.fail(`${text} is not a string that JSON allows.`);
    }
  }
  /** Items between brackets, separated by commas. */
  list<T>(open: string, close: string, item: () => T): T[] {
    this.expectSymbol(open);
    const items: T[] = [];
    if (this.skip(close)) return items;
    do items.push(item());
    while (this.skip(','));
    this.expectSymbol(close);
    return items;
  }
  /** The rest of the line. */
  rest(): string {
    const rest = this.#text.slice(this.#at);
    this.#at = this.#text.length;
    return rest;
  }
}
