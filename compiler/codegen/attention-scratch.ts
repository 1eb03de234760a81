/** Scratch memory of attention on targets with one memory: what a tile of queries needs, and after it what each segment needs for itself. */
import { addSizes, type Size } from '../../ir/size.ts';
import type { AttentionKernel, AttentionKernelSegment } from '../kernel/kernel.ts';
import { attentionIntegers } from './attention-integers.ts';

/** Operands of a segment, as names or as declarations, and names of its integers, in the order of kernel.ts. */
export interface SegmentParameters {
  readonly operands: readonly string[];
  readonly integers: readonly string[];
}
/** What is known of a segment before anything is written. */
export interface SegmentNeeds<S extends AttentionKernelSegment> {
  parameters(segment: S): SegmentParameters;
  /** Bytes beside those that every attention kernel has; `integers` are those of the segment. */
  scratch(segment: S, integers: readonly Size[], kernel: AttentionKernel): Size;
}

/** Bytes; `tileBytes` is what every attention kernel has. */
export function attentionScratchBytes(
  kernel: AttentionKernel,
  integers: readonly Size[],
  tileBytes: number,
  needsOf: <S extends AttentionKernelSegment>(segment: S) => SegmentNeeds<S>,
): Size {
  let next = attentionIntegers(kernel).length;
  const bytes = kernel.segments.map((segment): Size => {
    const needs = needsOf(segment);
    const count = needs.parameters(segment).integers.length;
    const own = integers.slice(next, next + count);
    next += count;
    return needs.scratch(segment, own, kernel);
  });
  // Segments come one after the other, in the same bytes; a sum of few terms stays simpler than their maximum.
  return addSizes(tileBytes, ...bytes.filter((size) => size !== 0));
}
