/** Models that generate: entry points over a state, attention over caches. */
import { emptyStates, interpretStep } from '../ir/interpret.ts';
import type { Tensor } from '../ir/ops/definition.ts';
import { causalModes, type CacheGroup, type CachePlan } from '../passes/atp/cache-plan.ts';
import { pastDim, seqDim } from '../passes/cache.ts';
import { AtpcError } from '../runtime/errors.ts';
import { evaluateExpression } from '../runtime/format/expression.ts';
import type { Manifest, ManifestState, ManifestTarget } from '../runtime/format/manifest.ts';
import type { Program } from '../runtime/format/program.ts';
import { chooseCachePlan } from './attention/choose-cache-plan.ts';
import { buildStateful } from './build.ts';
import { headCalibrator } from './calibrate/calibrate-heads.ts';
import type { Target } from './codegen/target.ts';
import { hostTarget } from './codegen/targets.ts';
import { cachePlanReport } from './cache-plan-report.ts';
import { parameterValues, recordedGolden, toleranceFor, vocabularyOf } from './golden.ts';
import { memoryOf, outputPorts, roundingsOf } from './manifest-parts.ts';
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
import { planWithin } from './plan-within.ts';
import { plainStorage, type Parameters } from './program/parameters.ts';
import { cacheKind } from './quality/find-cache-plan.ts';
import type { SourceModel } from './source-model.ts';

export async function prepareGenerator(preparation: Preparation): Promise<PreparedModel> {
  const { source, shapes, options, encode, report } = preparation;
  const { graph, context } = source;
  if (context === null) throw new AtpcError('ATPC-399', 'A model that generates has no length.');
  const { maxLength: maxTokens } = context;
  const calibrate = headCalibrator({
    source,
    shapes,
    target: hostTarget,
    encode,
    ...(options.signal ? { signal: options.signal } : {}),
    onProgress: (tokens, total) => report('read model', tokens / total, `calibration, ${tokens} of ${total} tokens`),
  });
  const { plan, loss, notes, targets } = await planWithin(preparation, {
    choose: () => chooseCachePlan(options, { shapes, maxTokens, targets: preparation.targets, calibrate }),
    bounded: cacheKind,
    layersOf: ({ layers }) => layers.map((groups, layer) => ({ layer, groups })),
  });
  const [firstTarget] = targets;
  report('run passes');
  const builtTargets = buildTargets({ ...preparation, targets }, (own) => buildStateful(graph, { plan, maxTokens, ...own }));
  report('emit kernels', undefined, 'kernels');
  const storage = plainStorage(options.storage);
  const parameters = sharedParameters(builtTargets, { source: source.tensors, computed: {}, storage });
  const tensors = sharedTensors(builtTargets, parameters);
  const rounded = tensors.some(({ name }) => parameters.isRounded(name));
  report('emit kernels', undefined, 'golden vectors');
  const ids = encode?.('The quick brown fox jumps over the lazy dog, and then it runs', goldenTokens) ?? [];
  const vocabulary = vocabularyOf(graph, inputIds(graph)) ?? 0;
  const [first, ...others] = builtTargets;
  const { program } = first.built;
  const golden = await goldenOf(first, parameters, ids, vocabulary);
  const approximations = (target: Target): readonly string[] => [
    ...approximationsOf(plan, rounded, target),
    ...source.approximations,
  ];
  const prepared: PreparedTarget[] = [{ ...first, memory: memoryAtMost(program) }];
  for (const other of others) {
    const { rounding } = other.target;
    // The reference takes its time: what differs in its tolerance alone is not computed again.
    const own = !sameComputation(other.built, first.built)
      ? { golden: await goldenOf(other, parameters, ids, vocabulary) }
      : rounding
        ? { golden: golden.map((vector) => ({ ...vector, ...toleranceFor(rounding) })) }
        : {};
    const words = rounding ? { approximations: approximations(other.target) } : {};
    prepared.push({ ...other, memory: memoryAtMost(other.built.program), ...own, ...words });
  }
  return {
    targets: prepared,
    tensors,
    manifest: {
      dims: [{ name: seqDim, min: 1, max: maxTokens }],
      inputs: [{ name: 'input_ids', elementType: 'i32', shape: [1, seqDim], vocabulary }],
      outputs: outputPorts(program),
      attention: { ...attentionOf(plan), ...(loss && { loss }) },
      state: stateOf(program, plan, context),
      golden,
      approximations: approximations(firstTarget),
    },
    notes: [...notes, ...notesOf(plan)],
    plan: cachePlanReport(source, plan, shapes, firstTarget, maxTokens),
  };
}

