/** Plan files: a mode for each layer and head, as YAML that a person can read and edit. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { AttentionPlan, HeadGroup, LayerPlan } from '../../passes/atp/plan.ts';
import { isModeName, modeNames, type ModeName } from '../../passes/atp/modes/table.ts';
import { parseKeys, wholeShare, type Share } from '../../passes/atp/share.ts';
import { allHeads, type AttentionShape } from '../../passes/atp/site.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { withCodes } from '../pass-fault.ts';
import { didYouMean } from '../schema/did-you-mean.ts';
import { validator } from '../schema/validator.ts';

interface ModeEntry {
  readonly mode: string;
  readonly keys?: string | number;
}
interface LayerEntry extends Partial<ModeEntry> {
  readonly layer: number;
  readonly heads?: readonly (ModeEntry & { readonly kvHeads: readonly number[] })[];
}
export interface PlanFile {
  readonly version: 1;
  /** Where the plan comes from, for people. */
  readonly note?: string;
  /** For layers and heads that are not named; dense where it is missing. */
  readonly default?: ModeEntry;
  readonly layers?: readonly LayerEntry[];
}

const mode = { type: 'string' };
const keys = { type: ['string', 'number'] };
const headIndex = { type: 'integer', minimum: 0 };
const validatePlanFile = validator<PlanFile>({
  type: 'object',
  required: ['version'],
  additionalProperties: false,
  properties: {
    version: { const: 1 },
    note: { type: 'string' },
    default: { type: 'object', required: ['mode'], additionalProperties: false, properties: { mode, keys } },
    layers: {
      type: 'array',
      items: {
        type: 'object',
        required: ['layer'],
        additionalProperties: false,
        properties: {
          layer: headIndex,
          mode,
          keys,
          heads: {
            type: 'array',
            minItems: 1,
            items: {
              type: 'object',
              required: ['kvHeads', 'mode'],
              additionalProperties: false,
              properties: { kvHeads: { type: 'array', minItems: 1, items: headIndex }, mode, keys },
            },
          },
        },
      },
    },
  },
});

export function modeNamed(name: string): ModeName {
  if (isModeName(name)) return name;
  const near = didYouMean(name, modeNames);
  throw new AtpcError('ATPC-302', `'${name}' is not an attention mode.`, {
    hint: near.hint ?? `Modes: ${modeNames.join(', ')}.`,
  });
}

function group(entry: ModeEntry, kvHeads: readonly number[], maxTokens: number): HeadGroup {
  const name = modeNamed(entry.mode);
  const share: Share = name === 'dense' ? wholeShare : withCodes(() => parseKeys(String(entry.keys ?? '1/4'), maxTokens));
  return { mode: name, kvHeads, keys: share };
}

/** Reads a plan for a model. Throws ATPC-304 (not valid, does not fit), ATPC-302, ATPC-303. */
export async function readPlanFile(path: string, shapes: readonly AttentionShape[], maxTokens: number): Promise<AttentionPlan> {
  let value: unknown;
  try {
    value = parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new AtpcError(
      'ATPC-304',
      `The plan ${path} cannot be read: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}.`,
      { cause },
    );
  }
  const file = validatePlanFile(value, (fault) => new AtpcError('ATPC-304', `The plan ${path} is not valid: ${fault}.`));
  return planOf(file, path, shapes, maxTokens);
}

/** `path` is what errors call the plan. */
export function planOf(file: PlanFile, path: string, shapes: readonly AttentionShape[], maxTokens: number): AttentionPlan {
  const known = new Set<number>();
  for (const { layer } of file.layers ?? []) {
    if (layer >= shapes.length) {
      throw new AtpcError(
        'ATPC-304',
        `The plan ${path} names layer ${layer}; the model has ${shapes.length} attention layers, from 0.`,
      );
    }
    if (known.has(layer)) throw new AtpcError('ATPC-304', `The plan ${path} names layer ${layer} twice.`);
    known.add(layer);
  }
  const fallback: ModeEntry = file.default ?? { mode: 'dense' };
  const layers = shapes.map((shape): LayerPlan => {
    const { layer } = shape;
    const all = allHeads(shape);
    const entry = file.layers?.find((candidate) => candidate.layer === layer);
    if (entry?.heads && entry.mode !== undefined) {
      throw new AtpcError(
        'ATPC-304',
        `Layer ${layer} of the plan ${path} has a mode for all heads and a list of heads; it can have one of them.`,
      );
    }
    if (!entry?.heads)
      return { layer, groups: [group(entry?.mode === undefined ? fallback : { ...entry, mode: entry.mode }, all, maxTokens)] };
    const groups = entry.heads.map((heads) => group(heads, heads.kvHeads, maxTokens));
    const rest = all.filter((head) => !groups.some(({ kvHeads: heads }) => heads.includes(head)));
    return { layer, groups: rest.length === 0 ? groups : [...groups, group(fallback, rest, maxTokens)] };
  });
  return { reason: file.note ?? 'The plan was read from a file.', layers };
}
