/** The caches of the golden causal cases (modes.json). */
import type { CacheSpec } from '../../ir/cache.ts';
import type { CachedShape } from './cached-attention.ts';

export const goldenBlocks = { sinks: 2, window: 32, block: 16 };
const expand = { kind: 'expand', capacity: 200, ...goldenBlocks, keysPerBlock: 4, iterations: 5 } as const;
export const goldenCaches: Readonly<Record<string, CacheSpec>> = {
  lm_dense: { kind: 'dense', capacity: 200 },
  lm_expand_m3: { ...expand, expand: { most: 3, share: null } },
  lm_expand_tau: { ...expand, expand: { most: 8, share: 0.02 } },
  lm_cluster: { ...expand, expand: null },
  lm_stream_r12: { kind: 'stream', ...goldenBlocks, atoms: 12, decay: 0.85 },
};
export const goldenSizes: CachedShape = { heads: 2, kvHeads: 1, size: 16, tokens: 200 };
