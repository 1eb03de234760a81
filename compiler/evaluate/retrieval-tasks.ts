/**
 * Seeded texts whose answer lies far back: what a cache that forgets fails first. The filler is text of a person's own, or WikiText-2, so
 * that nothing in it repeats by design (verbatim repeated filler would be easy to skip).
 */
import { AtpcError } from '../../runtime/errors.ts';

/** Tokens to read, then the tokens that must come; those are read in their turn, so that questions can follow each other. */
export interface Question {
  readonly prompt: readonly number[];
  readonly answer: readonly number[];
}
/** Questions about one text: the first prompt holds it. */
export type Questions = readonly Question[];

export interface TaskText {
  /** `encode`: token ids of a text, none added at its beginning. */
  readonly model: { encode(text: string): readonly number[] };
  /** Tokens of a long text. */
  readonly filler: readonly number[];
  readonly seed: number;
}

/** Digits are a token each, after a token for the space, which belongs to the prompt: what is asked for is the number alone. */
const space = ' ';

/** Whole numbers in [0, below), the same everywhere: a linear congruential generator (Numerical Recipes, 7.1), high bits used. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
const digits = (count: number, random: (below: number) => number): string =>
  Array.from({ length: count }, (_, index) => (index === 0 ? 1 + random(9) : random(10))).join('');

/** Where a stretch of the filler begins. Throws ATPC-608 where it is shorter. */
function startOf(filler: readonly number[], length: number, random: (below: number) => number): number {
  if (filler.length > length) return random(filler.length - length);
  throw new AtpcError('ATPC-608', `The filler has ${filler.length} tokens, and ${length + 1} are needed.`, {
    hint: 'Give longer text, or ask for texts of fewer tokens.',
  });
}

/** A text of `tokens` tokens with a number of five digits at `depth` (0 to 1) in it, and the question for it. */
export function passkey({ model, filler, seed }: TaskText, tokens: number, depth: number): Questions {
  const random = generator(seed);
  const key = digits(5, random);
  const introduction = model.encode('There is a pass key hidden inside a lot of irrelevant text. Find it and memorize it.\n\n');
  const needle = model.encode(`\n\nThe pass key is ${key}. Remember it. ${key} is the pass key.\n\n`);
  const question = model.encode(`\n\nWhat is the pass key? The pass key is${space}`);
  const length = tokens - introduction.length - needle.length - question.length;
  if (length < 1) {
    throw new AtpcError(
      'ATPC-608',
      `A text of ${tokens} tokens has no room beside its pass key, which takes ${tokens - length}.`,
    );
  }
  const start = startOf(filler, length, random);
  const middle = start + Math.round(depth * length);
  const prompt = [
    ...introduction,
    ...filler.slice(start, middle),
    ...needle,
    ...filler.slice(middle, start + length),
    ...question,
  ];
  return [{ prompt, answer: model.encode(key) }];
}

const colours = ['red', 'green', 'blue', 'black', 'white', 'yellow', 'silver', 'golden', 'purple', 'orange'];
const things = ['house', 'river', 'table', 'horse', 'tower', 'garden', 'bridge', 'window', 'mountain', 'candle'];

/**
 * `pairs` (at most 100) lines of a name and a number of four digits, then questions for `asked` of them. `between`: tokens of the filler
 * that lie between the lines and the first question.
 */
export function keyValue({ model, filler, seed }: TaskText, pairs: number, asked: number, between = 0): Questions {
  const random = generator(seed);
  const names = colours.flatMap((colour) => things.map((thing) => `${colour} ${thing}`));
  const shuffled = (values: readonly string[]): readonly string[] =>
    values
      .map((value) => ({ value, at: random(2 ** 30) }))
      .sort((a, b) => a.at - b.at)
      .map(({ value }) => value);
  const kept = shuffled(names)
    .slice(0, pairs)
    .map((name) => ({ name, value: digits(4, random) }));
  const list = kept.map(({ name, value }) => `The number of the ${name} is ${value}.\n`).join('');
  const wanted = new Set(shuffled(kept.map(({ name }) => name)).slice(0, asked));
  const start = between > 0 ? startOf(filler, between, random) : 0;
  const far = between > 0 ? [...model.encode(list), ...filler.slice(start, start + between)] : null;
  return kept
    .filter(({ name }) => wanted.has(name))
    .map(({ name, value }, index) => {
      const question = `The number of the ${name} is${space}`;
      const before = far ? '\n\n' : `${list}\n`;
      const asking = model.encode(`${index === 0 ? before : '.\n'}${question}`);
      return { prompt: index === 0 && far ? [...far, ...asking] : asking, answer: model.encode(value) };
    });
}

export const copyTokens = { passage: 640, between: 768, unscored: 32 } as const;
/** A passage, others, and the passage again; the answer is the repeat after its first tokens. */
export function farCopy({ filler, seed }: TaskText): Question {
  const { passage, between, unscored } = copyTokens;
  const random = generator(seed);
  const start = random(filler.length - passage - between);
  const first = filler.slice(start, start + passage);
  const other = filler.slice(start + passage, start + passage + between);
  return { prompt: [...first, ...other, ...first.slice(0, unscored)], answer: first.slice(unscored) };
}
