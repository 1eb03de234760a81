/** The options of `atpc bench`. */
import { positiveInteger } from './compile-flags.ts';
import type { Flag } from './compile-flags.ts';
import { backendFlag, threadsFlag, type BackendName } from './run-flags.ts';
import { usageError } from './usage-error.ts';

export interface BenchFlags {
  readonly text?: readonly string[];
  readonly tokens?: readonly number[];
  readonly batch?: readonly number[];
  readonly runs?: number;
  readonly warmup?: number;
  readonly profile?: true;
  readonly trace?: string;
  readonly backend?: BackendName;
  readonly threads?: number | 'auto';
}

export function integerList(option: string, text: string): readonly number[] {
  return text.split(',').map((part) => positiveInteger(option, part.trim()));
}

export const benchDefaults = { tokens: [128, 512], batch: 1, runs: 20, warmup: 3 } as const;

export const benchFlags = {
  text: {
    flags: '--text <text>',
    group: 'Input, one of:',
    summary: 'a text to embed or classify, tokenizer included; may be given several times',
    defaultText: 'none, token ids from a fixed seed',
    parse: (text, previous) => [...(previous ?? []), text],
  },
  tokens: {
    flags: '--tokens <list>',
    group: 'Input, one of:',
    summary: 'tokens of each sequence, as a list: 128,512',
    defaultText: '128 and 512, as far as the model goes',
    parse: (text) => integerList('--tokens', text),
  },
  batch: {
    flags: '--batch <list>',
    group: 'Execution:',
    summary: 'sequences a run, as a list: 1,16; texts are repeated to fill it',
    defaultText: '1; with --text, all of them',
    parse: (text) => integerList('--batch', text),
  },
  runs: {
    flags: '--runs <number>',
    group: 'Execution:',
    summary: 'measured runs of each case',
    defaultText: String(benchDefaults.runs),
    parse: (text) => positiveInteger('--runs', text),
  },
  warmup: {
    flags: '--warmup <number>',
    group: 'Execution:',
    summary: 'runs of each case before the first that counts',
    defaultText: String(benchDefaults.warmup),
    parse: (text) => {
      if (/^\d+$/.test(text)) return Number(text);
      throw usageError(`--warmup takes a whole number, and '${text}' is none.`, 'Example: --warmup 3');
    },
  },
  backend: backendFlag,
  threads: threadsFlag,
  profile: {
    flags: '--profile',
    group: 'Output:',
    summary: 'also the time, share and GFLOP/s of each kernel, products and attention as shares of the SIMD limit',
    defaultText: 'off',
  },
  trace: {
    flags: '--trace <file>',
    group: 'Output:',
    summary: 'write every measured run as a Chrome trace, for about:tracing and ui.perfetto.dev',
    defaultText: 'none',
    parse: (text) => text,
  },
} as const satisfies { readonly [K in keyof Required<BenchFlags>]: Flag<NonNullable<BenchFlags[K]>> };
