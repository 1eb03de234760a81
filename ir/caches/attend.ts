/**
 * The reference of cached attention: plain loops over queries and keys, by the pseudo-code of atp-modes.md, section 2. States are
 * changed in place.
 */
import type { CacheKind, CacheSpec } from '../cache.ts';
import type { Tensor } from '../ops/definition.ts';
import { attendDense } from './dense.ts';
import { attendExpand } from './expand.ts';
import { attendStream } from './stream.ts';

export interface CachedCall {
  readonly scale: number;
  /** Tokens read before. */
  readonly past: number;
  /** [1, H, n, e]. */
  readonly query: Tensor;
  /** [1, G, n, e] and [1, G, n, ev]. */
  readonly key: Tensor;
  readonly value: Tensor;
  /** [1, H, n, ev]. */
  readonly result: Tensor;
}

const attends: {
  readonly [K in CacheKind]: (cache: Extract<CacheSpec, { kind: K }>, call: CachedCall, states: readonly Tensor[]) => void;
} = {
  dense: attendDense,
  expand: attendExpand,
  stream: attendStream,
};
export function attendCached(cache: CacheSpec, call: CachedCall, states: readonly Tensor[]): void {
  attends[cache.kind](cache as never, call, states);
}
