import type { ElementType } from '../../ir/element-type.ts';
import type { Size } from '../../ir/size.ts';
import type { AttentionKernel, BlockGemmKernel, GemmKernel, Kernel, ScoreKeysKernel } from '../kernel/kernel.ts';

export interface NamedKernel {
  readonly name: string;
  readonly kernel: Kernel;
}
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
/** What a target is, as data, and the one function that emits its kernels. A target is a row in `targets.ts`. */
export interface Target {
  readonly name: string;
  readonly elementTypes: readonly ElementType[];
  readonly limits: { readonly memoryBytes: number; readonly lanes: number };
  readonly features: readonly string[];
  readonly gemmSchedule: GemmKernel['schedule'];
  readonly blockGemmSchedule: BlockGemmKernel['schedule'];
  /** FLOPs a second of one core on tiled kernels, for the cost model; measured, see docs/results.md. */
  readonly flopsPerSecond: number;
  /** The same where a kernel reads scattered keys one query at a time. */
  readonly gatheredFlopsPerSecond: number;
  /**
   * Consecutive queries of a head that choose the keys they read together, where nothing is causal: the queries of a workgroup. 1 where
   * each chooses for itself, which reads fewer keys but scattered ones.
   */
  readonly queriesPerChoice: number;
  /** `decodes`: the kernel also runs for single tokens. */
  attentionSchedule(headSize: number, valueSize: number, decodes?: boolean): AttentionKernel['schedule'];
  scoreKeysSchedule(headSize: number): ScoreKeysKernel['schedule'];
  /** Scratch bytes that one lane needs for a dispatch of this kernel with these integers (in the order of kernel.ts). */
  scratchBytes(kernel: Kernel, integers: readonly Size[]): Size;
  /** Kernel files, relative to `kernels/NAME/`; deterministic. Files with `features` are builds of the same kernels. */
  emit(kernels: readonly NamedKernel[], options?: EmitOptions): Promise<readonly TargetFile[]>;
}
