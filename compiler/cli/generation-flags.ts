/** Sampling and length of an answer: options of `atpc run --prompt` and `atpc chat`. */
import type { GenerateOptions } from '../../runtime/api.ts';
import { positiveInteger } from './compile-flags.ts';
import type { Flag } from './compile-flags.ts';
import { usageError } from './usage-error.ts';

export interface GenerationFlags {
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly stop?: readonly string[];
  readonly seed?: number;
}

export const generationFlags = {
  maxTokens: {
    flags: '--max-tokens <number>',
    group: 'Generation:',
    summary: 'the most tokens of an answer',
    defaultText: 'what is left of the length of the model',
    parse: (text) => positiveInteger('--max-tokens', text),
  },
  temperature: {
    flags: '--temperature <number>',
    group: 'Generation:',
    summary: '0 always takes the likeliest token; larger is more random',
    defaultText: '0',
    parse: (text) => number('--temperature', text, 0, Infinity),
  },
  topK: {
    flags: '--top-k <tokens>',
    group: 'Generation:',
    summary: 'only the so many likeliest tokens; 0 is all',
    defaultText: '0',
    parse: (text) => (text === '0' ? 0 : positiveInteger('--top-k', text)),
  },
  topP: {
    flags: '--top-p <share>',
    group: 'Generation:',
    summary: 'only the likeliest tokens whose probabilities sum to this; 1 is all',
    defaultText: '1',
    parse: (text) => number('--top-p', text, 0, 1),
  },
  minP: {
    flags: '--min-p <share>',
    group: 'Generation:',
    summary: "only tokens with at least this share of the likeliest one's probability; 0 is all",
    defaultText: '0',
    parse: (text) => number('--min-p', text, 0, 1),
  },
  repetitionPenalty: {
    flags: '--repetition-penalty <factor>',
    group: 'Generation:',
    summary: 'makes tokens that were read or generated less likely; 1 is none',
    defaultText: '1',
    parse: (text) => number('--repetition-penalty', text, 0, Infinity),
  },
  stop: {
    flags: '--stop <text>',
    group: 'Generation:',
    summary: 'ends an answer before this text; may be given several times',
    defaultText: 'none',
    parse: (text, previous) => [...(previous ?? []), text],
  },
  seed: {
    flags: '--seed <number>',
    group: 'Generation:',
    summary: 'the same seed gives the same text on one backend',
    defaultText: '0',
    parse: (text) => (text === '0' ? 0 : positiveInteger('--seed', text)),
  },
} as const satisfies { readonly [K in keyof Required<GenerationFlags>]: Flag<NonNullable<GenerationFlags[K]>> };

/** The options that were given, without the others' undefined: the runtime has the defaults. */
export function generationOptions(flags: GenerationFlags): GenerateOptions {
  const names = Object.keys(generationFlags) as readonly (keyof GenerationFlags)[];
  return Object.fromEntries(names.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]])));
}

function number(option: string, text: string, from: number, to: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= from && value <= to && Number.isFinite(value)) return value;
  const range = to === Infinity ? `a number from ${from}` : `a number from ${from} to ${to}`;
  throw usageError(`${option} takes ${range}, and '${text}' is none.`, `Example: ${option} ${to === Infinity ? 1.1 : 0.9}`);
}
