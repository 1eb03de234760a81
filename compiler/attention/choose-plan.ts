/** From the options to a plan: forced, read from a file, or the cheapest at the typical length. */
import { isDense, type AttentionPlan, type HeadGroup } from '../../passes/atp/plan.ts';
import { modes, type ModeName } from '../../passes/atp/modes/table.ts';
import { formatShare, isWhole, parseKeys, wholeShare, type Share } from '../../passes/atp/share.ts';
import { allHeads, type AttentionShape } from '../../passes/atp/site.ts';
import { attentionWork } from '../../passes/cost.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Target } from '../codegen/target.ts';
import type { Targets } from '../codegen/targets.ts';
import type { CompileOptions } from '../compile-options.ts';
import { withCodes } from '../pass-fault.ts';
import { checkTargets } from './check-targets.ts';
import { modeNamed, readPlanFile } from './plan-file.ts';
import { refuseAuto } from './refuse-auto.ts';
import { leastGain, leastGainWords, typicalLengthOf } from './typical-length.ts';

export const defaultKeys = '1/4';

export interface PlanInput {
  readonly shapes: readonly AttentionShape[];
  /** Longest input in tokens. */
  readonly maxTokens: number;
  /** The first decides what is cheapest; all have to know every mode. */
  readonly targets: Targets;
  /** The checkpoint was fine-tuned with literal ATP at this share of keys. */
  readonly tuned: { readonly ratio: number } | null;
}
export type PlanOptions = Pick<CompileOptions, 'attention' | 'keys' | 'typicalLength' | 'plan' | 'force'>;

/** Predicted seconds of some heads' attention for one sequence, less what linear layers save by it. */
export function predictedSeconds(shape: AttentionShape, group: HeadGroup, tokens: number, target: Target): number {
  const { streamed, gathered, saved } = attentionWork(shape, group, tokens, target.queriesPerChoice);
  const { flopsPerSecond, choosingFlopsPerSecond = flopsPerSecond, gatheredFlopsPerSecond, queriesPerChoice } = target;
  const rate = queriesPerChoice > 1 && !isDense(group) ? choosingFlopsPerSecond : flopsPerSecond;
  return streamed / rate + gathered / gatheredFlopsPerSecond - saved / flopsPerSecond;
}

function uniform(mode: ModeName, keys: Share, shapes: readonly AttentionShape[], reason: string): AttentionPlan {
  const layers = shapes.map((shape) => ({
    layer: shape.layer,
    groups: [{ mode, kvHeads: allHeads(shape), keys }],
  }));
  return { reason, layers };
}

function cheapest({ shapes, targets: [target] }: PlanInput, keys: Share, typicalLength: number): AttentionPlan {
  if (shapes.length === 0) return { reason: 'The model has no attention.', layers: [] };
  if (!shapes.some((shape) => shape.encoder)) {
    return {
      reason: 'Every layer stays dense: none attends to all unpadded tokens, which is what the modes rewrite.',
      layers: [],
    };
  }
  const candidates = (Object.keys(modes) as ModeName[]).filter((name) => modes[name].automatic);
  const layers = shapes.map((shape) => {
    const usable = shape.encoder ? candidates : candidates.filter((name) => name === 'dense');
    const costs = usable.map((mode) => {
      const group: HeadGroup = { mode, kvHeads: allHeads(shape), keys: mode === 'dense' ? wholeShare : keys };
      return { mode, group, seconds: predictedSeconds(shape, group, typicalLength, target) };
    });
    const [dense, ...others] = costs as [(typeof costs)[number], ...typeof costs];
    const best = others.reduce((least, cost) => (cost.seconds < least.seconds * leastGain ? cost : least), dense);
    return { costs, best, plan: { layer: shape.layer, groups: [best.group] } };
  });
  const total = (name: ModeName): number =>
    layers.reduce((sum, { costs }) => sum + (costs.find(({ mode }) => mode === name)?.seconds ?? 0), 0) * 1000;
  const rewritten = layers.filter(({ best }) => best.mode !== 'dense').length;
  const others = candidates
    .filter((name) => name !== 'dense')
    .map((name) => `${total(name).toFixed(2)} ms with ${name} ${formatShare(keys)}`);
  const where = rewritten === 0 ? 'every layer stays dense' : `${rewritten} of ${layers.length} layers read principal keys`;
  const reason =
    `At a typical length of ${typicalLength} tokens ${where}: the cost formula predicts ${total('dense').toFixed(2)} ms of dense attention ` +
    `against ${others.join(' and ')} on ${target.name}; ${leastGainWords}.`;
  return { reason, layers: layers.map(({ plan }) => plan) };
}

/** Throws ATPC-301 to 305 for options that do not fit together or the model, ATPC-307 for a mode that a target refuses. */
export async function choosePlan(options: PlanOptions, input: PlanInput): Promise<AttentionPlan> {
  const { shapes, maxTokens, tuned } = input;
  refuseAuto(options);
  if (options.plan !== undefined && (options.attention !== undefined || options.keys !== undefined)) {
    throw new AtpcError('ATPC-301', 'A plan file says mode and keys for every layer: it excludes --attn and --keys.');
  }
  const typicalLength = typicalLengthOf(options);
  const keysOf = (fallback: string): Share => withCodes(() => parseKeys(options.keys ?? fallback, maxTokens));
  let plan: AttentionPlan;
  if (options.plan !== undefined) plan = await readPlanFile(options.plan, shapes, maxTokens);
  else if (options.attention !== undefined) {
    const mode = modeNamed(options.attention);
    const keys = keysOf(mode === 'svd' && tuned ? String(tuned.ratio) : defaultKeys);
    if (mode === 'dense' && options.keys !== undefined && !isWhole(keys)) {
      throw new AtpcError('ATPC-301', `Dense attention reads all keys; --keys ${options.keys} needs another mode.`);
    }
    const words = mode === 'dense' ? 'Dense attention' : `Mode ${mode} with ${formatShare(keys)} of the keys`;
    plan = uniform(mode, mode === 'dense' ? wholeShare : keys, shapes, `${words} was asked for.`);
  } else if (tuned) {
    plan = uniform(
      'svd',
      keysOf(String(tuned.ratio)),
      shapes,
      'The checkpoint was fine-tuned with literal ATP (the atp block of its config.json).',
    );
  } else {
    plan = cheapest(input, keysOf(defaultKeys), Math.min(typicalLength, maxTokens));
  }
  const usesSvd = plan.layers.some(({ groups }) => groups.some(({ mode }) => mode === 'svd'));
  if (usesSvd && !tuned && options.force !== true) {
    throw new AtpcError(
      'ATPC-305',
      'Mode svd (literal ATP) gives wrong results on a checkpoint that was not fine-tuned with it, and this one was not: its config.json has no atp block.',
      {
        hint: 'Use expand, which needs no fine-tuning, or --force to compile it all the same.',
      },
    );
  }
  checkTargets(plan.layers, input.targets);
  const causal = shapes.find((shape) => !shape.encoder);
  const rewritten = plan.layers.find(
    ({ layer, groups }) => !shapes[layer]?.encoder && groups.some(({ mode }) => mode !== 'dense'),
  );
  if (causal && rewritten) {
    throw new AtpcError(
      'ATPC-311',
      `Layer ${rewritten.layer} does not attend to all unpadded tokens: the modes rewrite that kind of attention only.`,
    );
  }
  return plan;
}
