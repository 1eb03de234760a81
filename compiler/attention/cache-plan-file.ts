/**
 * Plan files of causal models, as YAML that a person can read and edit:
 *
 *     version: 1
 *     default: { mode: stream, atoms: 128 }
 *     layers:
 *       - layer: 17
 *         heads:
 *           - { kvHeads: [1], mode: expand }
 */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import {
  causalModeNames,
  causalModes,
  isCausalModeName,
  type CacheGroup,
  type CachePlan,
  type CacheSetting,
  type CacheSettings,
  type CausalModeName,
} from '../../passes/atp/cache-plan.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { planYaml } from './plan-yaml.ts';
import { validator } from '../schema/validator.ts';
import { didYouMean } from '../schema/did-you-mean.ts';

interface ModeEntry extends CacheSettings {
  readonly mode: string;
}
interface HeadsEntry extends ModeEntry {
  readonly kvHeads: readonly number[];
}
interface LayerEntry extends Partial<ModeEntry> {
  readonly layer: number;
  readonly heads?: readonly HeadsEntry[];
}
export interface CachePlanFile {
  readonly version: 1;
  /** Where the plan comes from, for people. */
  readonly note?: string;
  /** For layers and heads that are not named; dense where it is missing. */
  readonly default?: ModeEntry;
  readonly layers?: readonly LayerEntry[];
}

const whole = (minimum: number) => ({ type: 'integer', minimum });
const settings: { readonly [S in CacheSetting]: object } = {
  sinks: whole(0),
  window: whole(1),
  block: whole(1),
  atoms: whole(1),
  decay: { type: 'number', minimum: 0, maximum: 1 },
  tokensPerKey: { type: 'number', minimum: 1 },
  most: whole(1),
  share: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
};
const mode = { type: 'string' };
const index = whole(0);
const entry = (required: readonly string[], properties: object): object => ({
  type: 'object',
  required,
  additionalProperties: false,
  properties: { mode, ...settings, ...properties },
});
const validatePlanFile = validator<CachePlanFile>({
  type: 'object',
  required: ['version'],
  additionalProperties: false,
  properties: {
    version: { const: 1 },
    note: { type: 'string' },
    default: entry(['mode'], {}),
    layers: {
      type: 'array',
      items: entry(['layer'], {
        layer: index,
        heads: {
          type: 'array',
          minItems: 1,
          items: entry(['kvHeads', 'mode'], { kvHeads: { type: 'array', minItems: 1, items: index } }),
        },
      }),
    },
  },
});

export function causalModeNamed(name: string): CausalModeName {
  if (isCausalModeName(name)) return name;
  const names = [...causalModeNames, 'hybrid'];
  const near = didYouMean(name, names);
  throw new AtpcError('ATPC-302', `'${name}' is no mode for causal attention.`, {
    hint: near.hint ?? `Modes of causal attention: ${names.join(', ')}.`,
  });
}

/** `heads` KV heads of every layer. Throws ATPC-302 (mode) and ATPC-304 (not valid, does not fit). */
export async function readCachePlanFile(path: string, heads: readonly number[], maxTokens: number): Promise<CachePlan> {
  let value: unknown;
  try {
    value = parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new AtpcError('ATPC-304', `The plan ${path} cannot be read: ${reason}.`, { cause });
  }
  const file = validatePlanFile(value, (fault) => new AtpcError('ATPC-304', `The plan ${path} is not valid: ${fault}.`));
  return cachePlanOf(file, path, heads, maxTokens);
}

/** `name` is what errors call the plan. */
export function cachePlanOf(file: CachePlanFile, name: string, heads: readonly number[], maxTokens: number): CachePlan {
  const fault = (sentence: string): AtpcError => new AtpcError('ATPC-304', `The plan ${name} ${sentence}.`);
  const named = new Map<number, LayerEntry>();
  for (const layer of file.layers ?? []) {
    if (layer.layer >= heads.length) throw fault(`names layer ${layer.layer}; the model has ${heads.length} layers, from 0`);
    if (named.has(layer.layer)) throw fault(`names layer ${layer.layer} twice`);
    if (layer.heads && layer.mode !== undefined)
      throw fault(`gives layer ${layer.layer} a mode for all heads and a list of heads; it can have one of them`);
    named.set(layer.layer, layer);
  }
  const group = ({ mode: modeName, ...rest }: ModeEntry, kvHeads: readonly number[]): CacheGroup => {
    const causal = causalModeNamed(modeName);
    const known: readonly CacheSetting[] = causalModes[causal].settings;
    const numbers = Object.entries(rest).filter(([key]) => Object.hasOwn(settings, key));
    const unknown = numbers.find(([key]) => !known.some((setting) => setting === key));
    if (unknown) {
      throw fault(`gives mode ${causal} '${unknown[0]}', which it does not have; it has ${known.join(', ') || 'no settings'}`);
    }
    return { mode: causal, cache: causalModes[causal].cache(maxTokens, Object.fromEntries(numbers)), kvHeads };
  };
  const fallback: ModeEntry = file.default ?? { mode: 'dense' };
  const layers = heads.map((count, layer): readonly CacheGroup[] => {
    const all = Array.from({ length: count }, (_, head) => head);
    const own = named.get(layer);
    if (!own?.heads) return [group(own?.mode === undefined ? fallback : { ...own, mode: own.mode }, all)];
    const groups = own.heads.map((each) => group(each, each.kvHeads));
    const taken = groups.flatMap(({ kvHeads }) => kvHeads);
    const wrong = taken.find((head, at) => head >= count || taken.indexOf(head) !== at);
    if (wrong !== undefined)
      throw fault(`names head ${wrong} of layer ${layer} ${wrong >= count ? `, which has ${count} KV heads` : 'twice'}`);
    const rest = all.filter((head) => !taken.includes(head));
    return rest.length === 0 ? groups : [...groups, group(fallback, rest)];
  });
  return { reason: file.note ?? 'The plan was read from a file.', layers };
}

export function writeCachePlanFile(file: CachePlanFile): string {
  return planYaml(file);
}
