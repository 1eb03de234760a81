import { formatType } from '../ir/type.ts';
import { graphNodes, isOp, tensorOf, type Node } from '../ir/graph.ts';
import type { Manifest } from '../runtime/format/manifest.ts';
import { attentionShapes, modelFolder } from './compile.ts';
import { choosePlan } from './attention/choose-plan.ts';
import { build } from './build.ts';
import { targetNamed } from './codegen/targets.ts';
import type { CompileOptions, ModelReport, PlanReport } from './compile-options.ts';
import { explainProgram } from './explain/explain.ts';
import type { Explanation } from './explain/explanation.ts';
import { approximationsOf, attentionOf } from './manifest-parts.ts';
import { planReport } from './plan-report.ts';
import { longestSequence, openModel } from './source-model.ts';
import { formatsOf } from './weights/tensor-source.ts';
import { storedTensorBytes } from './weights/stored-as.ts';

/** What a model is, without compiling it. Reads headers and configuration, no weights. */
export async function inspectModel(location: string, options: { readonly weights?: string } = {}): Promise<ModelReport> {
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

/** What a package of the model would say of itself; nothing is measured, and approximations of weights are not known. */
export async function explainModel(
  options: Pick<
    CompileOptions,
    | 'model'
    | 'weights'
    | 'targets'
    | 'attention'
    | 'keys'
    | 'typicalLength'
    | 'plan'
    | 'force'
    | 'maxLength'
    | 'beyondTrainedContext'
    | 'storage'
  >,
): Promise<{
  readonly name: string;
  readonly dims: Manifest['dims'];
  readonly explanation: Explanation;
  readonly attention: Manifest['attention'];
  readonly approximations: readonly string[];
}> {
  const source = await openModel(options.model, options);
  const target = targetNamed(options.targets?.[0] ?? 'wasm');
  const shapes = attentionShapes(source);
  const plan = await choosePlan(options, { shapes, maxTokens: longestSequence(source.graph), target, tuned: source.tuned });
  const built = build(source.graph, { plan, target, verify: false, formatOf: formatsOf(source.tensors) });
  return {
    name: source.name,
    dims: built.program.dims,
    explanation: await explainProgram(built, target, modelFolder(options.model)),
    attention: attentionOf(plan, shapes, options.keys ?? null, { keysRead: () => null, textHash: null }),
    approximations: [...approximationsOf(plan, false), ...source.approximations],
  };
}

/** The plan that `compile` would take, with its cost at some lengths. */
export async function inspectPlan(
  options: Pick<
    CompileOptions,
    | 'model'
    | 'weights'
    | 'targets'
    | 'attention'
    | 'keys'
    | 'typicalLength'
    | 'plan'
    | 'force'
    | 'maxLength'
    | 'beyondTrainedContext'
    | 'storage'
  >,
  { lengths }: { readonly lengths?: readonly number[] } = {},
): Promise<PlanReport> {
  const source = await openModel(options.model, options);
  const target = targetNamed(options.targets?.[0] ?? 'wasm');
  const shapes = attentionShapes(source);
  const plan = await choosePlan(options, { shapes, maxTokens: longestSequence(source.graph), target, tuned: source.tuned });
  const { program } = build(source.graph, { plan, target, verify: false, formatOf: formatsOf(source.tensors) });
  return planReport(source, program, plan, shapes, target, lengths);
}
