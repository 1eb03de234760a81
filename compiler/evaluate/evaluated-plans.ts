/** The plans that are held against each other, dense attention first. */
import { uniformCachePlan, type CachePlan, type CacheSettings, type CausalModeName } from '../../passes/atp/cache-plan.ts';
import { densePlan, type AttentionPlan } from '../../passes/atp/plan.ts';
import { formatShare, isWhole, parseKeys, shareValue, type Share } from '../../passes/atp/share.ts';
import type { AttentionShape } from '../../passes/atp/site.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { causalModeNamed, readCachePlanFile } from '../attention/cache-plan-file.ts';
import { choosePlan } from '../attention/choose-plan.ts';
import { packagedCachePlan, packagedPlan } from '../attention/packaged-plan.ts';
import { modeNamed, readPlanFile } from '../attention/plan-file.ts';
import { withCapacity } from '../cache-plan-report.ts';
import { captureCalibration, type Encode } from '../calibrate/calibrate.ts';
import { hostTarget } from '../codegen/targets.ts';
import { withCodes } from '../pass-fault.ts';
import { plannedCausal, plannedForward, type PlannedModel } from '../quality/planned-model.ts';
import { longestSequence, type SourceModel } from '../source-model.ts';
import { evaluationDefaults, type EvaluationOptions, type EvaluationRow } from './evaluation.ts';

export interface EvaluatedPlan extends Pick<EvaluationRow, 'plan' | 'mode' | 'keys'> {
  instantiate(): Promise<PlannedModel>;
}
export interface PlansInput {
  readonly source: SourceModel;
  readonly shapes: readonly AttentionShape[];
  readonly encode: Encode;
  /** Of the longest document. */
  readonly tokens: number;
  readonly options: Pick<EvaluationOptions, 'attention' | 'keys' | 'plan' | 'package' | 'storage'>;
}

interface Setting<Mode> {
  readonly mode: Mode;
  readonly keys: Share;
}
/** Every mode at every share; none where a plan alone is to be measured. Whole shares are dense, which is measured as it is. */
function settingsOf<Mode extends string>(
  { attention, keys, plan, package: packaged }: PlansInput['options'],
  maxTokens: number,
  modeOf: (name: string) => Mode,
): readonly Setting<Mode>[] {
  if (packaged || (plan !== undefined && attention === undefined && keys === undefined)) return [];
  const shares = (keys ?? evaluationDefaults.keys).map((text) => withCodes(() => parseKeys(text, maxTokens)));
  return (attention ?? [evaluationDefaults.mode]).flatMap((name) => {
    if (name === 'auto' || name === 'hybrid') {
      throw new AtpcError('ATPC-301', `--attn ${name} is no mode, but a way to find a plan.`, {
        hint: 'Find it first, with `atpc compile --write-plan` or `atpc calibrate -o`, and give it with --plan.',
      });
    }
    const mode = modeOf(name);
    return mode === 'dense' ? [] : shares.filter((share) => !isWhole(share)).map((share) => ({ mode, keys: share }));
  });
}

/** Throws 3xx for modes, shares and plans that do not fit the model. */
export function evaluatedPlans(input: PlansInput): Promise<readonly EvaluatedPlan[]> {
  return input.source.context === null ? forwardPlans(input) : causalPlans(input, input.source.context.maxLength);
}

const denseRow = { plan: 'dense', mode: 'dense', keys: 1 } as const;
const named = ({ mode, keys }: Setting<string>) => ({ plan: `${mode} ${formatShare(keys)}`, mode, keys: shareValue(keys) });
const given = (plan: string) => ({ plan, mode: null, keys: null });

async function forwardPlans({ source, shapes, encode, options }: PlansInput): Promise<readonly EvaluatedPlan[]> {
  const maxTokens = longestSequence(source.graph);
  let captured: ReturnType<typeof captureCalibration> | undefined;
  const capture: typeof captureCalibration = (...texts) => (captured ??= captureCalibration(...texts));
  const model = { source, encode, capture, ...(options.storage === undefined ? {} : { storage: options.storage }) };
  const planned = (plan: AttentionPlan) => () => plannedForward(model, plan);
  const chosen = { shapes, maxTokens, targets: [hostTarget] as const, tuned: source.tuned };
  const plans: EvaluatedPlan[] = [{ ...denseRow, instantiate: planned(densePlan) }];
  for (const setting of settingsOf(options, maxTokens, modeNamed)) {
    // Literal ATP is refused on a model that was not tuned with it; here it is measured what that would cost.
    const plan = await choosePlan({ attention: setting.mode, keys: formatShare(setting.keys), force: true }, chosen);
    plans.push({ ...named(setting), instantiate: planned(plan) });
  }
  if (options.plan !== undefined) {
    // Read first, so that a fault of the file is told of as one.
    await readPlanFile(options.plan, shapes, maxTokens);
    plans.push({ ...given(options.plan), instantiate: planned(await choosePlan({ plan: options.plan, force: true }, chosen)) });
  }
  if (options.package)
    plans.push({ ...given(options.package.name), instantiate: planned(packagedPlan(options.package.attention)) });
  return plans;
}

/**
 * What a share of the keys is in the caches of a causal model, which count tokens: principal keys a token in modes that have them, and
 * in a stream the tokens that stay beside sinks and window.
 */
const settingsOfShare: {
  readonly [M in Exclude<CausalModeName, 'dense'>]: (share: number, tokens: number) => CacheSettings;
} = {
  expand: (share) => ({ tokensPerKey: 1 / share }),
  cluster: (share) => ({ tokensPerKey: 1 / share }),
  stream: (share, tokens) => ({ atoms: Math.max(1, Math.round(share * tokens)) }),
};

async function causalPlans(
  { source, shapes, encode, tokens, options }: PlansInput,
  maxLength: number,
): Promise<readonly EvaluatedPlan[]> {
  const heads = shapes.map(({ kvHeads }) => kvHeads);
  const model = { source, encode, ...(options.storage === undefined ? {} : { storage: options.storage }) };
  const planned = ({ reason, layers }: CachePlan) => {
    // The same caches for sessions as long as the documents.
    const short = layers.map((groups) => groups.map((group) => ({ ...group, cache: withCapacity(group.cache, tokens) })));
    return () => plannedCausal(model, { reason, layers: short }, tokens);
  };
  const uniform = (mode: CausalModeName, settings: CacheSettings) => planned(uniformCachePlan(mode, heads, tokens, '', settings));
  const plans: EvaluatedPlan[] = [{ ...denseRow, instantiate: uniform('dense', {}) }];
  for (const setting of settingsOf(options, tokens, causalModeNamed)) {
    const { mode, keys } = setting;
    const settings = mode === 'dense' ? {} : settingsOfShare[mode](shareValue(keys), tokens);
    plans.push({ ...named(setting), instantiate: uniform(mode, settings) });
  }
  if (options.plan !== undefined)
    plans.push({ ...given(options.plan), instantiate: planned(await readCachePlanFile(options.plan, heads, maxLength)) });
  if (options.package)
    plans.push({ ...given(options.package.name), instantiate: planned(packagedCachePlan(options.package.attention)) });
  return plans;
}
