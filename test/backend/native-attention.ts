import { attentionSchedule } from '../../compiler/codegen/native/attention.ts';
import type { AttentionBackend } from './attention-kernels.ts';
import { requiresTime } from '../requirements.ts';
import { highestKernelBuild, nativeKernelBuilds } from './native-instance.ts';

/** Every case is a C file of its own, half a second of a compiler: without time for more, those of the highest level. */
const builds = [
  highestKernelBuild,
  ...nativeKernelBuilds
    .filter((build) => build !== highestKernelBuild)
    .map((build) => ({
      ...build,
      skip(context: Mocha.Context): void {
        build.skip(context);
        requiresTime(context);
      },
    })),
];

export const nativeAttention: AttentionBackend = {
  name: 'native',
  tolerance: 2e-6,
  builds,
  schedule: attentionSchedule,
  otherSchedule: { queryTile: 16, keyTile: 12, fewQueries: true },
  async run({ kernel, operands, integers, results, items }, build) {
    const found = builds.find(({ title }) => title === build);
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
