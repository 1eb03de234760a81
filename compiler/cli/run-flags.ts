/** The options of `atpc run`. */
import { oneOf, positiveInteger } from './compile-flags.ts';
import type { Flag } from './compile-flags.ts';
import { generationFlags, type GenerationFlags } from './generation-flags.ts';

export const backendNames = ['auto', 'wasm', 'webgpu', 'cuda', 'native'] as const;
export type BackendName = (typeof backendNames)[number];

export interface RunFlags extends GenerationFlags {
  readonly text?: readonly string[];
  readonly prompt?: string;
  readonly inputs?: string;
  readonly outputs?: string;
  readonly backend?: BackendName;
  readonly threads?: number | 'auto';
}

// The next two are shared by the commands that run packages.
export const backendFlag = {
  flags: '--backend <name>',
  group: 'Execution:',
  summary: `what runs the kernels: ${backendNames.join(', ')}`,
  defaultText: 'auto, the fastest that works here',
  parse: (text) => oneOf('--backend', 'ATPC-301', text, backendNames),
} as const satisfies Flag<BackendName>;
export const threadsFlag = {
  flags: '--threads <number>',
  group: 'Execution:',
  summary: 'threads that compute a run together, or auto',
  defaultText: 'auto, one for each available processor, at most 4',
  parse: (text) => (text === 'auto' ? text : positiveInteger('--threads', text)),
} as const satisfies Flag<number | 'auto'>;

export const runFlags = {
  text: {
    flags: '--text <text>',
    group: 'Input, one of:',
    summary: 'a text to embed or classify; may be given several times',
    defaultText: 'none; this, --prompt or --inputs is needed',
    parse: (text, previous) => [...(previous ?? []), text],
  },
  inputs: {
    flags: '--inputs <file>',
    group: 'Input, one of:',
    summary: 'named input tensors (.json or .safetensors) instead of a text',
    defaultText: 'none; this, --text or --prompt is needed',
    parse: (text) => text,
  },
  prompt: {
    flags: '--prompt <text>',
    group: 'Input, one of:',
    summary: 'a text that the model continues, as it is; atpc chat puts it into the template of the model',
    defaultText: 'none; this, --text or --inputs is needed',
    parse: (text) => text,
  },
  ...generationFlags,
  outputs: {
    flags: '--outputs <file>',
    group: 'Output:',
    summary: 'with --inputs: where the named output tensors are written (.json or .safetensors)',
    defaultText: 'none, they are printed',
    parse: (text) => text,
  },
  backend: backendFlag,
  threads: threadsFlag,
} as const satisfies { readonly [K in keyof Required<RunFlags>]: Flag<NonNullable<RunFlags[K]>> };
