import type { Node } from '../../ir/graph.ts';
import type { Size } from '../../ir/size.ts';
import type { Boundary } from '../../passes/fuse/groups.ts';
import type { Kernel } from './kernel.ts';
import type { Buffer } from './view.ts';

/** One kernel with everything that it reads and writes. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly label: string;
  readonly reads: readonly BufferRange[];
  readonly writes: readonly BufferRange[];
  readonly integers: readonly Size[];
  /** Integers to plan scratch with, where those that it goes by change from round to round of a repeat: the largest of these. */
  readonly largestIntegers?: readonly Size[];
  readonly items: Size;
  /** The dispatch is needed only when this size, the longest sequence, is at least so many tokens. */
  readonly when: { readonly tokens: Size; readonly atLeast: number } | null;
  /** The repeat that it is part of, with its neighbours of the same one; null for a dispatch that runs once a call. */
  readonly repeat: RepeatPlace | null;
  /** The graph nodes that it computes; empty for a copy. */
  readonly nodes: readonly Node[];
  readonly boundary: Boundary | 'layout';
}
/** Dispatches that carry the same object, one after the other, run together `count` times. */
export interface RepeatPlace {
  readonly variable: string;
  readonly count: Size;
}
export interface BufferRange {
  readonly buffer: Buffer;
  readonly offset: Size;
}

export interface Port {
  readonly name: string;
  readonly buffer: Buffer;
  readonly shape: readonly Size[];
}
/** A graph as kernels over buffers, in order. */
export interface DispatchList {
  readonly dispatches: readonly Dispatch[];
  readonly buffers: readonly Buffer[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}
