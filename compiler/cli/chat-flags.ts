/** The options of `atpc chat`. */
import type { Flag } from './compile-flags.ts';
import { generationFlags, type GenerationFlags } from './generation-flags.ts';
import { backendFlag, threadsFlag, type BackendName } from './run-flags.ts';

export interface ChatFlags extends GenerationFlags {
  readonly system?: string;
  readonly backend?: BackendName;
  readonly threads?: number | 'auto';
}

export const chatFlags = {
  system: {
    flags: '--system <text>',
    group: 'Generation:',
    summary: 'message that the conversation begins with, for the model and not answered',
    defaultText: "none; a model's template may have one of its own",
    parse: (text) => text,
  },
  ...generationFlags,
  backend: backendFlag,
  threads: threadsFlag,
} as const satisfies { readonly [K in keyof Required<ChatFlags>]: Flag<NonNullable<ChatFlags[K]>> };

/** One document would come only when all is said. */
export const chatJsonFlag = {
  flags: '--json',
  group: 'Output:',
  summary: 'print one JSON object a line: an answer, or an error',
  defaultText: 'off',
} as const satisfies Flag;
