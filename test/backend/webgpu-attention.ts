import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import type { AttentionBackend } from './attention-kernels.ts';
import { runOnDevice } from './webgpu-kernels.ts';

export const webgpuAttention: AttentionBackend = {
  name: 'webgpu',
  // WGSL's exp is good to 3 + 2 |x| units in the last place (WGSL, section 15.7.4.1).
  tolerance: 5e-6,
  builds: [{ title: 'plain', skip: () => undefined }],
  schedule: webgpuTarget.attentionSchedule,
  otherSchedule: { queryTile: 8, keyTile: 32, threads: 32, fewQueries: false },
  async run({ kernel, operands, integers, results }) {
    const written = results.map((length) => new Float32Array(length).fill(NaN));
    const once = async (vectors: boolean) => {
      const found = await runOnDevice(kernel, [...operands, ...written], written.length, integers, { vectors });
      const [result, logSumExp = new Float32Array()] = found as [Float32Array, Float32Array?];
      return { result, logSumExp };
    };
    return [await once(true), await once(true)];
  },
};
