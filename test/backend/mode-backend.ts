import type { AttentionBackend } from './attention-kernels.ts';
import type { KernelBuild } from './kernel-instance.ts';
import type { ModeBackend } from './mode-kernels.ts';

/** `build` runs the kernels beside attention. */
export function modesOf(name: string, attention: AttentionBackend, { instantiate }: KernelBuild): ModeBackend {
  return {
    name,
    tolerance: 1e-6,
    attention,
    async run(kernel, inputs, results, integers, items) {
      const instance = await instantiate({ kernel });
      const placed = inputs.map(instance.place);
      return [[], [1, 4], [2]].map((cuts) => {
        const addresses = results.map(({ length }) => instance.reserve(length));
        instance.run('kernel', items, [...placed, ...addresses], integers, cuts);
        return results.map((of, index) => {
          const address = addresses[index] ?? NaN;
          return of instanceof Int32Array ? instance.integers(address, of.length) : instance.floats(address, of.length);
        });
      });
    },
  };
}
