/** From the command line and the configuration file to the options of the compiler. */
import path from 'node:path';
import { parseKeys } from '../../passes/atp/share.ts';
import type { CompileOptions } from '../compile-options.ts';
import { isHubLocation, nameOfHubModel, parseHubLocation } from '../hub/hub-location.ts';
import { withCodes } from '../pass-fault.ts';
import type { CompileFlags } from './compile-flags.ts';
import type { ConfigFile } from './config-file.ts';
import { usageError } from './usage-error.ts';

/** The options of one compilation: the command line wins over the configuration file. Throws ATPC-301, 303 and 310. */
export async function compileSettings(modelArgument: string | undefined, flags: CompileFlags): Promise<CompileOptions> {
  const config: ConfigFile =
    flags.config === undefined ? {} : await (await import('./config-file.ts')).readConfigFile(flags.config);
  const model = modelArgument ?? config.model;
  if (model === undefined) {
    throw usageError(
      'No model was given: neither on the command line nor in a configuration file.',
      'Example: atpc compile examples/sentiment/model',
    );
  }
  const attention = attentionSettings(flags, config);
  const name = flags.name ?? config.name;
  const weights = flags.weights ?? config.weights;
  const targets = flags.target ?? config.targets;
  const precision = flags.precision ?? config.precision;
  const activations = flags.activations ?? config.activations;
  const storage = flags.quant ?? config.quant;
  const maxLength = flags.maxSeq ?? config.maxSeq;
  const beyondTrainedContext = flags.beyondTrainedContext ?? config.beyondTrainedContext;
  const dump = flags.dump ?? config.dump;
  return {
    model,
    out: flags.out ?? config.out ?? path.join('dist', folderName(name ?? lastPart(model))),
    ...attention,
    ...(weights !== undefined && { weights }),
    ...(name !== undefined && { name }),
    ...(targets !== undefined && { targets: [...new Set(targets)] }),
    ...(precision !== undefined && { precision }),
    ...(activations !== undefined && { activations }),
    ...(storage !== undefined && { storage }),
    ...(maxLength !== undefined && { maxLength }),
    ...(beyondTrainedContext === true && { beyondTrainedContext }),
    ...(dump !== undefined && { dump }),
    ...(flags.verify === true && { verify: true }),
    ...(flags.force === true && { force: true }),
  };
}

/** Attention on the command line replaces what the file says about it: a mode there does not clash with a plan here. */
function attentionSettings(flags: CompileFlags, config: ConfigFile): Partial<CompileOptions> {
  const chosenByFlag = flags.attn !== undefined || flags.plan !== undefined;
  const mode = chosenByFlag ? flags.attn : config.attention?.mode;
  const plan = chosenByFlag ? flags.plan : config.attention?.plan;
  const configKeys = flags.plan === undefined && config.attention?.keys !== undefined ? String(config.attention.keys) : undefined;
  const keys = flags.keys ?? configKeys;
  const ownCalibrate = config.attention?.calibrate;
  const calibrate = flags.calibrate ?? (chosenByFlag || ownCalibrate === undefined ? undefined : [ownCalibrate].flat());
  const maxLoss = flags.maxLoss ?? (chosenByFlag ? undefined : config.attention?.maxLoss);
  const writePlan = flags.writePlan ?? (chosenByFlag ? undefined : config.attention?.writePlan);
  const example = 'Example: atpc compile MODEL --attn auto --max-loss 0.02 --calibrate text.jsonl';
  if (calibrate !== undefined && mode !== 'hybrid' && mode !== 'auto' && maxLoss === undefined) {
    throw usageError(
      '--calibrate is what --max-loss is measured on, or where --attn hybrid finds its heads: neither is given.',
      example,
    );
  }
  if (maxLoss !== undefined && calibrate === undefined) {
    throw usageError('--max-loss is measured on text of yours, and no --calibrate is given.', example);
  }
  const typicalLength = flags.typicalLength ?? config.attention?.typicalLength;
  if (plan !== undefined && (mode !== undefined || keys !== undefined)) {
    const other = mode !== undefined ? 'a mode (--attn)' : 'a number of keys (--keys)';
    throw usageError(
      `A plan file (--plan) and ${other} exclude each other.`,
      'The plan file names the mode and keys of each layer: leave the other out.',
    );
  }
  // ATPC-303 before a model is read for nothing. Whether a count is all of the keys depends on the model; whether it is one does not.
  if (keys !== undefined) withCodes(() => parseKeys(keys, Number.MAX_SAFE_INTEGER));
  return {
    ...(mode !== undefined && { attention: mode }),
    ...(keys !== undefined && { keys }),
    ...(typicalLength !== undefined && { typicalLength }),
    ...(plan !== undefined && { plan }),
    ...(calibrate !== undefined && { calibrate }),
    ...(maxLoss !== undefined && { maxLoss }),
    ...(writePlan !== undefined && { writePlan }),
  };
}

/** `examples/embed/model.ts` -> `model`; `models/all-MiniLM-L6-v2/` and `hf:org/all-MiniLM-L6-v2` -> `all-MiniLM-L6-v2`. */
function lastPart(model: string): string {
  if (isHubLocation(model)) return nameOfHubModel(parseHubLocation(model));
  return path.basename(path.resolve(model)).replace(/\.([cm]?ts|gguf)$/, '');
}

/** `@scope/name` names a package, but not a folder of two levels. */
function folderName(name: string): string {
  return name.replace(/^@[^/]*\//, '');
}