function inputIds({ inputs }: SourceModel['graph']) {
  const found = inputs.find((input) => input.attributes.name === 'input_ids');
  if (found) return found;
  throw new AtpcError('ATPC-399', 'A model that generates has no input_ids.');
}

/** A state is a fixed number of bytes, and so is what calls of any length share: peak bytes are numbers. */
function memoryAtMost(program: Program): ManifestTarget['memory'] {
  const largest = Object.fromEntries(program.dims.map(({ name, max }) => [name, max]));
  const formulas = Object.entries(memoryOf(program)).map(([part, size]) => [part, evaluateExpression(size, largest)] as const);
  return Object.fromEntries(formulas) as unknown as ManifestTarget['memory'];
}

function stateOf(
  program: Program,
  plan: CachePlan,
  { trainedLength, maxLength }: NonNullable<SourceModel['context']>,
): ManifestState {
  return {
    elementType: 'f32',
    maxTokens: maxLength,
    trainedTokens: trainedLength,
    chunk: program.dims.find(({ name }) => name === seqDim)?.max ?? 1,
    rewinds: plan.layers.flat().every(({ cache }) => cache.kind === 'dense'),
  };
}

export function attentionOf({ reason, layers }: CachePlan): Manifest['attention'] {
  return {
    keys: null,
    reason,
    calibration: null,
    layers: layers.map((groups, layer) => ({
      layer,
      heads: groups.map(({ mode, kvHeads, cache }) => ({
        mode,
        kvHeads,
        keys: 1,
        measuredKeys: null,
        cache: { kind: cache.kind, parameters: numbersOf(cache) },
      })),
    })),
  };
}
function numbersOf({ kind: _kind, ...numbers }: CacheGroup['cache']): Readonly<Record<string, number | null>> {
  const entries = Object.entries(numbers as Readonly<Record<string, unknown>>).flatMap(([name, value]) => {
    if (typeof value === 'number' || value === null) return [[name, value] as const];
    return Object.entries(value as Readonly<Record<string, number | null>>);
  });
  return Object.fromEntries(entries);
}

export function approximationsOf(
  { layers }: CachePlan,
  rounded: boolean,
  { rounding }: Pick<Target, 'rounding'>,
): readonly string[] {
  const words = layers
    .flat()
    .flatMap(({ mode }) => (mode === 'dense' ? [] : [`attention mode ${mode}: ${causalModes[mode].summary}`]));
  return [...new Set(words), ...roundingsOf(rounded, rounding)];
}

/** What a person should know of a plan before relying on it: measured failures, not guesses (atp-modes.md, section 4). */
function notesOf({ layers }: CachePlan): readonly string[] {
  const groups = layers.flat();
  if (!groups.every(({ mode }) => mode === 'stream')) return [];
  return [
    'Every head streams: what has left the window and was not kept is gone. Text with a fact to find again far back (a pass key, a name, a list to copy) is answered wrongly; ' +
      'give the retrieval heads mode expand or dense (`atpc calibrate` finds them).',
  ];
}

const goldenTokens = 8;
/** Short: the reference runs every weight of the model in float64. The modes have golden cases of their own in the tests. */
async function goldenOf(
  { built, target }: Pick<BuiltTarget, 'built' | 'target'>,
  parameters: Parameters,
  ids: readonly number[],
  vocabulary: number,
): Promise<Manifest['golden']> {
  const compiled = built.stage.graph;
  const tokens =
    ids.length > 0
      ? ids.slice(0, goldenTokens)
      : Array.from({ length: goldenTokens }, (_, i) => (7 * i + 3) % Math.max(1, vocabulary));
  const input: Tensor = { elementType: 'i32', shape: [1, tokens.length], data: Int32Array.from(tokens) };
  const positions: Tensor = { elementType: 'i32', shape: [tokens.length], data: Int32Array.from(tokens.keys()) };
  const { outputs } = interpretStep(compiled, {
    inputs: { input_ids: input, position_ids: positions },
    states: emptyStates(compiled, 'f64'),
    dims: { [seqDim]: tokens.length, [pastDim]: 0 },
    parameters: await parameterValues(compiled, parameters),
    precision: 'f64',
  });
  return [recordedGolden({ input_ids: input }, outputs, target.rounding)];
}
