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
  /**
   * On targets that bind buffers: the buffers of the device but those of the weights, and what each holds. Two that one dispatch
   * touches are never the same, unless it handles both in one binding.
   */
  readonly slots?: readonly ProgramSlot[];
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

export interface ProgramSlot {
  readonly class: Exclude<BufferClass, 'weights'>;
  readonly bytes: SizeExpression;
}

export type BufferElementType = 'f32' | 'f16' | 'i32' | 'bool' | 'u8';
export interface ProgramBuffer {
  readonly name: string;
  readonly class: BufferClass;
  /** bool is stored as i32, 0 or 1; u8 is for the quants of weights, f16 for weights. */
  readonly elementType: BufferElementType;
  /** Bytes from the start of the slot, or else of the arena; a multiple of 64. */
  readonly offset: SizeExpression;
  /** Index into `slots`, where there are any and the buffer is no weight. */
  readonly slot?: number;
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
  /** The rows of the tensor that are in the buffer, from the first up to another; all of them without it. Packed as rows. */
  readonly rows?: readonly [first: number, end: number];
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

/** The dispatches of steps, in the order in which they are written. */
export function dispatchSteps(steps: readonly Step[]): readonly DispatchStep[] {
  return steps.flatMap((step) => (step.kind === 'repeat' ? dispatchSteps(step.steps) : [step]));
}

/** One kernel over `items` independent work items, which a backend may split over its lanes in any way; on GPUs, workgroups. */
export interface DispatchStep {
  readonly kind: 'dispatch';
  /** Name of an exported kernel. */
  readonly kernel: string;
  /** What it computes, for profiles and for people: `encoder.layer.0.attention.query + key + value`. */
  readonly label: string;
  readonly operands: readonly Operand[];
  /** How many operands are written, the last ones; given where there are slots. */
  readonly writes?: number;
  readonly integers: readonly SizeExpression[];
  readonly items: SizeExpression;
  /** Scratch bytes that one lane needs; where there are slots, the dispatch. */
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
