/** Dispatches that are over before several lanes have met. */
import { addSizes, elementCount, type Size } from '../../ir/size.ts';
import type { Dispatch } from './dispatch.ts';
import type { Kernel, MapsKernel } from './kernel.ts';
import { partsOf } from './map-parts.ts';

/**
 * Elements that are computed in about the time that lanes need to meet. Decoding SmolLM2, 5 to 7 dispatches a layer have 192 to
 * 1,536 elements: 0.4 ms a token in one lane, 1.4 ms in two that met after each of them (two cores, nothing else running).
 */
const mostElements = 2048;

type Extents = (kernel: never, integers: readonly Size[]) => readonly Size[];
/** Extents of what a dispatch computes, from its integers; null for kernels that are never little. */
const extentsOf: { readonly [K in Kernel['kind']]: Extents | null } = {
  map: ({ rank, reduction }: Extract<Kernel, { kind: 'map' }>, integers) => integers.slice(0, rank + (reduction ? 1 : 0)),
  maps: (kernel: MapsKernel, integers) => [
    addSizes(0, ...partsOf(kernel, integers).map(({ part, integers: own }) => elementCount(own.slice(0, part.rank)))),
  ],
  norm: ({ rank }: Extract<Kernel, { kind: 'norm' }>, integers) => integers.slice(0, rank),
  gemm: null,
  block_gemm: null,
  block_lookup: (_kernel, integers) => integers.slice(0, 2),
  attention: null,
  cluster: null,
  segment_means: null,
  principal_rows: null,
  cluster_block: null,
  evict: null,
  score_keys: null,
};

/** Whether it is known to compute little, whatever the dims of the call. */
export function isLittleWork({ kernel, integers }: Pick<Dispatch, 'kernel' | 'integers'>): boolean {
  const extents = extentsOf[kernel.kind]?.(kernel as never, integers) ?? null;
  if (extents === null) return false;
  return extents.reduce<number>((product, size) => (typeof size === 'number' ? product * size : Infinity), 1) <= mostElements;
}
