/** The plan of a compiled package, back from its manifest. */
import { isCausalModeName, type CacheGroup, type CachePlan } from '../../passes/atp/cache-plan.ts';
import type { AttentionPlan } from '../../passes/atp/plan.ts';
import { parseKeys, type Share } from '../../passes/atp/share.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { ManifestAttention, ManifestCache } from '../../runtime/format/manifest.ts';
import type { CacheSpec } from '../../ir/cache.ts';
import { modeNamed } from './plan-file.ts';

/** The manifest has shares as numbers: the nearest fraction with a denominator of at most 4096 is what was asked for. */
function shareOf(value: number): Share {
  for (let denominator = 1; denominator <= 4096; denominator += 1) {
    const numerator = Math.round(value * denominator);
    if (numerator > 0 && Math.abs(numerator / denominator - value) < 1e-12) return [numerator, denominator];
  }
  return parseKeys(value.toFixed(6), Number.MAX_SAFE_INTEGER);
}

/** Of a model that reads a text at once. */
export function packagedPlan({ reason, layers }: ManifestAttention): AttentionPlan {
  return {
    reason,
    layers: layers.map(({ layer, heads }) => ({
      layer,
      groups: heads.map(({ mode, kvHeads, keys }) => ({ mode: modeNamed(mode), kvHeads, keys: shareOf(keys) })),
    })),
  };
}

/** Of a model that generates. */
export function packagedCachePlan({ reason, layers }: ManifestAttention): CachePlan {
  return {
    reason,
    layers: layers.map(({ layer, heads }) =>
      heads.map(({ mode, kvHeads, cache }): CacheGroup => {
        if (!isCausalModeName(mode) || !cache) {
          throw new AtpcError('ATPC-403', `The manifest names a cache of mode '${mode}' in layer ${layer}, which is not known.`);
        }
        return { mode, kvHeads, cache: cacheOf(cache) };
      }),
    ),
  };
}

/** The numbers of a cache lie flat in the manifest. */
function cacheOf({ kind, parameters }: ManifestCache): CacheSpec {
  const number = (name: string): number => {
    const value = parameters[name];
    if (typeof value === 'number') return value;
    throw new AtpcError('ATPC-403', `The manifest has a cache of kind '${kind}' without '${name}'.`);
  };
  const blocks = () => ({ sinks: number('sinks'), window: number('window'), block: number('block') });
  if (kind === 'dense') return { kind, capacity: number('capacity') };
  if (kind === 'stream') return { kind, ...blocks(), atoms: number('atoms'), decay: number('decay') };
  if (kind === 'expand') {
    const expand = parameters['most'] === undefined ? null : { most: number('most'), share: parameters['share'] ?? null };
    const clusters = { keysPerBlock: number('keysPerBlock'), iterations: number('iterations') };
    return { kind, capacity: number('capacity'), ...blocks(), ...clusters, expand };
  }
  throw new AtpcError('ATPC-403', `The manifest has a cache of kind '${kind}', which is not known.`);
}
