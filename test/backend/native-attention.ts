import { attentionSchedule } from '../../compiler/codegen/native/attention.ts';
import type { AttentionBackend } from './attention-kernels.ts';
import { nativeKernelBuilds } from './native-instance.ts';

export const nativeAttention: AttentionBackend = {
  name: 'native',
  tolerance: 2e-6,
  builds: nativeKernelBuilds,
  schedule: attentionSchedule,
  otherSchedule: { queryTile: 16, keyTile: 12, fewQueries: true },
  async run({ kernel, operands, integers, results, items }, build) {
    const found = nativeKernelBuilds.find(({ title }) => title === build) ?? nativeKernelBuilds.at(-1);
    if (found === undefined) throw new RangeError(`There is no build '${build}'.`);
    const instance = await found.instantiate({ attention: kernel });
    const placed = operands.map(instance.place);
    return [[], [1, 2, 5], [3]].map((cuts) => {
      const written = results.map((length) => ({ length, address: instance.reserve(length) }));
      instance.run('attention', items, [...placed, ...written.map(({ address }) => address)], integers, cuts);
      const [result = new Float32Array(), logSumExp] = written.map(({ length, address }) => instance.floats(address, length));
      return { result, logSumExp: logSumExp ?? new Float32Array() };
    });
  },
};
