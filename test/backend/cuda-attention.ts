import type { Precision } from '../../compiler/codegen/cuda/precision.ts';
import { cudaTarget } from '../../compiler/codegen/cuda/target.ts';
import type { AttentionKernel } from '../../compiler/kernel/kernel.ts';
import type { AttentionBackend } from './attention-kernels.ts';
import { runOnCuda } from './run-cuda-kernels.ts';

/**
 * Of results against float64, where values are at most 1 and scores a few units: those of sixteen bits are half a unit in the last
 * place of what is multiplied, which a score sums up.
 */
const tolerances: { readonly [P in Precision]: number } = { f32: 5e-6, f16: 4e-3, bf16: 3e-2 };
const otherSchedules: { readonly [P in Precision]: AttentionKernel['schedule'] } = {
  f32: { queryTile: 8, keyTile: 32, threads: 32, fewQueries: false },
  f16: { queryTile: 32, keyTile: 32, threads: 64, fewQueries: false, multiply: 'f16' },
  bf16: { queryTile: 16, keyTile: 32, threads: 64, fewQueries: false, multiply: 'bf16' },
};

export function cudaAttention(precision: Precision): AttentionBackend {
  return {
    name: `cuda, ${precision}`,
    tolerance: tolerances[precision],
    builds: [{ title: precision, skip: () => undefined }],
    schedule: cudaTarget(precision).attentionSchedule,
    otherSchedule: otherSchedules[precision],
    async run({ kernel, operands, integers, results }) {
      const written = results.map((length) => new Float32Array(length).fill(NaN));
      const runs = await runOnCuda({ kernel, reads: operands, written, integers }, 2);
      return runs.map((found) => {
        const [result, logSumExp = new Float32Array()] = found as readonly [Float32Array, Float32Array?];
        return { result, logSumExp };
      });
    },
  };
}
