/** From a model and its plan to the roofline of what would be compiled for CUDA: the same program, dense and under the plan. */
import { uniformCachePlan, type CachePlan } from '../../passes/atp/cache-plan.ts';
import { densePlan, type AttentionPlan } from '../../passes/atp/plan.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { build, buildStateful } from '../build.ts';
import { cudaTarget } from '../codegen/cuda/target.ts';
import type { CompileOptions } from '../compile-options.ts';
import { attentionShapes } from '../compile.ts';
import { dimsAt } from '../plan-report.ts';
import { plainStorage, storedAsHalf } from '../program/parameters.ts';
import { longestSequence, type SourceModel } from '../source-model.ts';
import { formatsOf } from '../weights/tensor-source.ts';
import { deviceNamed } from './devices.ts';
import { registersOfPtxas } from './footprint.ts';
import { forwardRoofline, statefulRoofline, type RooflineReport, type RooflineSettings } from './report.ts';

export interface RooflineOptions {
  /** A GPU by name (devices.ts): adds a roofline of the kernels for CUDA, which has to be among the targets. */
  readonly device?: string;
  /** What `ptxas -v` says of the kernels of the plan, for their registers. */
  readonly ptxas?: string;
}
interface ModelSettings extends RooflineSettings {
  readonly storage: CompileOptions['storage'];
}

/** Null where no device was named. Throws ATPC-301 for one without the target cuda, ATPC-307 for one that is not known. */
export function rooflineSettings(
  { targets = [], storage, precision = 'f32' }: Pick<CompileOptions, 'targets' | 'storage' | 'precision'>,
  { device, ptxas }: RooflineOptions,
): ModelSettings | null {
  if (device === undefined) return null;
  const name = deviceNamed(device);
  if (!targets.includes('cuda')) {
    throw new AtpcError(
      'ATPC-301',
      `The roofline of ${name} (--device) is that of kernels for CUDA, and cuda is not among the targets.`,
      { hint: `Add -t cuda: atpc inspect plan MODEL -t cuda --device ${name}` },
    );
  }
  const registers = ptxas === undefined ? {} : { registers: registersOfPtxas(ptxas) };
  return { device: name, precision, target: cudaTarget(precision), storage, ...registers };
}

/** Weights as a package holds them. */
function buildOptions({ tensors }: SourceModel, { target, storage }: ModelSettings) {
  return { target, verify: false, formatOf: formatsOf(tensors), isHalf: storedAsHalf(tensors, plainStorage(storage)) };
}

/** Of a model without state. */
export function sequenceRoofline(
  source: SourceModel,
  plan: AttentionPlan,
  settings: ModelSettings,
  lengths: readonly number[] | undefined,
): RooflineReport {
  const common = buildOptions(source, settings);
  const programs = {
    dense: build(source.graph, { ...common, plan: densePlan }),
    plan: build(source.graph, { ...common, plan }),
  };
  return forwardRoofline(programs, settings, {
    most: longestSequence(source.graph),
    dimsAt: (tokens) => dimsAt(source, tokens),
    ...(lengths ? { lengths } : {}),
  });
}

/** Of a model that generates. */
export function generationRoofline(
  source: SourceModel,
  plan: CachePlan,
  settings: ModelSettings,
  lengths: readonly number[] | undefined,
): RooflineReport {
  const shapes = attentionShapes(source);
  const most = source.context?.maxLength ?? 1;
  const heads = shapes.map(({ kvHeads }) => kvHeads);
  const plans = { dense: uniformCachePlan('dense', heads, most, 'Dense, to compare with.'), plan };
  const common = { ...buildOptions(source, settings), maxTokens: most };
  const programs = {
    dense: buildStateful(source.graph, { ...common, plan: plans.dense }),
    plan: buildStateful(source.graph, { ...common, plan }),
  };
  return statefulRoofline(programs, settings, { most, shapes, plans, ...(lengths ? { lengths } : {}) });
}
