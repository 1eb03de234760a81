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
  flopsPerSecond: 1e11,
  gatheredFlopsPerSecond: 2e10,
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
