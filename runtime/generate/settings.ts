import type { GenerateOptions } from '../api.ts';
import { AtpcError } from '../errors.ts';
import { checkOptions } from '../options.ts';
import type { Sampling } from './sampler.ts';

/** GenerateOptions after their checks, with the defaults put in. */
export interface GenerationSettings extends Sampling {
  /** Undefined: as many as the model has room for. */
  readonly maxTokens: number | undefined;
  readonly stops: readonly string[];
  readonly logprobs: number | undefined;
}

interface NumberRange {
  readonly words: string;
  readonly holds: (value: number) => boolean;
}
const whole = (least: number, most: number): NumberRange => ({
  words: most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`,
  holds: (value) => Number.isInteger(value) && value >= least && value <= most,
});
type NumberOption = 'maxTokens' | 'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty' | 'seed' | 'logprobs';
const ranges: { readonly [K in NumberOption]: NumberRange } = {
  maxTokens: whole(1, Number.MAX_SAFE_INTEGER),
  temperature: { words: 'a number from 0', holds: (value) => value >= 0 && Number.isFinite(value) },
  topK: whole(0, Number.MAX_SAFE_INTEGER),
  topP: { words: 'a number above 0, at most 1', holds: (value) => value > 0 && value <= 1 },
  minP: { words: 'a number from 0 to 1', holds: (value) => value >= 0 && value <= 1 },
  repetitionPenalty: { words: 'a number above 0', holds: (value) => value > 0 && Number.isFinite(value) },
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  logprobs: whole(0, 100),
};
const names = [...Object.keys(ranges), 'stop', 'signal'];

/** Throws ATPC-607 for an unknown option, and ATPC-610 for a value out of range. `others` are options of the call itself. */
export function checkSettings(call: string, options: GenerateOptions, others: readonly string[] = []): GenerationSettings {
  checkOptions(call, options, [...names, ...others]);
  for (const [name, { words, holds }] of Object.entries(ranges) as [NumberOption, NumberRange][]) {
    const value: unknown = options[name];
    if (value === undefined || (typeof value === 'number' && holds(value))) continue;
    throw outOfRange(call, name, value, words);
  }
  const {
    maxTokens,
    temperature = 0,
    topK = 0,
    topP = 1,
    minP = 0,
    repetitionPenalty = 1,
    seed = 0,
    logprobs,
    stop = [],
  } = options;
  const stops: readonly unknown[] = Array.isArray(stop) ? stop : [stop];
  const wrong = stops.findIndex((text) => typeof text !== 'string' || text === '');
  if (wrong >= 0) throw outOfRange(call, 'stop', stops[wrong], 'a text that is not empty, or an array of them');
  return { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, logprobs, stops: stops as readonly string[] };
}
function outOfRange(call: string, name: string, value: unknown, words: string): AtpcError {
  const found = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return new AtpcError('ATPC-610', `The option ${name} of ${call} is ${found}; it is ${words}.`);
}
