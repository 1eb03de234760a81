import { attentionSchedule } from '../../compiler/codegen/wasm/attention.ts';
import type { AttentionBackend } from './attention-kernels.ts';
import { instantiateKernels, simdBuilds } from './wasm-instance.ts';

export const wasmAttention: AttentionBackend = {
  name: 'wasm',
  tolerance: 2e-6,
  builds: simdBuilds,
  schedule: attentionSchedule,
  otherSchedule: { queryTile: 16, keyTile: 12, fewQueries: true },
  async run({ kernel, operands, integers, results, items }, build) {
    const { relaxedSimd = false } = simdBuilds.find(({ title }) => title === build) ?? {};
    const instance = await instantiateKernels({ attention: kernel }, { relaxedSimd });
    const placed = operands.map(instance.place);
    return [[], [1, 2, 5], [3]].map((cuts) => {
      const written = results.map((length) => ({ length, address: instance.reserve(length) }));
      instance.run('attention', items, [...placed, ...written.map(({ address }) => address)], integers, cuts);
      const [result = new Float32Array(), logSumExp] = written.map(({ length, address }) => instance.floats(address, length));
      return { result, logSumExp: logSumExp ?? new Float32Array() };
    });
  },
};
