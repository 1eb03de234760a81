/**
 * The options of `atpc compile`, one row each: what the command line, the help, docs/cli.md and the configuration file share.
 */
import { causalModeNames } from '../../passes/atp/cache-plan.ts';
import { modeNames } from '../../passes/atp/modes/table.ts';
import type { TargetName } from '../../runtime/format/manifest.ts';
import { suggestion } from '../../runtime/suggest.ts';
import {
  activationTypes,
  precisions,
  weightTypes,
  type ActivationType,
  type Precision,
  type WeightType,
} from '../compile-options.ts';
import { usageError } from './usage-error.ts';

/** What the compiler can compile for. Not from its table of targets, which would load them for every command. */
export const targetNames = ['wasm', 'webgpu', 'cuda', 'native'] as const satisfies readonly TargetName[];

/** Which of them a model can have is decided by the model: encoders read a text at once, the others keep caches. */
const generatingModes = [...causalModeNames, 'hybrid'];
export const attentionNames: readonly string[] = [...new Set([...modeNames, ...generatingModes, 'auto'])];

export const optionGroups = [
  'Model:',
  'Input, one of:',
  'Data:',
  'Generation:',
  'Attention:',
  'Execution:',
  'Output:',
  'Debugging:',
] as const;
export type OptionGroup = (typeof optionGroups)[number];

export interface Flag<T = unknown> {
  readonly flags: string;
  readonly group: OptionGroup;
  readonly summary: string;
  /** The default in words; null for an option that is required or that is off unless given. */
  readonly defaultText: string | null;
  /** Checks and converts the argument; throws AtpcError. Absent for an option without argument. */
  parse?(text: string, previous: T | undefined): T;
}

/** The options as the command line gives them. */
export interface CompileFlags {
  readonly weights?: string;
  readonly out?: string;
  readonly name?: string;
  readonly target?: readonly string[];
  readonly precision?: Precision;
  readonly activations?: ActivationType;
  readonly attn?: string;
  readonly keys?: string;
  readonly typicalLength?: number;
  readonly plan?: string;
  readonly calibrate?: readonly string[];
  readonly maxLoss?: number;
  readonly writePlan?: string;
  readonly quant?: WeightType;
  readonly maxSeq?: number;
  readonly beyondTrainedContext?: true;
  readonly config?: string;
  readonly dump?: string;
  readonly verify?: true;
  readonly force?: true;
}

export const attentionFlags = {
  attn: {
    flags: '--attn <mode>',
    group: 'Attention:',
    summary: `attention of every layer and head: ${modeNames.join(', ')}; of models that generate: ${generatingModes.join(', ')}; auto: the cheapest plan under --max-loss`,
    defaultText: 'the cheapest for each layer at --typical-length; svd where the checkpoint was tuned with it',
    parse: (text) => oneOf('--attn', 'ATPC-302', text, attentionNames),
  },
  keys: {
    flags: '--keys <share|count>',
    group: 'Attention:',
    summary: 'principal keys a query reads: a share (1/4, 0.25; 1 is dense) or a count at full length (64)',
    defaultText: '1/4; what the checkpoint was tuned with for svd',
    parse: (text) => text,
  },
  typicalLength: {
    flags: '--typical-length <tokens>',
    group: 'Attention:',
    summary: 'tokens of a typical input, for choosing the cheapest attention',
    defaultText: '256',
    parse: (text) => positiveInteger('--typical-length', text),
  },
  plan: {
    flags: '--plan <file>',
    group: 'Attention:',
    summary: 'YAML file with the mode of each layer and head, instead of --attn and --keys',
    defaultText: 'none',
    parse: (text) => text,
  },
  calibrate: {
    flags: '--calibrate <file>',
    group: 'Attention:',
    summary:
      'text of yours (.txt, or .jsonl with a "text" a line): what --max-loss is measured on, and with --attn hybrid, where the heads that need every token are found; may be given several times',
    defaultText: 'none',
    parse: (text, previous) => [...(previous ?? []), text],
  },
} as const satisfies FlagTable;

export const precisionFlag = {
  flags: '--precision <type>',
  group: 'Output:',
  summary: `with -t cuda: what products and attention multiply (sums are f32): ${precisions.join(', ')}; the 16-bit ones run on tensor cores`,
  defaultText: 'f32',
  parse: (text) => oneOf('--precision', 'ATPC-301', text, precisions),
} as const satisfies Flag<Precision>;

export const activationsFlag = {
  flags: '--activations <type>',
  group: 'Output:',
  summary: `with -t native and weights in blocks: what products multiply them with: ${activationTypes.join(', ')}; int8 is faster and rounds, on processors with AVX2 or ARM dot products`,
  defaultText: 'f32; under --max-loss int8 where the loss allows it',
  parse: (text) => oneOf('--activations', 'ATPC-301', text, activationTypes),
} as const satisfies Flag<ActivationType>;

