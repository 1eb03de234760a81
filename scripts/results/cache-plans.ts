/** The cache plans that are compared on the language model. */
import { fileURLToPath } from 'node:url';
import { readCachePlanFile } from '../../compiler/attention/cache-plan-file.ts';
import type { CacheKind, CacheSpec } from '../../ir/cache.ts';
import { causalModes, uniformCachePlan, type CacheGroup, type CachePlan } from '../../passes/atp/cache-plan.ts';

/** The plan that lies with the example: 16 heads in expand, all others in stream. */
export const chatPlan = fileURLToPath(new URL('../../examples/chat/plan.yaml', import.meta.url));

/** The eight heads of SmolLM2 (layer, KV head) that a state of fixed size hurts most, worst first: the small preset of hybrid. */
const worstHeads: readonly (readonly [layer: number, kvHead: number])[] = [
  [18, 2],
  [17, 1],
  [7, 2],
  [23, 0],
  [20, 2],
  [23, 2],
  [20, 1],
  [0, 0],
];
function smallHybrid(heads: readonly number[], maxTokens: number): CachePlan {
  const layers = heads.map((count, layer): readonly CacheGroup[] => {
    const all = Array.from({ length: count }, (_, head) => head);
    const guarded = all.filter((head) => worstHeads.some(([l, h]) => l === layer && h === head));
    const groups: readonly CacheGroup[] = [
      { mode: 'expand', cache: causalModes.expand.cache(maxTokens, {}), kvHeads: guarded },
      { mode: 'stream', cache: causalModes.stream.cache(maxTokens, {}), kvHeads: all.filter((head) => !guarded.includes(head)) },
    ];
    return groups.filter(({ kvHeads }) => kvHeads.length > 0);
  });
  return { reason: 'Eight heads in expand, all others in stream.', layers };
}

type PlanOf = (heads: readonly number[], maxTokens: number) => CachePlan | Promise<CachePlan>;
const uniform =
  (...[mode, settings = {}]: [Parameters<typeof uniformCachePlan>[0], Parameters<typeof uniformCachePlan>[4]?]): PlanOf =>
  (heads, maxTokens) =>
    uniformCachePlan(mode, heads, maxTokens, `${mode} in every layer and head`, settings);

/** Plans by the name that the tables give them. */
export const cachePlans = {
  dense: uniform('dense'),
  expand: uniform('expand'),
  'expand m = 16': uniform('expand', { most: 16, share: 0 }),
  cluster: uniform('cluster'),
  'hybrid 16': (heads, maxTokens) => readCachePlanFile(chatPlan, heads, maxTokens),
  'hybrid 8': smallHybrid,
  'stream r = 256': uniform('stream', { atoms: 256 }),
  'stream r = 128': uniform('stream'),
} as const satisfies Readonly<Record<string, PlanOf>>;
export type CachePlanName = keyof typeof cachePlans;

/** Rows of keys of single tokens that a state has room for, after so many tokens. */
const keptRows: { readonly [K in CacheKind]: (cache: Extract<CacheSpec, { readonly kind: K }>, tokens: number) => number } = {
  dense: (_, tokens) => tokens,
  expand: (_, tokens) => tokens,
  stream: ({ atoms, sinks, window, block }, tokens) => Math.min(tokens, atoms + sinks + window + block),
};
/** Share of so many tokens that a state keeps the keys of at most, mean of the KV heads. Means of clusters come on top. */
export function keysKept({ layers }: CachePlan, tokens: number): number {
  const heads = layers.flat().flatMap(({ cache, kvHeads }) => {
    const rows = keptRows[cache.kind](cache as never, tokens);
    return kvHeads.map(() => rows / tokens);
  });
  return heads.reduce((sum, share) => sum + share, 0) / heads.length;
}
