/** Models without state: one entry point, attention in the encoder modes. */
import { graphNodes } from '../ir/graph.ts';
import { isDense } from '../passes/atp/plan.ts';
import type { Manifest } from '../runtime/format/manifest.ts';
import { choosePlan, defaultKeys } from './attention/choose-plan.ts';
import { build, moduleOf, type Built, type EmittedTarget } from './build.ts';
import { calibrate } from './calibrate/calibrate.ts';
import { agreesWith, goldenLengths, goldenVectors } from './golden.ts';
import { approximationsOf, attentionOf, inputPorts, memoryOf, outputPorts } from './manifest-parts.ts';
import { planReport } from './plan-report.ts';
import { buildOptionsOf, startEmission, type Preparation, type PreparedModel } from './prepared-model.ts';
import { Parameters, plainStorage } from './program/parameters.ts';
import { instantiateProgram } from './program/run-program.ts';
import { longestSequence, type SourceModel } from './source-model.ts';

export async function prepareForward(preparation: Preparation): Promise<PreparedModel> {
  const { source, shapes, target, options, encode, report } = preparation;
  const { graph } = source;
  const maxTokens = longestSequence(graph);
  const plan = await choosePlan(options, { shapes, maxTokens, target, tuned: source.tuned });
  report('run passes');
  const built = build(graph, { plan, ...buildOptionsOf(preparation) });
  const { program } = built;
  report('emit kernels', undefined, 'kernels and calibration');
  const emission = startEmission(built, target);
  const calibration = await calibrate(source, plan, shapes, encode, target, maxTokens);
  const storage = plainStorage(options.storage);
  const { derived } = built.stage;
  const parameters = new Parameters({
    source: calibration.tensors,
    derived,
    computed: calibration.computed,
    storage,
    formats: built.formats,
  });
  const tensors = parameters.weightTensors(program);
  const rounded = tensors.some(({ name }) => parameters.isRounded(name));
  const inputs = inputPorts(source, program);
  const principalKeys = plan.layers.some(({ groups }) => !groups.every(isDense));
  report('emit kernels', undefined, 'golden vectors');
  const lengths = goldenLengths(graph, principalKeys, maxTokens);
  const golden = await goldenFor(source, built, emission, parameters, { inputs, dims: program.dims }, calibration.ids, lengths);
  const asksKeys = principalKeys && options.plan === undefined;
  return {
    built,
    emission,
    parameters,
    tensors,
    memory: memoryOf(program),
    manifest: {
      dims: program.dims,
      inputs,
      outputs: outputPorts(program),
      attention: attentionOf(plan, shapes, asksKeys ? (options.keys ?? defaultKeys) : null, calibration),
      state: null,
      golden,
      approximations: [...approximationsOf(plan, rounded), ...source.approximations],
    },
    notes: [],
    plan: planReport(source, program, plan, shapes, target),
  };
}

/** Dense programs choose nothing, and every input does; others are run, so that no input lies near a tie. */
async function goldenFor(
  { graph, defaults }: SourceModel,
  built: Built,
  emission: Promise<EmittedTarget>,
  parameters: Parameters,
  ports: Pick<Manifest, 'inputs' | 'dims'>,
  ids: readonly number[],
  lengths: readonly number[],
): Promise<Manifest['golden']> {
  const compiled = built.stage.graph;
  const chooses = graphNodes(compiled).some(({ op }) => op === 'cluster' || op === 'rank_keys' || op === 'principal_rows');
  const program = chooses
    ? await instantiateProgram(built.program, moduleOf((await emission).files), (name) => parameters.readTensor(name))
    : null;
  const agrees = (golden: Manifest['golden'][number]): boolean => program === null || agreesWith(program, ports, golden);
  return goldenVectors(compiled, { graph, defaults, ids: ids.length > 0 ? ids : null }, parameters, lengths, agrees);
}