export const compileFlags = {
  weights: {
    flags: '--weights <folder>',
    group: 'Model:',
    summary: 'folder with the weights (safetensors) of a model file; a model folder brings its own',
    defaultText: 'the folder that the model file lies in',
    parse: (text) => text,
  },
  ...attentionFlags,
  maxLoss: {
    flags: '--max-loss <number>',
    group: 'Attention:',
    summary:
      'the most that the plan may lose against dense attention on --calibrate, at the upper end of the 95 % interval: mean KL(dense || plan) in nats for models that generate, 1 - cosine for embeddings, the share of texts with another label for classifiers',
    defaultText: 'none, nothing is measured',
    parse: (text) => positiveNumber('--max-loss', text),
  },
  writePlan: {
    flags: '--write-plan <file>',
    group: 'Attention:',
    summary:
      'YAML file that receives the plan that --attn auto found, or the best where none is under --max-loss; --plan reads it',
    defaultText: 'none',
    parse: (text) => text,
  },
  out: {
    flags: '-o, --out <folder>',
    group: 'Output:',
    summary: 'where the package is written: a new or empty folder, or an earlier package',
    defaultText: 'dist/<name>',
    parse: (text) => text,
  },
  name: {
    flags: '--name <name>',
    group: 'Output:',
    summary: 'npm name of the package',
    defaultText: 'the last part of the path of the model',
    parse: (text) => text,
  },
  target: {
    flags: '-t, --target <targets>',
    group: 'Output:',
    summary: `what the package runs on, one or several with commas: ${targetNames.join(', ')}`,
    defaultText: 'wasm',
    parse: (text, previous) => [...(previous ?? []), ...text.split(',').map(parseTarget)],
  },
  precision: precisionFlag,
  activations: activationsFlag,
  quant: {
    flags: '-q, --quant <type>',
    group: 'Output:',
    summary: `weights as numbers (f32, f16), or matrices in blocks of 32 with 8 or 4 bits (q8, q4): ${weightTypes.join(', ')}`,
    defaultText: 'as in the checkpoint',
    parse: (text) => oneOf('--quant', 'ATPC-301', text, weightTypes),
  },
  maxSeq: {
    flags: '--max-seq <tokens>',
    group: 'Model:',
    summary: 'tokens that a session of a generating model can hold, prompt and answer together',
    defaultText: 'the length that the model was trained for',
    parse: (text) => positiveInteger('--max-seq', text),
  },
  beyondTrainedContext: {
    flags: '--beyond-trained-context',
    group: 'Model:',
    summary: 'allow a --max-seq above the length that the model was trained for',
    defaultText: 'off',
  },
  config: {
    flags: '--config <file>',
    group: 'Model:',
    summary: 'YAML file with any of these options (docs/configuration.md); the command line wins over it',
    defaultText: 'none',
    parse: (text) => text,
  },
  force: {
    flags: '--force',
    group: 'Attention:',
    summary: 'allow --attn svd on a checkpoint that was not tuned for it',
    defaultText: 'off',
  },
  dump: {
    flags: '--dump <folder>',
    group: 'Debugging:',
    summary: 'write the IR after every pass into the folder',
    defaultText: 'none',
    parse: (text) => text,
  },
  verify: {
    flags: '--verify',
    group: 'Debugging:',
    summary: 'run the verifier after every pass',
    defaultText: 'off',
  },
} as const satisfies Required<FlagTable>;

export const parseTarget = (text: string): TargetName => oneOf('--target', 'ATPC-307', text.trim(), targetNames);

type FlagTable = { readonly [K in keyof CompileFlags]?: Flag<NonNullable<CompileFlags[K]>> };

/** Checks that a value is one of a list; throws `code`. */
export function oneOf<T extends string>(
  option: string,
  code: 'ATPC-301' | 'ATPC-302' | 'ATPC-307',
  text: string,
  values: readonly T[],
): T {
  const value = values.find((candidate) => candidate === text);
  if (value !== undefined) return value;
  throw usageError(`${option} does not know '${text}'.`, suggestion(text, values), code);
}

export function positiveNumber(option: string, text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+(?:e-?\d+)?$/i.test(text) && Number.isFinite(value) && value > 0) return value;
  throw usageError(`${option} takes a number above 0, and '${text}' is none.`, `Example: ${option} 0.02`);
}

export function positiveInteger(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value;
  throw usageError(`${option} takes a whole number above 0, and '${text}' is none.`, `Example: ${option} 512`);
}
