/** The options of `atpc explain` beside those of the attention plan. */
import { parseTarget, positiveInteger, targetNames } from './compile-flags.ts';
import type { Flag } from './compile-flags.ts';
import { threadsFlag } from './run-flags.ts';

export interface ExplainFlags {
  readonly target?: readonly string[];
  readonly tokens?: number;
  readonly batch?: number;
  readonly profile?: true;
  readonly threads?: number | 'auto';
  readonly runs?: number;
  readonly html?: string;
}
export const explainDefaults = { tokens: 256, batch: 1, runs: 10 } as const;

export const explainFlags = {
  target: {
    flags: '-t, --target <target>',
    group: 'Execution:',
    summary: `which program: ${targetNames.join(', ')}`,
    defaultText: 'the first of the package; wasm for a model',
    parse: (text) => [parseTarget(text)],
  },
  tokens: {
    flags: '--tokens <number>',
    group: 'Execution:',
    summary: 'tokens of each sequence, for costs and times',
    defaultText: `${explainDefaults.tokens}, or as many as the model takes`,
    parse: (text) => positiveInteger('--tokens', text),
  },
  batch: {
    flags: '--batch <number>',
    group: 'Execution:',
    summary: 'sequences a run',
    defaultText: String(explainDefaults.batch),
    parse: (text) => positiveInteger('--batch', text),
  },
  profile: {
    flags: '--profile',
    group: 'Execution:',
    summary: 'also measure every kernel; a model is compiled into a temporary folder for it',
    defaultText: 'off',
  },
  threads: threadsFlag,
  runs: {
    flags: '--runs <number>',
    group: 'Execution:',
    summary: 'measured runs of --profile',
    defaultText: String(explainDefaults.runs),
    parse: (text) => positiveInteger('--runs', text),
  },
  html: {
    flags: '--html <file>',
    group: 'Output:',
    summary: 'write a page that draws it all; it needs no network and no server',
    defaultText: 'none',
    parse: (text) => text,
  },
} as const satisfies { readonly [K in keyof Required<ExplainFlags>]: Flag<NonNullable<ExplainFlags[K]>> };
