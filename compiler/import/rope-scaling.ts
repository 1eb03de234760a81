/** What the rope settings of config.json mean (modeling_rope_utils.py of transformers). */
import { AtpcError } from '../../runtime/errors.ts';
import type { LlamaRope } from '../families/llama-config.ts';
import type { LlamaConfigFile, RopeScalingFile } from '../schema/llama-config.ts';

/** Divisors of the frequencies theta^(-2 i / headSize); empty where nothing is scaled. */
type Scaling = (file: string, settings: RopeScalingFile, theta: number, headSize: number) => readonly number[];

const scalings: Readonly<Record<string, Scaling>> = {
  default: () => [],
  linear: (file, settings, _theta, headSize) => {
    const [factor] = numbers(file, 'linear', settings, ['factor']);
    return Array.from({ length: headSize / 2 }, () => factor);
  },
  llama3: llama3Divisors,
};

/**
 * `_compute_llama3_parameters`: long waves turn slower by `factor`, short ones as before, and those between by a mean of both
 * that goes with the number of waves in the original length.
 */
function llama3Divisors(file: string, settings: RopeScalingFile, theta: number, headSize: number): readonly number[] {
  const [factor, low, high, original] = numbers(file, 'llama3', settings, [
    'factor',
    'low_freq_factor',
    'high_freq_factor',
    'original_max_position_embeddings',
  ]);
  if (high <= low)
    throw new AtpcError('ATPC-202', `${file} has a high_freq_factor of ${high}, which is not above its low_freq_factor ${low}.`);
  return Array.from({ length: headSize / 2 }, (_, i) => {
    const waveLength = 2 * Math.PI * theta ** ((2 * i) / headSize);
    if (waveLength < original / high) return 1;
    if (waveLength > original / low) return factor;
    const smooth = (original / waveLength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

type Count<K extends readonly string[]> = { readonly [I in keyof K]: number };
function numbers<const K extends readonly (keyof RopeScalingFile)[]>(
  file: string,
  type: string,
  settings: RopeScalingFile,
  keys: K,
): Count<K> {
  const values = keys.map((key) => {
    const value = settings[key];
    if (typeof value === 'number') return value;
    throw new AtpcError('ATPC-202', `${file} scales its rope by '${type}' and lacks '${key}'.`);
  });
  return values as readonly number[] as Count<K>;
}

/** Throws ATPC-202 for scaling that is not known, incomplete, or said twice. */
export function ropeOf(file: string, raw: LlamaConfigFile, headSize: number): LlamaRope {
  const [older, newer] = [raw.rope_scaling ?? null, raw.rope_parameters ?? null];
  if (older && newer) {
    throw new AtpcError('ATPC-202', `${file} has both rope_scaling and rope_parameters, and which of them holds is not known.`);
  }
  const settings = newer ?? older ?? {};
  const inside = settings.rope_theta;
  if (inside !== undefined && raw.rope_theta !== undefined && inside !== raw.rope_theta) {
    throw new AtpcError('ATPC-202', `${file} has rope_theta ${raw.rope_theta}, and ${inside} among its rope settings.`);
  }
  const theta = inside ?? raw.rope_theta ?? 10_000;
  const type = settings.rope_type ?? settings.type ?? 'default';
  const scaling = Object.hasOwn(scalings, type) ? scalings[type] : undefined;
  if (scaling === undefined) {
    throw new AtpcError('ATPC-202', `${file} scales its rope by '${type}', which is not supported.`, {
      hint: `Supported: ${Object.keys(scalings).join(', ')}.`,
    });
  }
  return { theta, divisors: scaling(file, settings, theta, headSize) };
}
