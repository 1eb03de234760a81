/** Plans under a bound for models that read a text at once: expand and cluster at several shares, head by head, and shared by whole layers. */
import type { Graph } from '../../ir/graph.ts';
import {
  allHeads,
  attentionNodes,
  denseBelowTokens,
  projectionsOf,
  readOneInput,
  type AttentionShape,
} from '../../passes/atp/site.ts';
import { modes, type ModeName } from '../../passes/atp/modes/table.ts';
import { densePlan, type AttentionPlan } from '../../passes/atp/plan.ts';
import { formatShare, wholeShare, type Share } from '../../passes/atp/share.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { predictedSeconds } from '../attention/choose-plan.ts';
import { planOf, type PlanFile } from '../attention/plan-file.ts';
import { leastGain, typicalLengthOf } from '../attention/typical-length.ts';
import { calibrate, captureCalibration, encoderInput } from '../calibrate/calibrate.ts';
import type { Target } from '../codegen/target.ts';
import { hostTarget, type Targets } from '../codegen/targets.ts';
import { longestSequence } from '../source-model.ts';
import type { BoundedKind, BoundedKindInput, PreparedKind } from './bounded-plan.ts';
import { readDocuments, type TokenIds } from './documents.ts';
import { lossOf } from './loss.ts';
import { measureModeErrors, type ModeSetting } from './mode-errors.ts';
import { plannedForward, readingIn } from './planned-model.ts';
import { documentCounts, qualityDefaults } from './quality-defaults.ts';

/** What a head may have in the place of dense attention. `topr` stays quadratic, and `segment` and `svd` are for tuned models. */
const settings: readonly ModeSetting[] = [
  ...settingsOf('expand', [1, 2], [3, 8], [1, 4], [3, 16], [1, 8], [1, 16]),
  ...settingsOf('cluster', [1, 2], [1, 4], [1, 8], [1, 16]),
  ...settingsOf('shared', [1, 2], [1, 4]),
];
function settingsOf(mode: ModeName, ...shares: readonly Share[]): readonly ModeSetting[] {
  return shares.map((keys) => ({ mode, keys }));
}

/** Throws ATPC-311 for a model without a task or text, ATPC-608 for files that cannot be used. */
export async function forwardKind(input: BoundedKindInput): Promise<PreparedKind<AttentionPlan, PlanFile>> {
  const { source, shapes, targets, encode, files, options, report } = input;
  const loss = lossOf(source.task);
  if (source.task.kind === 'tensors') throw new AtpcError('ATPC-399', 'A model of tensors alone has a loss.');
  if (source.tuned) {
    throw new AtpcError('ATPC-311', `${source.name} was tuned with literal ATP: its dense attention is no reference.`, {
      hint: 'Leave --attn and --max-loss out, and it is compiled as it was tuned.',
    });
  }
  const [target] = targets;
  const maxTokens = longestSequence(source.graph);
  const typicalLength = Math.min(typicalLengthOf(options), maxTokens);
  const documents = await readDocuments({
    files,
    encode,
    maxTokens: Math.min(maxTokens, Math.max(source.tokenizer?.maxLength ?? 0, typicalLength)),
    minTokens: 1,
    cut: 'paragraphs',
    counts: documentCounts[source.task.kind],
  });
  const encoders = shapes.filter(({ encoder }) => encoder).map(({ layer }) => layer);
  const projected = hasProjections(source.graph, encoders);
  const taken = settings.filter(
    ({ mode }) => (mode !== 'shared' || projected) && targets.every(({ refusedModes }) => refusedModes[mode] === undefined),
  );
  const secondsOf = (shape: AttentionShape, setting: ModeSetting): number =>
    shape.encoder || setting.mode === 'dense' ? secondsOfHead(shape, setting, typicalLength, target) : Infinity;
  const attentionPlanOf = (file: PlanFile): AttentionPlan => planOf(file, 'that was found', shapes, maxTokens);
  let captured: ReturnType<typeof captureCalibration> | undefined;
  const capture: typeof captureCalibration = (...input) => (captured ??= captureCalibration(...input));
  const model = {
    source,
    encode,
    capture,
    ...(options.storage === undefined ? {} : { storage: options.storage }),
  };

  async function errors(texts: readonly TokenIds[]): Promise<readonly (readonly (readonly number[])[])[]> {
    const ranked = [...texts].sort((a, b) => b.length - a.length).slice(0, qualityDefaults.rankedDocuments);
    const inputs = ranked.flatMap((ids) => encoderInput(source.graph, source.defaults, ids) ?? []);
    const everywhere = (mode: ModeName): AttentionPlan =>
      attentionPlanOf({ default: { mode, keys: '1/4' }, layers: denseLayers(shapes), version: 1 });
    const learnt = (mode: ModeName): ReturnType<typeof calibrate> =>
      calibrate(source, everywhere(mode), encode, hostTarget, maxTokens, capture);
    const { tensors } = await learnt('expand');
    const { computed } = taken.some(({ mode }) => mode === 'shared') ? await learnt('shared') : { computed: {} };
    const found = await measureModeErrors({
      graph: source.graph,
      tensors,
      computed,
      shapes,
      layers: encoders,
      inputs,
      settings: taken,
      target: hostTarget,
      onProgress: (done, total) => report(`ranking heads, document ${done + 1} of ${total}`),
    });
    return found.map((heads) =>
      shapes.map(({ layer, kvHeads }) =>
        Array.from(
          { length: kvHeads },
          (_, kvHead) => heads.find((head) => head.layer === layer && head.kvHead === kvHead)?.error ?? Infinity,
        ),
      ),
    );
  }

  const [dense, ...others] = [{ mode: 'dense', keys: wholeShare } as const, ...taken].map((setting) =>
    shapes.map((shape) => secondsOf(shape, setting)),
  ) as [number[], ...number[][]];
  const kind: BoundedKind<AttentionPlan, PlanFile> = {
    loss,
    documents,
    positionsOf: () => [0],
    repeats: [],
    seconds: [dense, ...others],
    errors,
    wholeLayers: new Set(taken.flatMap(({ mode }, index) => (modes[mode].perHead ? [] : [index + 1]))),
    heads: shapes.map(({ kvHeads }) => kvHeads),
    choicesPerLayer: Math.min(qualityDefaults.choicesPerLayer, ...targets.map(({ attentionsPerLayer }) => attentionsPerLayer)),
    leastGain,
    fileOf: (assignment) => fileOf(assignment, shapes, taken),
    planOf: attentionPlanOf,
    instantiate: (plan, activations = options.activations) =>
      plan === 'dense' ? plannedForward(model, densePlan) : plannedForward(readingIn(model, activations), plan),
    report,
  };
  return {
    kind,
    notes: [...lengthNotes([...documents.search, ...documents.check], typicalLength), ...targetNotes(targets)],
  };
}

