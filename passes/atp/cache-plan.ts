/** What each KV head of a causal model keeps between calls. Defaults and their measurements: atp-modes.md, section 2. */
import type { CacheSpec, ExpandCache, StreamCache } from '../../ir/cache.ts';

export interface CacheGroup {
  readonly mode: CausalModeName;
  readonly cache: CacheSpec;
  /** Heads as numbered in the checkpoint. */
  readonly kvHeads: readonly number[];
}
export interface CachePlan {
  /** Why the plan is what it is, as a sentence for people. */
  readonly reason: string;
  /** By layer; every head of a layer is in exactly one group. */
  readonly layers: readonly (readonly CacheGroup[])[];
}

/** Numbers of a mode that a plan may change. */
export interface CacheSettings {
  readonly sinks?: number;
  readonly window?: number;
  readonly block?: number;
  /** stream: tokens that stay beside sinks and window. */
  readonly atoms?: number;
  /** stream: factor of all scores, once a block. */
  readonly decay?: number;
  /** expand, cluster: tokens that one principal key stands for. */
  readonly tokensPerKey?: number;
  /** expand: the most clusters that a query expands. */
  readonly most?: number;
  /** expand: the least estimated share of a query's attention that a cluster is expanded for; 0 expands the `most` best always. */
  readonly share?: number;
}
export type CacheSetting = keyof CacheSettings;

const shared = ['sinks', 'window', 'block'] as const;
interface CausalMode {
  readonly settings: readonly CacheSetting[];
  readonly summary: string;
  cache(capacity: number, settings: CacheSettings): CacheSpec;
}
const blocks = ({ sinks = 4, window = 256, block = 128 }: CacheSettings) => ({ sinks, window, block });
function clusters(capacity: number, settings: CacheSettings, expand: ExpandCache['expand']): ExpandCache {
  const sizes = blocks(settings);
  const keysPerBlock = Math.max(1, Math.round(sizes.block / (settings.tokensPerKey ?? 8)));
  return { kind: 'expand', capacity, ...sizes, keysPerBlock, iterations: 5, expand };
}

/** Modes of causal attention: a row a mode. */
export const causalModes = {
  dense: {
    settings: [],
    summary: 'every token, exact',
    cache: (capacity) => ({ kind: 'dense', capacity }),
  },
  expand: {
    settings: [...shared, 'tokensPerKey', 'most', 'share'],
    summary: 'every token; far ones by principal keys, the best of them exactly',
    cache(capacity, settings) {
      const { most = 128, share = 0.001 } = settings;
      return clusters(capacity, settings, { most, share: share > 0 ? share : null });
    },
  },
  cluster: {
    settings: [...shared, 'tokensPerKey'],
    summary: 'far tokens by principal keys alone',
    cache: (capacity, settings) => clusters(capacity, settings, null),
  },
  stream: {
    settings: [...shared, 'atoms', 'decay'],
    summary: 'sinks, scored tokens and a window: constant size; cannot copy from far back',
    cache(_capacity, settings): StreamCache {
      const { atoms = 128, decay = 0.85 } = settings;
      return { kind: 'stream', ...blocks(settings), atoms, decay };
    },
  },
} as const satisfies Readonly<Record<string, CausalMode>>;
export type CausalModeName = keyof typeof causalModes;
export const causalModeNames = Object.keys(causalModes) as readonly CausalModeName[];
export function isCausalModeName(name: string): name is CausalModeName {
  return Object.hasOwn(causalModes, name);
}

/** `heads` heads of every layer in one mode. */
export function uniformCachePlan(
  mode: CausalModeName,
  heads: readonly number[],
  capacity: number,
  reason: string,
  settings: CacheSettings = {},
): CachePlan {
  const layers = heads.map((kvHeads): readonly CacheGroup[] => [
    { mode, cache: causalModes[mode].cache(capacity, settings), kvHeads: Array.from({ length: kvHeads }, (_, head) => head) },
  ]);
  return { reason, layers };
}
