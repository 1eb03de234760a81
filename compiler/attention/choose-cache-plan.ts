/** From the options to the caches of a causal model: forced, read from a file, or the cheapest at the typical length. */
import { uniformCachePlan, type CachePlan } from '../../passes/atp/cache-plan.ts';
import type { AttentionShape } from '../../passes/atp/site.ts';
import { cacheSeconds } from '../../passes/cache-cost.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Targets } from '../codegen/targets.ts';
import type { CompileOptions } from '../compile-options.ts';
import { checkTargets } from './check-targets.ts';
import { cachePlanOf, causalModeNamed, readCachePlanFile, type CachePlanFile } from './cache-plan-file.ts';
import { refuseAuto } from './refuse-auto.ts';
import { leastGain, leastGainWords, typicalLengthOf } from './typical-length.ts';

export interface CachePlanInput {
  readonly shapes: readonly AttentionShape[];
  /** Tokens that a session can hold. */
  readonly maxTokens: number;
  /** The first decides what is cheapest; all have to have kernels for the plan. */
  readonly targets: Targets;
  /** Finds the heads that need every token on the text in files. */
  readonly calibrate: (files: readonly string[]) => Promise<CachePlanFile>;
}
export type CachePlanOptions = Pick<CompileOptions, 'attention' | 'keys' | 'typicalLength' | 'plan' | 'calibrate' | 'maxLoss'>;

/** Throws ATPC-301 to 304 for options that do not fit together or the model, ATPC-307 for a plan that a target refuses. */
export async function chooseCachePlan(options: CachePlanOptions, input: CachePlanInput): Promise<CachePlan> {
  refuseAuto(options);
  const plan = await planOf(options, input);
  checkTargets(
    plan.layers.map((groups, layer) => ({ layer, groups })),
    input.targets,
  );
  return plan;
}

async function planOf(options: CachePlanOptions, input: CachePlanInput): Promise<CachePlan> {
  const { shapes, maxTokens } = input;
  const { attention, plan, keys, calibrate } = options;
  if (plan !== undefined && attention !== undefined && attention !== 'hybrid')
    throw new AtpcError('ATPC-301', 'A plan file says the mode of every layer and head: it excludes --attn.');
  if (keys !== undefined) {
    throw new AtpcError(
      'ATPC-301',
      '--keys is a share of a text that is read at once; the caches of a causal model count tokens.',
      {
        hint: 'Say atoms, window, most or tokensPerKey in a plan file (docs/guide/generation.md).',
      },
    );
  }
  const heads = shapes.map(({ kvHeads }) => kvHeads);
  if (plan !== undefined) return readCachePlanFile(plan, heads, maxTokens);
  if (calibrate !== undefined && attention !== 'hybrid' && options.maxLoss === undefined) {
    throw new AtpcError(
      'ATPC-301',
      'Text for calibration (--calibrate) goes with --attn hybrid or --max-loss, and with nothing else.',
    );
  }
  if (attention === 'hybrid') {
    if (calibrate !== undefined)
      return cachePlanOf(await input.calibrate(calibrate), `of ${calibrate.join(', ')}`, heads, maxTokens);
    throw new AtpcError(
      'ATPC-301',
      '--attn hybrid gives retrieval heads one mode and the others another, and needs to know which heads those are.',
      {
        hint:
          'Find them with `atpc calibrate MODEL --text FILE -o plan.yaml`, then compile with --plan plan.yaml; or in one go ' +
          'with --attn hybrid --calibrate FILE.',
      },
    );
  }
  if (attention !== undefined) {
    const mode = causalModeNamed(attention);
    const words = mode === 'dense' ? 'Dense attention' : `Mode ${mode} in every layer and head`;
    return uniformCachePlan(mode, heads, maxTokens, `${words} was asked for.`);
  }
  return cheapest(input, Math.min(typicalLengthOf(options), maxTokens));
}

/** Dense, or the near-lossless mode where it saves enough. */
function cheapest({ shapes, maxTokens, targets: [target] }: CachePlanInput, typicalLength: number): CachePlan {
  const heads = shapes.map(({ kvHeads }) => kvHeads);
  const [dense, expand] = (['dense', 'expand'] as const).map((mode) => {
    const plan = uniformCachePlan(mode, heads, maxTokens, '');
    const seconds = shapes.reduce(
      (sum, shape, layer) =>
        sum + (plan.layers[layer] ?? []).reduce((total, group) => total + cacheSeconds(shape, group, typicalLength, target), 0),
      0,
    );
    return { plan, milliseconds: seconds * 1000 };
  }) as [{ plan: CachePlan; milliseconds: number }, { plan: CachePlan; milliseconds: number }];
  const best = expand.milliseconds < dense.milliseconds * leastGain ? expand : dense;
  const where = best === dense ? 'every layer keeps all tokens' : 'far tokens are read by principal keys';
  const reason =
    `At a typical length of ${typicalLength} tokens ${where}: the cost formula predicts ${dense.milliseconds.toFixed(1)} ms of dense attention ` +
    `against ${expand.milliseconds.toFixed(1)} ms with expand on ${target.name}; ${leastGainWords}.`;
  return { ...best.plan, reason };
}
