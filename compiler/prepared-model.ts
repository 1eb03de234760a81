/** A model on its way into a package: what the two kinds of models, with and without state, hand to the writer. */
import type { Manifest, ManifestTarget } from '../runtime/format/manifest.ts';
import type { AttentionShape } from '../passes/atp/site.ts';
import { emit, type Built, type BuildOptions, type EmittedTarget } from './build.ts';
import type { Encode } from './calibrate/calibrate.ts';
import type { Target } from './codegen/target.ts';
import type { CompileOptions, CompilePhase, PlanReport } from './compile-options.ts';
import type { Parameters } from './program/parameters.ts';
import type { SourceModel } from './source-model.ts';
import { formatsOf } from './weights/tensor-source.ts';
import type { WeightTensor } from './weights/write.ts';

export interface Preparation {
  readonly source: SourceModel;
  readonly shapes: readonly AttentionShape[];
  readonly target: Target;
  readonly options: CompileOptions;
  /** Null for a model without a tokenizer. */
  readonly encode: Encode | null;
  /** Receives file names and texts of stages, under --dump. */
  readonly dump: ((name: string, text: string) => void) | undefined;
  /** Says what is done now; throws the reason of an abort. */
  report(phase: CompilePhase, fraction?: number, detail?: string): void;
}
export interface PreparedModel {
  readonly built: Built;
  /** Kernels are assembled in a thread of their own, and waited for where they are needed. */
  readonly emission: Promise<EmittedTarget>;
  readonly parameters: Parameters;
  readonly tensors: readonly WeightTensor[];
  readonly memory: ManifestTarget['memory'];
  readonly manifest: Pick<Manifest, 'dims' | 'inputs' | 'outputs' | 'attention' | 'state' | 'golden' | 'approximations'>;
  readonly notes: readonly string[];
  readonly plan: PlanReport;
}

/** What models of both kinds are built with, beside their plan. */
export function buildOptionsOf({ source, target, options, dump }: Preparation): Omit<BuildOptions, 'plan'> {
  const verify = options.verify ?? dump !== undefined;
  return { target, verify, formatOf: formatsOf(source.tensors), ...(dump ? { dump } : {}) };
}
/** Begins to assemble the kernels; who waits for them hears of a fault. */
export function startEmission(built: Built, target: Target): Promise<EmittedTarget> {
  const emission = emit(built, target);
  emission.catch(() => undefined);
  return emission;
}
