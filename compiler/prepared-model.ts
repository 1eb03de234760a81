/** A model on its way into a package: what the two kinds of models, with and without state, hand to the writer. */
import type { Node } from '../ir/graph.ts';
import type { Manifest, ManifestTarget } from '../runtime/format/manifest.ts';
import type { AttentionShape } from '../passes/atp/site.ts';
import { AtpcError } from '../runtime/errors.ts';
import { emitFinished, type Built, type BuildOptions } from './build.ts';
import type { Encode } from './calibrate/calibrate.ts';
import type { FinishedFiles, Target } from './codegen/target.ts';
import type { Targets } from './codegen/targets.ts';
import type { CompileOptions, CompilePhase, PlanReport } from './compile-options.ts';
import { Parameters, plainStorage, storedAsHalf, type ParameterOptions } from './program/parameters.ts';
import type { SourceModel } from './source-model.ts';
import { formatBlockFormat, type BlockFormat } from './weights/block-format.ts';
import { formatsOf } from './weights/tensor-source.ts';
import type { WeightTensor } from './weights/write.ts';

export interface Preparation {
  readonly source: SourceModel;
  readonly shapes: readonly AttentionShape[];
  readonly targets: Targets;
  readonly options: CompileOptions;
  /** Null for a model without a tokenizer. */
  readonly encode: Encode | null;
  /** Receives file names and texts of stages, under --dump. */
  readonly dump: ((name: string, text: string) => void) | undefined;
  /** Says what is done now; throws the reason of an abort. */
  report(phase: CompilePhase, fraction?: number, detail?: string): void;
}
/** The program of one target. */
export interface BuiltTarget {
  readonly target: Target;
  readonly built: Built;
  /** Kernels are assembled in a thread or process of their own, and waited for where they are needed. */
  readonly emission: Promise<FinishedFiles>;
}
export type BuiltTargets = readonly [BuiltTarget, ...BuiltTarget[]];
export interface PreparedTarget extends BuiltTarget, Pick<ManifestTarget, 'memory' | 'golden' | 'approximations'> {}
export interface PreparedModel {
  readonly targets: readonly PreparedTarget[];
  /** Of all targets. */
  readonly tensors: readonly WeightTensor[];
  readonly manifest: Pick<Manifest, 'dims' | 'inputs' | 'outputs' | 'attention' | 'state' | 'golden' | 'approximations'>;
  readonly notes: readonly string[];
  /** On the first target. */
  readonly plan: PlanReport;
}

/**
 * The model for each target, from one graph and one plan. Begins to assemble the kernels; who waits for them hears of a fault. Stages
 * of the first target are dumped by their names, those of further ones into folders. `changed`: parameters that calibration may give other values.
 */
export function buildTargets(
  { source, targets, options, dump }: Preparation,
  buildOne: (options: Omit<BuildOptions, 'plan'>) => Built,
  changed: ReadonlySet<string> = new Set(),
): BuiltTargets {
  const verify = options.verify ?? dump !== undefined;
  const formatOf = formatsOf(source.tensors);
  const staysHalf = storedAsHalf(source.tensors, plainStorage(options.storage));
  const isHalf = (parameter: string): boolean => !changed.has(parameter) && staysHalf(parameter);
  const buildFor = (target: Target, folder: string): BuiltTarget => {
    const own = dump && ((name: string, text: string): void => dump(`${folder}${name}`, text));
    const built = buildOne({ target, verify, formatOf, isHalf, ...(own ? { dump: own } : {}) });
    const emission = emitFinished(built, target, options.signal ? { signal: options.signal } : {});
    emission.catch(() => undefined);
    return { target, built, emission };
  };
  const [first, ...others] = targets;
  return [buildFor(first, ''), ...others.map((target) => buildFor(target, `${target.name}/`))];
}

/** The parameters of all targets, which lie in the package once: one name is one value, stored in one way. */
export function sharedParameters(
  targets: BuiltTargets,
  given: Pick<ParameterOptions, 'source' | 'computed' | 'storage'>,
): Parameters {
  const derived = new Map<string, Node>();
  const formats = new Map<string, BlockFormat>();
  const stored = new Map<string, string>();
  for (const { target, built } of targets) {
    const agree = <T>(known: T | undefined, own: T, name: string): void => {
      if (known === undefined || known === own) return;
      throw new AtpcError('ATPC-399', `The parameter '${name}' means something else on ${target.name}.`);
    };
    for (const [name, node] of built.stage.derived) {
      agree(derived.get(name), node, name);
      derived.set(name, node);
    }
    for (const { tensor } of built.program.weights) {
      const name = tensor.replace(/\.(?:quants|scales|minima)$/, '');
      const format = built.formats.get(name);
      const [parameter, storage] = format ? [name, formatBlockFormat(format)] : [tensor, 'plain numbers'];
      agree(stored.get(parameter), storage, parameter);
      stored.set(parameter, storage);
    }
    for (const [name, format] of built.formats) formats.set(name, format);
  }
  return new Parameters({ ...given, derived, formats });
}

/** What the programs of all targets read. */
export function sharedTensors(targets: BuiltTargets, parameters: Parameters): readonly WeightTensor[] {
  return parameters.weightTensors({ weights: targets.flatMap(({ built }) => built.program.weights) });
}

/** Whether two programs compute the same in the same order of the passes: nodes are interned, so that identity is equality. */
export function sameComputation({ stage: { graph: a } }: Built, { stage: { graph: b } }: Built): boolean {
  return a.outputs.length === b.outputs.length && a.outputs.every(({ node }, index) => node === b.outputs[index]?.node);
}
