import { formatType } from '../ir/type.ts';
import { graphNodes, isOp, tensorOf, type Node } from '../ir/graph.ts';
import { pastDim, seqDim } from '../passes/cache.ts';
import type { Manifest } from '../runtime/format/manifest.ts';
import {
  calibrateHeads,
  headCalibrator,
  type HeadCalibration,
  type HeadCalibrationOptions,
} from './calibrate/calibrate-heads.ts';
import { attentionShapes, encoderOf, modelFolder } from './compile.ts';
import { chooseCachePlan } from './attention/choose-cache-plan.ts';
import { choosePlan } from './attention/choose-plan.ts';
import { build, buildStateful, type Built } from './build.ts';
import { cachePlanLengths, cachePlanReport } from './cache-plan-report.ts';
import { hostTarget, targetsNamed } from './codegen/targets.ts';
import type { CompileOptions, ModelReport, PlanReport } from './compile-options.ts';
import { explainProgram } from './explain/explain.ts';
import type { Explanation } from './explain/explanation.ts';
import { approximationsOf, attentionOf } from './manifest-parts.ts';
import { approximationsOf as cacheApproximationsOf, attentionOf as cacheAttentionOf } from './prepare-generator.ts';
import { planReport } from './plan-report.ts';
import { generationRoofline, rooflineSettings, sequenceRoofline, type RooflineOptions } from './roofline/model-roofline.ts';
import { longestSequence, openModel, type OpenModelOptions, type SourceModel } from './source-model.ts';
import { formatsOf } from './weights/tensor-source.ts';
import { storedTensorBytes } from './weights/stored-as.ts';

/** What a model is, without compiling it. Reads headers and configuration, no weights. */
export async function inspectModel(
  location: string,
  options: Pick<OpenModelOptions, 'weights' | 'signal' | 'onDownload'> = {},
): Promise<ModelReport> {
  const source = await openModel(location, options);
  const shapes = attentionShapes(source);
  const parameters = graphNodes(source.graph).flatMap((node) => {
    if (!isOp(node, 'parameter')) return [];
    return [
      { name: node.attributes.name, count: node.attributes.shape.reduce<number>((product, size) => product * Number(size), 1) },
    ];
  });
  const port = (name: string, node: Node): { name: string; type: string } => ({ name, type: formatType(tensorOf(node)) });
  return {
    family: source.family,
    name: source.name,
    task: source.task.kind,
    parameters: parameters.reduce((sum, { count }) => sum + count, 0),
    weightBytes: parameters.reduce((sum, { name }) => sum + storedTensorBytes(source.tensors, name), 0),
    layers: shapes.length,
    heads: shapes[0]?.queryHeads ?? 0,
    inputs: source.graph.inputs.map((node) => port(node.attributes.name, node as Node)),
    outputs: source.graph.outputs.map(({ name, node }) => port(name, node)),
    tokenizer: source.tokenizer
      ? String((source.tokenizer.json['model'] as { type?: string } | undefined)?.type ?? 'unknown')
      : null,
    maxLength: source.context?.maxLength ?? longestSequence(source.graph),
    unusedTensors: source.unused,
  };
}

/** What decides a plan, and how the model is to be opened for it. */
export type PlannedOptions = Pick<
  CompileOptions,
  | 'model'
  | 'weights'
  | 'targets'
  | 'precision'
  | 'activations'
  | 'attention'
  | 'keys'
  | 'typicalLength'
  | 'plan'
  | 'calibrate'
  | 'force'
  | 'maxLength'
  | 'beyondTrainedContext'
  | 'storage'
  | 'signal'
> &
  Pick<OpenModelOptions, 'onDownload'>;

