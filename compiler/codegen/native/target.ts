import type { NamedKernel, Target, TargetFile } from '../target.ts';
import { int8Rounding, type ActivationType } from './activations.ts';
import { attentionSchedule } from './attention.ts';
import { blockGemmSchedules } from './block-gemm.ts';
import { withLibraries } from './compile-c.ts';
import { gemmSchedule } from './gemm.ts';
import { renderNativeModule } from './module.ts';
import { scratchBytes } from './renderers.ts';
import { scoreKeysSchedule } from './score-keys.ts';

/** Machine code of processors, by way of C that the compiler of this machine builds for several levels of instruction sets. */
export const nativeTarget: Target = {
  name: 'native',
  elementTypes: ['f32', 'i32', 'bool'],
  limits: { memoryBytes: 2 ** 47, lanes: 64 },
  features: [],
  memory: { kind: 'one memory' },
  gemmWeights: { kind: 'panels', width: gemmSchedule.panelWidth },
  gemmSchedule: () => gemmSchedule,
  blockGemmSchedule: () => blockGemmSchedules.f32,
  // One core of an AMD EPYC of family 26 with AVX-512 (272 GFLOP/s of multiply-adds): dense attention at 256 to 2,048 tokens.
  flopsPerSecond: 210e9,
  // What is left of the time of `expand` at 256 and 512 tokens, heads of 32, clusters of 4, after its streamed part: the choice is in it.
  gatheredFlopsPerSecond: 28e9,
  queriesPerChoice: 1,
  refusedModes: {},
  attentionsPerLayer: Infinity,
  attentionSchedule,
  scoreKeysSchedule,
  scratchBytes,
  itemsOf: ({ items }) => items,
  emit: (kernels) => Promise.resolve(emit(kernels)),
  finish: withLibraries,
};

const targets: { readonly [A in ActivationType]: Target } = {
  f32: nativeTarget,
  int8: { ...nativeTarget, rounding: int8Rounding, blockGemmSchedule: () => blockGemmSchedules.int8 },
};
export function nativeTargetWith(activations: ActivationType): Target {
  return targets[activations];
}

function emit(kernels: readonly NamedKernel[]): readonly TargetFile[] {
  return [{ path: 'kernels.c', content: renderNativeModule(kernels) }];
}
