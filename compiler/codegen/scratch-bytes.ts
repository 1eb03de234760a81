/** Scratch memory of kernels on targets with one memory: what one lane needs for a dispatch. */
import { addSizes, minSize, multiplySizes, type Size } from '../../ir/size.ts';
import type { Kernel, KernelKind } from '../kernel/kernel.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { kind: K }>;
/** Bytes, from the integers of a dispatch in the order of kernel.ts. */
type ScratchTable<K extends KernelKind> = {
  readonly [P in K]: (kernel: KernelOf<P>, integers: readonly Size[]) => Size;
};
type SameKind = 'map' | 'maps' | 'norm' | 'block_lookup' | 'segment_means' | 'principal_rows';

/** Kernels that keep the same things in scratch, whatever they are written in. */
const sameBytes: ScratchTable<SameKind> = {
  map: () => 0,
  maps: () => 0,
  norm: () => 0,
  block_lookup: () => 0,
  /** The positions of the unpadded tokens. */
  segment_means: (_kernel, [, , tokens = 0]) => multiplySizes(tokens, 4),
  /** X in float64, the Gram matrix and its basis, four rows of min(s, d) elements and two of d, the positions of the tokens. */
  principal_rows(_kernel, [, tokens = 0, size = 0]) {
    const smaller = minSize(tokens, size);
    const elements = addSizes(
      multiplySizes(tokens, size),
      multiplySizes(2, smaller, smaller),
      multiplySizes(4, smaller),
      multiplySizes(2, size),
    );
    return addSizes(multiplySizes(8, elements), multiplySizes(4, tokens));
  },
};

/** `Target.scratchBytes` of a target whose other kernels need `own`. */
export function scratchBytesWith(
  own: ScratchTable<Exclude<KernelKind, SameKind>>,
): <K extends KernelKind>(kernel: KernelOf<K> & { readonly kind: K }, integers: readonly Size[]) => Size {
  const table: ScratchTable<KernelKind> = { ...sameBytes, ...own };
  return (kernel, integers) => table[kernel.kind](kernel, integers);
}
