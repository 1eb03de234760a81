/** atpc.yaml: the options of `atpc compile` in a file. docs/configuration.md describes it. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Ajv } from 'ajv';
import type { ErrorObject } from 'ajv';
import { LineCounter, isMap, isNode, isPair, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { AtpcError } from '../../runtime/errors.ts';
import { suggestion } from '../../runtime/suggest.ts';
import {
  activationTypes,
  precisions,
  weightTypes,
  type ActivationType,
  type Precision,
  type WeightType,
} from '../compile-options.ts';
import { isHubLocation } from '../hub/hub-location.ts';
import { attentionNames, targetNames } from './compile-flags.ts';

export interface ConfigFile {
  readonly model?: string;
  readonly weights?: string;
  readonly out?: string;
  readonly name?: string;
  readonly targets?: readonly string[];
  readonly precision?: Precision;
  readonly activations?: ActivationType;
  readonly attention?: {
    readonly mode?: string;
    readonly keys?: string | number;
    readonly typicalLength?: number;
    readonly plan?: string;
    readonly calibrate?: string | readonly string[];
    readonly maxLoss?: number;
    readonly writePlan?: string;
  };
  readonly quant?: WeightType;
  readonly maxSeq?: number;
  readonly beyondTrainedContext?: boolean;
  readonly dump?: string;
}

const text = { type: 'string', minLength: 1 };

export const configSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    model: text,
    weights: text,
    out: text,
    name: text,
    targets: { type: 'array', minItems: 1, uniqueItems: true, items: { enum: targetNames } },
    precision: { enum: precisions },
    activations: { enum: activationTypes },
    attention: {
      type: 'object',
      additionalProperties: false,
      properties: {
        mode: { enum: attentionNames },
        keys: { type: ['string', 'number'] },
        typicalLength: { type: 'integer', minimum: 1 },
        plan: text,
        calibrate: { type: ['string', 'array'], minLength: 1, minItems: 1, items: text },
        maxLoss: { type: 'number', exclusiveMinimum: 0 },
        writePlan: text,
      },
    },
    quant: { enum: weightTypes },
    maxSeq: { type: 'integer', minimum: 1 },
    beyondTrainedContext: { type: 'boolean' },
    dump: text,
  },
} as const;

/**
 * Reads and checks a configuration file; paths in it are taken from its own folder. Throws ATPC-310 with the line and
 * column of the fault.
 */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  const lines = new LineCounter();
  const document = parseDocument(await readText(file), { lineCounter: lines });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [fault] = document.errors;
  if (fault !== undefined)
    throw invalid(`${at(fault.pos[0])} is not YAML: ${fault.message.split('\n')[0]?.replace(/ at line .*$/, '') ?? ''}.`);
  const value: unknown = document.toJS() ?? {};
  const validate = new Ajv({ allowUnionTypes: true }).compile<ConfigFile>(configSchema);
  if (!validate(value)) {
    const [error] = validate.errors ?? [];
    throw error === undefined ? invalid(`${file} is not valid.`) : schemaFault(error, document, at);
  }
  return withPathsFrom(path.dirname(file), value);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw new AtpcError('ATPC-310', `The configuration file '${file}' ${missing ? 'is not there' : 'cannot be read'}.`, {
      cause,
    });
  }
}

function schemaFault(error: ErrorObject, document: Document, at: (offset: number) => string): AtpcError {
  const keys = error.instancePath.split('/').slice(1);
  const name = keys.length === 0 ? 'The file' : `'${keys.join('.')}'`;
  const parameters = error.params as Readonly<Record<string, unknown>>;
  if (error.keyword === 'additionalProperties') {
    const unknown = String(parameters['additionalProperty']);
    const known = Object.keys(keys[0] === 'attention' ? configSchema.properties.attention.properties : configSchema.properties);
    const where = at(offsetOf(document, [...keys, unknown]));
    return invalid(`${where}: the key '${[...keys, unknown].join('.')}' is not known.`, suggestion(unknown, known));
  }
  const where = at(offsetOf(document, keys));
  if (error.keyword === 'enum') {
    const allowed = parameters['allowedValues'] as readonly string[];
    const found = String(document.getIn(keys));
    return invalid(`${where}: ${name} does not know '${found}'.`, suggestion(found, allowed));
  }
  if (error.keyword === 'type') return invalid(`${where}: ${name} must be of type ${[parameters['type']].flat().join(' or ')}.`);
  return invalid(`${where}: ${name} ${error.message ?? 'is not valid'}.`);
}

/** Where the key of a path begins in the text; for an item of a list, or the whole file, where the value begins. */
function offsetOf(document: Document, keys: readonly string[]): number {
  const parent: unknown = keys.length < 2 ? document.contents : document.getIn(keys.slice(0, -1), true);
  if (keys.length > 0 && isMap(parent)) {
    const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === keys.at(-1));
    if (pair !== undefined && isNode(pair.key)) return pair.key.range?.[0] ?? 0;
  }
  const node: unknown = keys.length === 0 ? document.contents : document.getIn(keys, true);
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

function withPathsFrom(folder: string, config: ConfigFile): ConfigFile {
  const resolved = (file: string): string => path.join(folder, file);
  const { model, weights, out, dump, attention } = config;
  return {
    ...config,
    ...(model !== undefined && { model: isHubLocation(model) ? model : absoluteOr(model, resolved) }),
    ...(weights !== undefined && { weights: absoluteOr(weights, resolved) }),
    ...(out !== undefined && { out: absoluteOr(out, resolved) }),
    ...(dump !== undefined && { dump: absoluteOr(dump, resolved) }),
    ...(attention !== undefined && { attention: attentionWithPaths(attention, resolved) }),
  };
}

function attentionWithPaths(
  attention: NonNullable<ConfigFile['attention']>,
  resolved: (file: string) => string,
): NonNullable<ConfigFile['attention']> {
  const { plan, calibrate, writePlan } = attention;
  return {
    ...attention,
    ...(plan !== undefined && { plan: absoluteOr(plan, resolved) }),
    ...(calibrate !== undefined && { calibrate: [calibrate].flat().map((file) => absoluteOr(file, resolved)) }),
    ...(writePlan !== undefined && { writePlan: absoluteOr(writePlan, resolved) }),
  };
}

function absoluteOr(file: string, resolved: (file: string) => string): string {
  return path.isAbsolute(file) ? file : resolved(file);
}

function invalid(sentence: string, hint?: string): AtpcError {
  return new AtpcError('ATPC-310', sentence, hint === undefined ? {} : { hint });
}
