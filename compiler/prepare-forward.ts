/** Models without state: one entry point, attention in the encoder modes. */
import { graphNodes } from '../ir/graph.ts';
import { isDense } from '../passes/atp/plan.ts';
import type { Manifest } from '../runtime/format/manifest.ts';
import { choosePlan, defaultKeys } from './attention/choose-plan.ts';
import { build, moduleOf } from './build.ts';
import { balancedParameters } from './calibrate/balance-heads.ts';
import { calibrate } from './calibrate/calibrate.ts';
import { hostTarget } from './codegen/targets.ts';
import {
  agreesWith,
  goldenLengths,
  goldenVectors,
  isSteady,
  parameterValues,
  type AcceptGolden,
  type GoldenSource,
} from './golden.ts';
import { approximationsOf, attentionOf, inputPorts, memoryOf, outputPorts } from './manifest-parts.ts';
import { planReport } from './plan-report.ts';
import { planWithin } from './plan-within.ts';
import {
  buildTargets,
  sameComputation,
  sharedParameters,
  sharedTensors,
  type BuiltTarget,
  type Preparation,
  type PreparedModel,
  type PreparedTarget,
} from './prepared-model.ts';
import { plainStorage, type Parameters } from './program/parameters.ts';
import { instantiateProgram } from './program/run-program.ts';
import { forwardKind } from './quality/find-forward-plan.ts';
import { longestSequence } from './source-model.ts';

export async function prepareForward(preparation: Preparation): Promise<PreparedModel> {
  const { source, shapes, options, encode, report } = preparation;
  const { graph, defaults } = source;
  const maxTokens = longestSequence(graph);
  const { plan, loss, notes, targets } = await planWithin(preparation, {
    choose: () => choosePlan(options, { shapes, maxTokens, targets: preparation.targets, tuned: source.tuned }),
    bounded: forwardKind,
    layersOf: ({ layers }) => layers,
  });
  const [firstTarget] = targets;
  report('run passes');
  const builtTargets = buildTargets(
    { ...preparation, targets },
    (own) => build(graph, { plan, ...own }),
    balancedParameters(graph, plan),
  );
  report('emit kernels', undefined, 'kernels and calibration');
  const calibration = await calibrate(source, plan, encode, firstTarget, maxTokens);
  const parameters = sharedParameters(builtTargets, {
    source: calibration.tensors,
    computed: calibration.computed,
    storage: plainStorage(options.storage),
  });
  const tensors = sharedTensors(builtTargets, parameters);
  const rounded = tensors.some(({ name }) => parameters.isRounded(name));
  const [first, ...others] = builtTargets;
  const { program } = first.built;
  const inputs = inputPorts(source, program);
  const principalKeys = plan.layers.some(({ groups }) => !groups.every(isDense));
  report('emit kernels', undefined, 'golden vectors');
  const lengths = goldenLengths(graph, principalKeys, maxTokens);
  const { ids } = calibration;
  const golden = { graph, defaults, ids: ids.length > 0 ? ids : null };
  const described = async (target: BuiltTarget): Promise<Required<Pick<PreparedTarget, 'golden' | 'approximations'>>> => ({
    golden: await goldenOf(target, parameters, { inputs, dims: program.dims }, golden, lengths),
    approximations: [...approximationsOf(plan, rounded, target.target), ...source.approximations],
  });
  const asksKeys = principalKeys && options.plan === undefined && options.attention !== 'auto';
  const prepared: PreparedTarget[] = [{ ...first, memory: memoryOf(program) }];
  for (const other of others) {
    const same = sameComputation(other.built, first.built) && !other.target.rounding;
    const own = same ? {} : await described(other);
    prepared.push({ ...other, memory: memoryOf(other.built.program), ...own });
  }
  return {
    targets: prepared,
    tensors,
    manifest: {
      dims: program.dims,
      inputs,
      outputs: outputPorts(program),
      attention: {
        ...attentionOf(plan, shapes, asksKeys ? (options.keys ?? defaultKeys) : null, calibration),
        ...(loss && { loss }),
      },
      state: null,
      ...(await described(first)),
    },
    notes,
    plan: planReport(source, program, plan, shapes, firstTarget),
  };
}

/**
 * Dense programs choose nothing, and every input does. Others are run, so that no input lies near a tie; where they cannot be run here,
 * the reference says what small errors change.
 */
async function goldenOf(
  { target, built, emission }: BuiltTarget,
  parameters: Parameters,
  ports: Pick<Manifest, 'inputs' | 'dims'>,
  source: GoldenSource,
  lengths: readonly number[],
): Promise<PreparedModel['manifest']['golden']> {
  const compiled = built.stage.graph;
  const { rounding } = target;
  const values = await parameterValues(compiled, parameters);
  const chooses = graphNodes(compiled).some(({ op }) => op === 'cluster' || op === 'rank_keys' || op === 'principal_rows');
  let accept: AcceptGolden = () => true;
  if (chooses && target === hostTarget) {
    const program = await instantiateProgram(built.program, moduleOf((await emission).files), (name) =>
      parameters.readTensor(name),
    );
    accept = (golden) => agreesWith(program, ports, golden);
  } else if (chooses) accept = (golden, inputs) => isSteady(compiled, inputs, values, golden, rounding);
  return goldenVectors(compiled, source, values, lengths, accept, rounding);
}