/** Predicted seconds of one KV head: its part of the layer, which all heads of some modes share. */
function secondsOfHead(shape: AttentionShape, setting: ModeSetting, tokens: number, target: Target): number {
  return predictedSeconds(shape, { ...setting, kvHeads: allHeads(shape) }, tokens, target) / shape.kvHeads;
}

/** Whether keys and values of these layers are linear layers of one input, whose rows means can take the place of. */
function hasProjections(graph: Graph, layers: readonly number[]): boolean {
  const nodes = attentionNodes(graph);
  return layers.every((layer) => {
    const [, key, value] = nodes[layer]?.inputs ?? [];
    const projections = key && value && projectionsOf(key, value);
    return projections && readOneInput(projections);
  });
}

/** Layers that no mode can rewrite. */
function denseLayers(shapes: readonly AttentionShape[]): NonNullable<PlanFile['layers']> {
  return shapes.filter(({ encoder }) => !encoder).map(({ layer }) => ({ layer, mode: 'dense' }));
}

/** One entry a layer; index 0 of an assignment is dense. */
function fileOf(
  assignment: readonly (readonly number[])[],
  shapes: readonly AttentionShape[],
  taken: readonly ModeSetting[],
): PlanFile {
  const entryOf = (index: number): { readonly mode: string; readonly keys?: string } => {
    const setting = taken[index - 1];
    return setting ? { mode: setting.mode, keys: formatShare(setting.keys) } : { mode: 'dense' };
  };
  const layers = shapes.map(({ layer }, at): NonNullable<PlanFile['layers']>[number] => {
    const heads = assignment[at] as readonly number[];
    const used = [...new Set(heads)].sort((a, b) => a - b);
    const [only, ...more] = used as [number, ...number[]];
    if (more.length === 0) return { layer, ...entryOf(only) };
    return {
      layer,
      heads: used.map((index) => ({
        kvHeads: heads.flatMap((own, head) => (own === index ? [head] : [])),
        ...entryOf(index),
      })),
    };
  });
  return { version: 1, default: { mode: 'dense' }, layers };
}

/** Where the host chooses otherwise than a target. */
function targetNotes(targets: Targets): readonly string[] {
  return targets.flatMap(({ name, queriesPerChoice }) =>
    queriesPerChoice === hostTarget.queriesPerChoice
      ? []
      : [
          `The loss was measured on ${hostTarget.name}, where each query chooses its clusters. On ${name} ${queriesPerChoice} queries choose together, and half as many clusters again: about as good, and not measured (docs/decisions/gpus-choose-clusters-per-tile.md).`,
        ],
  );
}

/** What a person should know of the documents against the inputs that are expected. */
function lengthNotes(documents: readonly TokenIds[], typicalLength: number): readonly string[] {
  const lengths = documents.map(({ length }) => length).sort((a, b) => a - b);
  const median = lengths[lengths.length >> 1] ?? 0;
  const short = lengths.filter((length) => length < denseBelowTokens).length;
  return [
    ...(median < typicalLength / 2
      ? [
          `Half of the documents have ${median} tokens or fewer, and the plan is chosen for inputs of ${typicalLength}: what longer inputs lose was measured on few. Give longer texts, or --typical-length ${median}.`,
        ]
      : []),
    ...(short > documents.length / 2
      ? [
          `${short} of ${documents.length} documents have fewer than ${denseBelowTokens} tokens, and stay dense under every mode: they lose nothing, and make the mean small.`,
        ]
      : []),
  ];
}
