import type { SizeExpression } from './expression.ts';

/**
 * A compiled model as flat data: buffers, weights, dispatches. Every size is an expression of the symbolic dims. No target
 * is named here; the kernels that `kernel` refers to lie beside the program, one set a target.
 */
export interface Program {
  readonly formatVersion: 1;
  readonly name: string;
  readonly dims: readonly ProgramDim[];
  readonly buffers: readonly ProgramBuffer[];
  /** Bytes of each arena, as used by one run with the given dims. Weights do not depend on them. */
  readonly arenas: { readonly [K in BufferClass]: SizeExpression };
  readonly weights: readonly ProgramWeight[];
  /** `forward` for a model without state; `prefill`, `decode` and `score` for one that generates. All share weights and state. */
  readonly entryPoints: { readonly [K in EntryPointName]?: EntryPoint };
}
/**
 * forward: inputs to outputs. prefill: reads `seq` tokens after `past`, gives the logits of the last. decode: the same for
 * one token. score: the same as prefill, with the logits of every token.
 */
export const entryPointNames = ['forward', 'prefill', 'decode', 'score'] as const;
export type EntryPointName = (typeof entryPointNames)[number];
export interface ProgramDim {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/**
 * weights: filled at load. workspace: intermediate results, offsets planned by lifetime. state: kept between calls of one
 * session. io: inputs and outputs. scratch: private to one lane of execution, as much as the largest dispatch needs.
 */
export const bufferClasses = ['weights', 'workspace', 'state', 'io', 'scratch'] as const;
export type BufferClass = (typeof bufferClasses)[number];

export type BufferElementType = 'f32' | 'i32' | 'bool' | 'u8';
export interface ProgramBuffer {
  readonly name: string;
  readonly class: BufferClass;
  /** bool is stored as i32, 0 or 1; u8 is for the quants of weights. */
  readonly elementType: BufferElementType;
  /** Bytes from the start of the arena, a multiple of 64. */
  readonly offset: SizeExpression;
  readonly bytes: SizeExpression;
  /** First and last step of its entry point that touch the buffer; the plan lets buffers whose lives do not meet share memory. */
  readonly firstStep: number;
  readonly lastStep: number;
}

/** How a target lays a weight out in its buffer while it streams it in. */
export type WeightPacking =
  /** Row-major as stored. */
  | { readonly kind: 'rows' }
  /**
   * The right side of a gemm, stored [N, K] row-major, packed into panels of `width` rows: [ceil(N / width)][K][width], the
   * last panel filled with zeros.
   */
  | { readonly kind: 'panels'; readonly width: number };

export interface ProgramWeight {
  /** Tensor name in the weight files. */
  readonly tensor: string;
  /** Index into `buffers`. */
  readonly buffer: number;
  readonly shape: readonly number[];
  readonly packing: WeightPacking;
}

export interface EntryPoint {
  readonly inputs: readonly ProgramPort[];
  readonly outputs: readonly ProgramPort[];
  readonly steps: readonly Step[];
}
/** The dim that says how many tokens the state holds. It alone changes with every call of a session. */
export const pastDim = 'past';
/** Whether sessions keep something between calls. */
export function hasState({ arenas }: Pick<Program, 'arenas'>): boolean {
  return arenas.state !== 0;
}
/** The entry point that stands for a program where one is shown: `forward`, or `prefill`. Every valid program has one of them. */
export function mainEntryPoint({ entryPoints }: Program): EntryPoint {
  const entry = entryPoints.forward ?? entryPoints.prefill;
  if (entry) return entry;
  throw new RangeError('The program has neither forward nor prefill.');
}
export interface ProgramPort {
  readonly name: string;
  readonly buffer: number;
  readonly elementType: BufferElementType;
  readonly shape: readonly SizeExpression[];
}

export type Step = DispatchStep | RepeatStep;

/** One kernel over `items` independent work items; a backend may split them over its lanes in any way. */
export interface DispatchStep {
  readonly kind: 'dispatch';
  /** Name of an exported kernel. */
  readonly kernel: string;
  /** What it computes, for profiles and for people: `encoder.layer.0.attention.query + key + value`. */
  readonly label: string;
  readonly operands: readonly Operand[];
  readonly integers: readonly SizeExpression[];
  readonly items: SizeExpression;
  /** Scratch bytes that one lane needs. */
  readonly scratchBytes: SizeExpression;
  /** The dispatch runs only where the condition holds. */
  readonly when?: Condition;
  /** So little work that sharing it takes longer: one lane does all of it, and lanes need not meet from one such dispatch to the next. */
  readonly oneLane?: boolean;
}
export interface Operand {
  /** Index into `buffers`. */
  readonly buffer: number;
  /** Elements (of 4 bytes) from the start of the buffer. */
  readonly offset: SizeExpression;
}
/** Steps that run `count` times; the loop variable is bound as a dim for the expressions inside. */
export interface RepeatStep {
  readonly kind: 'repeat';
  readonly variable: string;
  readonly count: SizeExpression;
  readonly steps: readonly Step[];
}
/** left < right, both expressions. */
export interface Condition {
  readonly less: readonly [SizeExpression, SizeExpression];
}
