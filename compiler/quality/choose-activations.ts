/**
 * Products in integers (`--activations int8`) are faster and round: where a bound of the loss is given and nothing was asked for, they
 * are taken if the loss of the whole plan, measured with rounded activations, stays under the bound.
 */
import { graphNodes } from '../../ir/graph.ts';
import { roundedBlock } from '../../passes/round-activations.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { ActivationType } from '../codegen/native/activations.ts';
import type { Targets } from '../codegen/targets.ts';
import type { SourceModel } from '../source-model.ts';
import { formatsOf } from '../weights/tensor-source.ts';
import { measureGivenPlan, type PlanLoss } from './bounded-plan.ts';
import { lossWords } from './loss-words.ts';
import type { PlanQuestion, QualityPlan } from './quality-plan.ts';

/** Whether there is something to choose: a target that has such products, weights in blocks, and no word about it. */
export function choosesActivations(
  targets: Targets,
  { graph, tensors }: Pick<SourceModel, 'graph' | 'tensors'>,
  asked: ActivationType | undefined,
): boolean {
  const formatOf = formatsOf(tensors);
  const inBlocks = (): boolean =>
    graphNodes(graph).some((node) => roundedBlock(node, (name) => formatOf(name)?.block ?? null) !== null);
  return asked === undefined && targets.some(({ name }) => name === 'native') && inBlocks();
}

/** The plan with the loss of what is compiled, on the documents to check, and the activations that it is compiled with. */
export async function withChosenActivations<P, F>(
  { kind, bound }: Pick<PlanQuestion<P, F>, 'kind' | 'bound'>,
  quality: QualityPlan<P>,
): Promise<QualityPlan<P> & { readonly activations: ActivationType }> {
  const { instantiate, report } = kind;
  const rounded = {
    ...kind,
    instantiate: (plan: P | 'dense') => instantiate(plan, 'int8'),
    report: (detail: string) => report(`activations in 8 bits, ${detail}`),
  };
  const inFloats = (why: string): QualityPlan<P> & { readonly activations: ActivationType } => ({
    ...quality,
    notes: [...quality.notes, `Products on native read activations in f32: ${why}`],
    activations: 'f32',
  });
  let measured: PlanLoss;
  try {
    measured = await measureGivenPlan(rounded, quality.plan, bound);
  } catch (fault) {
    // Nobody asked for it: too little text to tell is no reason to refuse the model.
    if (fault instanceof AtpcError && fault.code === 'ATPC-315') return inFloats(fault.message.replace(/^ATPC-\d+: /, ''));
    throw fault;
  }
  const words = lossWords(measured.loss);
  if (!measured.met) return inFloats(`in 8 bits (int8) the loss would not be under ${bound}. ${words}`);
  const note = `Products on native read activations in 8 bits (int8): the loss stays under ${bound} with them. ${words}`;
  return { ...quality, loss: measured.loss, notes: [...quality.notes, note], activations: 'int8' };
}
