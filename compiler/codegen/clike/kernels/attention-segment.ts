import type { AttentionKernel } from '../../../kernel/kernel.ts';
import type { AttentionFrame } from './attention-frame.ts';

/** How one kind of segment is written. */
export interface SegmentRenderer<S> {
  /** Names of its operands and integers, in the order of kernel.ts. */
  operands(segment: S): readonly string[];
  integers(segment: S): readonly string[];
  /** Operands whose rows are loaded four elements at a time, with the names of the integers that have to be multiples of four for it. */
  vectors(segment: S, kernel: AttentionKernel): Readonly<Record<string, readonly string[]>>;
  /**
   * Scratch of a workgroup, where the segment has some: so many elements for each of as many as the integer says. Undefined or null
   * without it.
   */
  scratch?(segment: S, kernel: AttentionKernel): { readonly integer: string; readonly elements: number } | null;
  /**
   * Writes the code that attends to the keys of the segment. `names` gives what an operand or integer of the segment is called in
   * this kernel: `frame.k.operand(names('key'))`, `frame.k.size(names('keys'))`. `scratch` is the first element of the
   * workgroup's scratch for the segment: `frame.k.scratchAt(scratch)`.
   */
  write(frame: AttentionFrame, segment: S, names: (name: string) => string, scratch: string): void;
}
