import type { NativeBuild } from '../../compiler/codegen/native/compile-c.ts';
import { renderNativeModule } from '../../compiler/codegen/native/module.ts';
import { scratchBytes } from '../../compiler/codegen/native/renderers.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { evaluateSize } from '../../ir/size.ts';
import type { KernelBuild, KernelInstance } from './kernel-instance.ts';
import { loadKernels, skipWithoutNative, testedBuilds, titleOf } from './native-library.ts';

/** Kernels as one library of a build, over a memory of JavaScript's. */
export function instantiateNative(kernels: Readonly<Record<string, Kernel>>, build: NativeBuild): KernelInstance {
  const names = Object.keys(kernels);
  const text = renderNativeModule(Object.entries(kernels).map(([name, kernel]) => ({ name, kernel })));
  const call = loadKernels(text, build);
  let memory = new Uint8Array(4 * 2 ** 20);
  let next = 64;
  const reserve = (bytes: number): number => {
    const address = next;
    // Tensors start at any multiple of 4, as operands with offsets do; 60 bytes between them show writes beyond the end.
    next += Math.ceil(bytes / 4) * 4 + 60;
    if (next > memory.length) {
      const larger = new Uint8Array(2 * next);
      larger.set(memory);
      memory = larger;
    }
    memory.fill(0x7f, address, address + bytes);
    return address;
  };
  return {
    place(values) {
      const address = reserve(values.byteLength);
      memory.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), address);
      return address;
    },
    reserve: (count) => reserve(count * 4),
    write: (address, values) => memory.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), address),
    floats: (address, count) => new Float32Array(memory.buffer, address, count).slice(),
    integers: (address, count) => new Int32Array(memory.buffer, address, count).slice(),
    run(name, items, operands, integers, cuts = []) {
      const kernel = kernels[name];
      if (kernel === undefined) throw new RangeError(`There is no kernel '${name}'.`);
      const bounds = [0, ...cuts.filter((cut) => cut > 0 && cut < items), items];
      for (let part = 0; part + 1 < bounds.length; part += 1) {
        next = Math.ceil(next / 64) * 64;
        const scratch = reserve(evaluateSize(scratchBytes(kernel, integers), {}));
        const parameters = [bounds[part] ?? 0, bounds[part + 1] ?? 0, scratch, ...operands, ...integers];
        call(names.indexOf(name), BigInt64Array.from(parameters, BigInt), memory);
      }
    },
  };
}

export const nativeKernelBuilds: readonly KernelBuild[] = testedBuilds.map((build) => ({
  title: `native, ${titleOf(build)}`,
  skip: skipWithoutNative,
  instantiate: (kernels) => Promise.resolve(instantiateNative(kernels, build)),
}));
/** Of the highest level that this machine has. */
export const highestKernelBuild = nativeKernelBuilds.at(-1) as KernelBuild;
