import { stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { isModel, type Model } from '../model/define-model.ts';
import { formatSite, siteOfError } from '../model/site.ts';
import type { BertConfig } from '../families/bert-config.ts';
import type { LlamaConfig } from '../families/llama-config.ts';
import { bundle } from './bundle.ts';
import { familyPath } from './installation.ts';
import { instrument } from './instrument.ts';
import { typeDiagnostics, typeError } from './type-check.ts';

export interface LoadModelOptions {
  /** What a family (a default export that is a function) is called with. */
  readonly config?: unknown;
  /** Runs the file without type-checking it first: for the built-in families, which were checked when atpc was built. */
  readonly trusted?: boolean;
  /** What errors and provenance call the file; its path from the current folder unless said. */
  readonly label?: string;
}

/**
 * Type-checks a model file, runs it and gives the model that it exports as its default. Values of the model know the variable
 * and line that they come from. Throws ATPC-201 (no such file), ATPC-101 (does not type-check: nothing was run) and ATPC-102
 * (failed, or does not export a model).
 */
export async function loadModelFile(path: string, options: LoadModelOptions = {}): Promise<Model> {
  const file = resolve(path);
  const label = (each: string): string => (each === file ? (options.label ?? displayPath(each)) : displayPath(each));
  await requireFile(file, label(file));
  // Imported here, because the compiler is a third of a second of start-up that most commands do not need.
  const morph = await import('ts-morph');
  if (options.trusted !== true) {
    const [first, ...rest] = typeDiagnostics(morph, file, label);
    if (first) throw typeError([first, ...rest]);
  }
  const code = await bundle(file, (text, each) => instrument(morph.ts, text, label(each)));
  return runModelFile(code, label(file), options.config);
}

/** Configurations of the built-in families. */
export interface Families {
  readonly bert: BertConfig;
  readonly llama: LlamaConfig;
}
/** A built-in family, loaded as a user's file is, so that errors name lines of it too. */
export function loadFamily<F extends keyof Families>(family: F, config: Families[F]): Promise<Model> {
  return loadModelFile(familyPath(family), { config, trusted: true, label: `atpc/families/${family}.ts` });
}

async function requireFile(file: string, label: string): Promise<void> {
  const stats = await stat(file).catch(() => undefined);
  if (!stats?.isFile()) throw new AtpcError('ATPC-201', `There is no model file ${label}.`);
  if (!/\.m?ts$/.test(file)) {
    throw new AtpcError('ATPC-102', `The model file ${label} is not a TypeScript file.`, {
      hint: 'Its name must end in .ts or .mts.',
    });
  }
}
function displayPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') || isAbsolute(path) ? file : path;
}

async function runModelFile(code: string, label: string, config: unknown): Promise<Model> {
  let exported: unknown;
  try {
    // A data URL needs no file that someone would have to clean up.
    const module: unknown = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
    exported = typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined;
    if (typeof exported === 'function' && !isModel(exported)) exported = (exported as (config: unknown) => unknown)(config);
  } catch (error) {
    if (error instanceof AtpcError) throw error;
    const site = siteOfError(error);
    const reason = error instanceof Error ? error.message : String(error);
    throw new AtpcError('ATPC-102', `${site ? formatSite(site) : label}: running the model file failed: ${reason}.`, {
      cause: error,
    });
  }
  if (isModel(exported)) return exported;
  throw new AtpcError('ATPC-102', `The model file ${label} exports ${describe(exported)} as its default, not a model.`, {
    hint: 'Write `export default defineModel(...)`, or export a function of the configuration that returns one.',
  });
}
function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  return value === null ? 'null' : `a value of type ${Array.isArray(value) ? 'array' : typeof value}`;
}
