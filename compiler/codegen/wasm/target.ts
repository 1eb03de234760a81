import type { EmitOptions, NamedKernel, Target, TargetFile } from '../target.ts';
import { assembleForms } from './assemble.ts';
import { attentionSchedule } from './attention.ts';
import { blockGemmSchedule } from './block-gemm.ts';
import { gemmSchedule } from './gemm.ts';
import { renderWasmModule } from './module.ts';
import { scratchBytes } from './renderers.ts';
import { scoreKeysSchedule } from './score-keys.ts';

/**
 * WebAssembly with 128-bit SIMD: runs in Node and in every browser since 2023. Beside the plain module, which the text shows,
 * there are builds for threads (the same code over a shared memory) and for relaxed SIMD (fused multiply-adds).
 */
export const wasmTarget: Target = {
  name: 'wasm',
  elementTypes: ['f32', 'i32', 'bool'],
  limits: { memoryBytes: 4 * 2 ** 30, lanes: 4 },
  features: ['simd128'],
  memory: { kind: 'one memory' },
  gemmWeights: { kind: 'panels', width: gemmSchedule.panelWidth },
  gemmSchedule: () => gemmSchedule,
  blockGemmSchedule: () => blockGemmSchedule,
  // One core of a Xeon server (2025), Node 20: gemm 512 x 1536 x 384 and dense attention at 256 to 4,096 tokens.
  flopsPerSecond: 37e9,
  // What is left of the time of `expand` at 256 and 512 tokens, heads of 32, after its streamed part: the choice is in it.
  gatheredFlopsPerSecond: 7e9,
  queriesPerChoice: 1,
  refusedModes: {},
  attentionsPerLayer: Infinity,
  attentionSchedule,
  scoreKeysSchedule,
  scratchBytes,
  itemsOf: ({ items }) => items,
  emit,
};

const builds = [
  { path: 'kernels.wasm', relaxedSimd: false, memory: 'own', features: ['simd128'] },
  { path: 'kernels-threads.wasm', relaxedSimd: false, memory: 'shared', features: ['simd128', 'threads'] },
  { path: 'kernels-relaxed.wasm', relaxedSimd: true, memory: 'own', features: ['simd128', 'relaxed-simd'] },
  { path: 'kernels-relaxed-threads.wasm', relaxedSimd: true, memory: 'shared', features: ['simd128', 'threads', 'relaxed-simd'] },
] as const;

async function emit(kernels: readonly NamedKernel[], { build }: EmitOptions = {}): Promise<readonly TargetFile[]> {
  const wanted = builds.filter(({ features }) => build === undefined || String(features) === String(build));
  const sets = await Promise.all(
    [false, true].map(async (relaxedSimd): Promise<readonly TargetFile[]> => {
      const own = wanted.filter((each) => each.relaxedSimd === relaxedSimd);
      if (own.length === 0) return [];
      const text = renderWasmModule(kernels, { relaxedSimd });
      const forms = await assembleForms(text, { relaxedSimd });
      const binaries = own.map(({ path, memory, features }) => ({ path, content: forms[memory], features }));
      // One text is enough to read: the builds differ in the rounding of sums and in the sizes of tiles.
      return relaxedSimd && build === undefined ? binaries : [{ path: 'kernels.wat', content: text }, ...binaries];
    }),
  );
  return sets.flat();
}