/** What a package of the model would say of itself; nothing is measured, and approximations of weights are not known. */
export async function explainModel(options: PlannedOptions): Promise<{
  readonly name: string;
  readonly dims: Manifest['dims'];
  readonly explanation: Explanation;
  readonly attention: Manifest['attention'];
  readonly approximations: readonly string[];
}> {
  const source = await openModel(options.model, options);
  const targets = targetsNamed(options.targets, options);
  const [target] = targets;
  const shapes = attentionShapes(source);
  const common = { target, verify: false, formatOf: formatsOf(source.tensors) };
  const described = async (
    built: Built,
    dims: Manifest['dims'],
    attention: Manifest['attention'],
    approximations: readonly string[],
  ): ReturnType<typeof explainModel> => ({
    name: source.name,
    dims,
    explanation: await explainProgram(built, target, modelFolder(options.model)),
    attention,
    approximations: [...approximations, ...source.approximations],
  });
  if (source.context !== null) {
    const { maxLength: maxTokens } = source.context;
    const plan = await chooseCachePlan(options, { shapes, maxTokens, targets, calibrate: calibrator(source, options) });
    const built = buildStateful(source.graph, { ...common, plan, maxTokens });
    // A text from the start, which calls read piece by piece: costs of all of them together, as of a package.
    const dims = [
      { name: seqDim, min: 1, max: maxTokens },
      { name: pastDim, min: 0, max: maxTokens - 1 },
    ];
    return await described(built, dims, cacheAttentionOf(plan), cacheApproximationsOf(plan, false, target));
  }
  const plan = await choosePlan(options, { shapes, maxTokens: longestSequence(source.graph), targets, tuned: source.tuned });
  const attention = attentionOf(plan, shapes, options.keys ?? null, { keysRead: () => null, textHash: null });
  const built = build(source.graph, { ...common, plan });
  return await described(built, built.program.dims, attention, approximationsOf(plan, false, target));
}

function calibrator(source: SourceModel, { signal }: PlannedOptions): ReturnType<typeof headCalibrator> {
  const shapes = attentionShapes(source);
  return headCalibrator({ source, shapes, target: hostTarget, encode: encoderOf(source), ...(signal ? { signal } : {}) });
}

/** The heads of a model that generates which need every token, found on texts: what `atpc calibrate` does. */
export async function calibrate(
  options: Pick<PlannedOptions, 'model' | 'weights' | 'maxLength' | 'beyondTrainedContext' | 'signal' | 'onDownload'> &
    Pick<HeadCalibrationOptions, 'texts' | 'guards' | 'atoms' | 'tokens' | 'onProgress'>,
): Promise<HeadCalibration> {
  const source = await openModel(options.model, options);
  return await calibrateHeads({
    ...options,
    source,
    shapes: attentionShapes(source),
    target: hostTarget,
    encode: encoderOf(source),
  });
}

/** What a report of a plan is about, beside the plan. */
export interface PlanReportOptions extends RooflineOptions {
  readonly lengths?: readonly number[];
}

/**
 * The plan that `compile` would take, with its cost at some lengths. Weights are not read: of a Hugging Face folder, config.json alone
 * will do. Throws ATPC-301 for a device without the target cuda, ATPC-307 for one that is not known.
 */
export async function inspectPlan(options: PlannedOptions, about: PlanReportOptions = {}): Promise<PlanReport> {
  const { lengths } = about;
  const settings = rooflineSettings(options, about);
  const source = await openModel(options.model, { ...options, shapesOnly: true });
  const targets = targetsNamed(options.targets, options);
  const [target] = targets;
  const shapes = attentionShapes(source);
  if (source.context !== null) {
    const { maxLength: maxTokens } = source.context;
    const plan = await chooseCachePlan(options, { shapes, maxTokens, targets, calibrate: calibrator(source, options) });
    const costs = cachePlanReport(source, plan, shapes, target, maxTokens, lengths ?? cachePlanLengths);
    return settings ? { ...costs, roofline: generationRoofline(source, plan, settings, lengths) } : costs;
  }
  const plan = await choosePlan(options, { shapes, maxTokens: longestSequence(source.graph), targets, tuned: source.tuned });
  const { program } = build(source.graph, { plan, target, verify: false, formatOf: formatsOf(source.tensors) });
  const costs = planReport(source, program, plan, shapes, target, lengths);
  return settings ? { ...costs, roofline: sequenceRoofline(source, plan, settings, lengths) } : costs;
}
