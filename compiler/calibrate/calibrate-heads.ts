/** `atpc calibrate`: which KV heads of a causal model need every token, as a plan file for mode hybrid. */
import { readFile } from 'node:fs/promises';
import { causalModes } from '../../passes/atp/cache-plan.ts';
import type { AttentionShape } from '../../passes/atp/site.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { CachePlanFile } from '../attention/cache-plan-file.ts';
import type { Target } from '../codegen/target.ts';
import type { SourceModel } from '../source-model.ts';
import type { Encode } from './calibrate.ts';
import { calibrationDefaults } from './calibration-defaults.ts';
import { measureCacheErrors, type HeadError } from './cache-errors.ts';

/** Positions that count; before, a stream has dropped nothing or little. */
const firstPosition = 512;
/** A text must show what is lost from far back; from 2,048 tokens on it does. */
const leastTokens = 1024;
const goodTokens = 2048;

export interface HeadCalibrationOptions {
  readonly source: SourceModel;
  readonly shapes: readonly AttentionShape[];
  readonly target: Target;
  readonly encode: Encode | null;
  /** Text files. */
  readonly texts: readonly string[];
  /** How many KV heads keep every token; 18 % unless given. */
  readonly guards?: number;
  /** Atoms of the heads that stream. */
  readonly atoms?: number;
  /** The most tokens of each text that are read. */
  readonly tokens?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (tokens: number, total: number) => void;
}
export interface HeadCalibration {
  readonly plan: CachePlanFile;
  /** All heads, the worst first. */
  readonly heads: readonly HeadError[];
  /** Heads that keep every token. */
  readonly guards: number;
  /** Tokens that were read of each text. */
  readonly tokens: readonly number[];
  /** sqrt of the summed errors: of all heads in `stream`, and of those that stay in it. Ranks plans, promises no level. */
  readonly predicted: { readonly stream: number; readonly hybrid: number };
  readonly notes: readonly string[];
}

/** Throws ATPC-311 (a model that keeps no caches, or has no tokenizer), ATPC-301 (a number), ATPC-608 (a text). */
export async function calibrateHeads(options: HeadCalibrationOptions): Promise<HeadCalibration> {
  const { source, shapes, target, encode, signal, onProgress } = options;
  if (source.context === null) {
    throw new AtpcError('ATPC-311', `Calibration finds the heads of models that generate, and ${source.name} is none.`);
  }
  if (encode === null) {
    throw new AtpcError('ATPC-311', `Calibration reads a text, and ${source.name} has no tokenizer.`);
  }
  const total = shapes.reduce((sum, { kvHeads }) => sum + kvHeads, 0);
  const guards = options.guards ?? Math.round(calibrationDefaults.guards * total);
  if (guards > total) {
    throw new AtpcError('ATPC-301', `--guards ${guards} is more than the ${total} KV heads that ${source.name} has.`);
  }
  const most = Math.min(options.tokens ?? calibrationDefaults.tokens, source.context.maxLength);
  const texts = await Promise.all(options.texts.map((file) => readText(file, encode, most)));
  const [errors = []] = await measureCacheErrors({
    graph: source.graph,
    tensors: source.tensors,
    shapes,
    texts: texts.map(({ ids }) => ids),
    caches: (capacity) => [causalModes.stream.cache(capacity, { atoms: calibrationDefaults.measuredAtoms })],
    firstPosition,
    target,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
  });
  const heads = [...errors].sort((a, b) => b.error - a.error || a.layer - b.layer || a.kvHead - b.kvHead);
  const root = (part: readonly HeadError[]): number => Math.sqrt(part.reduce((sum, { error }) => sum + error, 0));
  const predicted = { stream: root(heads), hybrid: root(heads.slice(guards)) };
  return {
    plan: planOf(heads.slice(0, guards), shapes, options.atoms ?? calibrationDefaults.atoms, predicted),
    heads,
    guards,
    tokens: texts.map(({ ids }) => ids.length),
    predicted,
    notes: texts.flatMap(({ note }) => note),
  };
}

/** What `chooseCachePlan` calls for `--calibrate`. */
export function headCalibrator(
  options: Omit<HeadCalibrationOptions, 'texts'>,
): (files: readonly string[]) => Promise<CachePlanFile> {
  return async (texts) => (await calibrateHeads({ ...options, texts })).plan;
}

async function readText(
  file: string,
  encode: Encode,
  most: number,
): Promise<{ readonly ids: readonly number[]; readonly note: readonly string[] }> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AtpcError('ATPC-608', `The text ${file} cannot be read: ${reason}.`, { cause });
  });
  // No token has more characters than this on average, and a tokenizer is slow on a whole book.
  const ids = encode(text.slice(0, most * 16), most).slice(0, most);
  if (ids.length < Math.min(leastTokens, most)) {
    throw new AtpcError('ATPC-608', `The text ${file} has ${ids.length} tokens, and calibration needs ${leastTokens} or more.`, {
      hint: `From ${goodTokens} tokens on the heads are found well; text that repeats names and passages shows them best.`,
    });
  }
  if (ids.length <= firstPosition) {
    throw new AtpcError('ATPC-301', `Calibration reads ${ids.length} tokens, and the first ${firstPosition} say nothing.`, {
      hint: 'Give a larger --tokens or --max-seq.',
    });
  }
  const short = ids.length < goodTokens;
  return {
    ids,
    note: short ? [`${file} has ${ids.length} tokens: from ${goodTokens} on the heads are found more surely.`] : [],
  };
}

function planOf(
  guards: readonly HeadError[],
  shapes: readonly AttentionShape[],
  atoms: number,
  { stream, hybrid }: HeadCalibration['predicted'],
): CachePlanFile {
  const total = shapes.reduce((sum, { kvHeads }) => sum + kvHeads, 0);
  const layers = shapes.flatMap(({ layer }) => {
    const own = guards.filter((guard) => guard.layer === layer).map(({ kvHead }) => kvHead);
    return own.length === 0 ? [] : [{ layer, heads: [{ kvHeads: own.sort((a, b) => a - b), mode: 'expand' }] }];
  });
  return {
    version: 1,
    note:
      `Calibrated: ${guards.length} of ${total} KV heads keep every token, the others stream. ` +
      `Predicted error ${hybrid.toPrecision(3)}, with all heads streaming ${stream.toPrecision(3)}.`,
    default: { mode: 'stream', atoms },
    layers,
  };
}
