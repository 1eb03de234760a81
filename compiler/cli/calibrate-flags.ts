/** The options of `atpc calibrate`. */
import { calibrationDefaults } from '../calibrate/calibration-defaults.ts';
import { compileFlags, positiveInteger } from './compile-flags.ts';
import type { Flag } from './compile-flags.ts';

export interface CalibrateFlags {
  readonly text?: readonly string[];
  readonly out?: string;
  readonly guards?: number;
  readonly atoms?: number;
  readonly tokens?: number;
  readonly weights?: string;
  readonly maxSeq?: number;
  readonly beyondTrainedContext?: true;
}

const { guards, atoms, tokens } = calibrationDefaults;
export const calibrateFlags = {
  text: {
    flags: '--text <file>',
    group: 'Input, one of:',
    summary: 'text that the model reads, 2,048 tokens or more, better with repeats; may be given several times',
    defaultText: 'none; one is needed',
    parse: (text, previous) => [...(previous ?? []), text],
  },
  guards: {
    flags: '--guards <heads>',
    group: 'Attention:',
    summary: 'KV heads that keep every token (mode expand)',
    defaultText: `${guards * 100} % of all`,
    parse: (text) => positiveInteger('--guards', text),
  },
  atoms: {
    flags: '--atoms <tokens>',
    group: 'Attention:',
    summary: 'scored tokens that each of the other heads keeps (mode stream)',
    defaultText: String(atoms),
    parse: (text) => positiveInteger('--atoms', text),
  },
  tokens: {
    flags: '--tokens <number>',
    group: 'Attention:',
    summary: 'the most tokens of each text that are read',
    defaultText: String(tokens),
    parse: (text) => positiveInteger('--tokens', text),
  },
  out: {
    flags: '-o, --out <file>',
    group: 'Output:',
    summary: 'where the plan (YAML) is written',
    defaultText: 'none, it is printed',
    parse: (text) => text,
  },
  weights: compileFlags.weights,
  maxSeq: compileFlags.maxSeq,
  beyondTrainedContext: compileFlags.beyondTrainedContext,
} as const satisfies { readonly [K in keyof Required<CalibrateFlags>]: Flag<NonNullable<CalibrateFlags[K]>> };
