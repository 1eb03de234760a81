import type { ElementType } from '../../ir/element-type.ts';
import type { Size } from '../../ir/size.ts';
import type { TargetName } from '../../runtime/format/manifest.ts';
import type { WeightPacking } from '../../runtime/format/program.ts';
import type { BindingPattern } from '../kernel/binding.ts';
import type { Dispatch } from '../kernel/dispatch.ts';
import type { LeftNorm, Norm } from '../kernel/row-norm.ts';
import type { AttentionKernel, BlockGemmKernel, GemmKernel, Kernel, ScoreKeysKernel } from '../kernel/kernel.ts';

export interface NamedKernel {
  readonly name: string;
  readonly kernel: Kernel;
  /** How its operands are bound, on a target with memory of the kind `buffers`. */
  readonly pattern?: BindingPattern;
}
/** How kernels reach their operands. */
export type TargetMemory =
  /** By address in a memory that holds everything. */
  | { readonly kind: 'one memory' }
  /**
   * As bound buffers (compiler/kernel/binding.ts). `alignment`: bytes that the place of a weight is a multiple of. `storageBuffers`:
   * how many a kernel may have. `vectorStrides`: which operands a kernel would load four elements at a time, and the strides
   * that have to be multiples of four for it; null for an operand that it loads one by one. `halfWeights`: right sides of products
   * that a package stores as F16 stay so. `weightBytes`: the most of a weight that one binding reaches; a larger one is cut by rows.
   */
  | {
      readonly kind: 'buffers';
      readonly alignment: number;
      readonly storageBuffers: number;
      readonly halfWeights: boolean;
      readonly weightBytes: number;
      vectorStrides(kernel: Kernel, integers: readonly Size[]): readonly (readonly Size[] | null)[];
    };
export interface TargetFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** What an engine must have to take this file; absent for a file that no engine loads. */
  readonly features?: readonly string[];
}
export interface EmitOptions {
  /** Only the build that needs exactly these features; without it every build. */
  readonly build?: readonly string[];
}
/** Products of numbers of fewer bits than f32 has. */
export interface Rounding {
  /** The largest relative error of one rounded number: 2^-11 for f16. */
  readonly unit: number;
  /** How far outputs may be from those of the reference, as a part of the largest value of each. */
  readonly tolerance: number;
  /** For the approximations of the manifest. */
  readonly words: string;
}
/** What became of emitted files. */
export interface FinishedFiles {
  readonly files: readonly TargetFile[];
  /** Sentences for who compiles: what this machine lacked for more. */
  readonly notes: readonly string[];
}
/**
 * One workgroup for each key/value head leaves a device idle: the keys of a cache are read in parts, and what they give is put together
 * after them.
 */
export interface DecodeParts {
  /** Tokens of the cache from which on it is. */
  readonly atLeast: number;
  /** Keys of a part, at least; and parts of all heads, at most. */
  readonly keys: number;
  readonly workgroups: number;
}

/** What a target is, as data, and the one function that emits its kernels. A target is a row in `targets.ts`. */
export interface Target {
  readonly name: TargetName;
  readonly elementTypes: readonly ElementType[];
  readonly limits: { readonly memoryBytes: number; readonly lanes: number };
  readonly features: readonly string[];
  readonly memory: TargetMemory;
  /** The layout of the right side of a product of plain numbers. */
  readonly gemmWeights: WeightPacking;
  /** By the number of rows of the left side, of which decoding has few, of columns of the result, and the depth. */
  gemmSchedule(rows: Size, columns: number, depth: Size): GemmKernel['schedule'];
  blockGemmSchedule(rows: Size, columns: number, depth: Size): BlockGemmKernel['schedule'];
  /**
   * Whether a product normalises its left side while it reads it, where a norm is in between (compiler/kernel/plan-norms.ts), and how it
   * comes by the statistics of the rows; null where it does not. Absent where no product does: a norm is a kernel of its own.
   */
  leftNorm?(norm: Norm, schedule: (GemmKernel | BlockGemmKernel)['schedule'], depth: Size): LeftNorm['statistics'] | null;
  /** FLOPs a second of one core on tiled kernels, for the cost model; measured, see docs/results.md. */
  readonly flopsPerSecond: number;
  /** The same where a kernel reads scattered keys one query at a time. */
  readonly gatheredFlopsPerSecond: number;
  /** The same of attention whose tiles of queries choose their keys together; without it as fast as dense attention. */
  readonly choosingFlopsPerSecond?: number;
  /**
   * Consecutive queries of a head that choose the keys they read together, where nothing is causal: the queries of a workgroup. 1 where
   * each chooses for itself, which reads fewer keys but scattered ones.
   */
  readonly queriesPerChoice: number;
  /** Attention modes that it has no kernels for, each with the reason. */
  readonly refusedModes: Readonly<Record<string, string>>;
  /** Groups of heads of one layer that differ in mode or numbers: each is a dispatch of attention, and on a device that costs. */
  readonly attentionsPerLayer: number;
  /** Absent where everything is computed in f32. */
  readonly rounding?: Rounding;
  /** `decodes`: the kernel also runs for single tokens. `most`: of each segment the keys that it has at most, null where that is not known. */
  attentionSchedule(
    headSize: number,
    valueSize: number,
    decodes?: boolean,
    segments?: AttentionKernel['segments'],
    most?: readonly (number | null)[],
  ): AttentionKernel['schedule'];
  /** Where a decoded token's attention to a dense cache is split over workgroups; absent: never. */
  readonly decodeParts?: DecodeParts;
  scoreKeysSchedule(headSize: number): ScoreKeysKernel['schedule'];
  /**
   * Scratch bytes that one lane needs for a dispatch of this kernel with these integers (in the order of kernel.ts); on targets whose
   * memory is buffers, those of the whole dispatch.
   */
  scratchBytes(kernel: Kernel, integers: readonly Size[]): Size;
  /** The items of a step: those of kernel.ts, or workgroups. */
  itemsOf(dispatch: Pick<Dispatch, 'kernel' | 'integers' | 'items'>): Size;
  /** Kernel files, relative to `kernels/NAME/`; deterministic. Files with `features` are builds of the same kernels. */
  emit(kernels: readonly NamedKernel[], options?: EmitOptions): Promise<readonly TargetFile[]>;
  /**
   * Adds to the emitted files what a compiler makes of them that is not part of atpc. Absent where they are what a package has. Throws
   * ATPC-313 and the reason of an abort.
   */
  finish?(files: readonly TargetFile[], options: { readonly signal?: AbortSignal }): Promise<FinishedFiles>;
}
