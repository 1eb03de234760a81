import { assembleWat } from '../../compiler/codegen/wasm/assemble.ts';
import { renderKernel, scratchBytes } from '../../compiler/codegen/wasm/renderers.ts';
import { ModuleBuilder } from '../../compiler/codegen/wasm/wat-builder.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { evaluateSize } from '../../ir/size.ts';
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { requires } from '../requirements.ts';
import type { KernelBuild, KernelInstance } from './kernel-instance.ts';

export async function instantiateWat(
  text: string,
  options: { readonly scratchBytes?: number | (() => number); readonly pages?: number; readonly relaxedSimd?: boolean } = {},
): Promise<KernelInstance> {
  const memory = new WebAssembly.Memory({ initial: options.pages ?? 64 });
  const binary = await assembleWat(text, options.relaxedSimd ? { relaxedSimd: true } : {});
  const { instance } = await WebAssembly.instantiate(new Uint8Array(binary), { atpc: { memory } });
  let next = 64;
  const reserve = (bytes: number): number => {
    const address = next;
    // Tensors start at any multiple of 4, as operands with offsets do; 60 bytes between them show writes beyond the end.
    next += Math.ceil(bytes / 4) * 4 + 60;
    if (next > memory.buffer.byteLength) memory.grow(Math.ceil((next - memory.buffer.byteLength) / 65536));
    new Uint8Array(memory.buffer, address, bytes).fill(0x7f);
    return address;
  };
  return {
    place: (values) => {
      const address = reserve(values.byteLength);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      new Uint8Array(memory.buffer, address, bytes.length).set(bytes);
      return address;
    },
    reserve: (count) => reserve(count * 4),
    write: (address, values) => {
      if (values instanceof Int32Array) new Int32Array(memory.buffer, address, values.length).set(values);
      else new Float32Array(memory.buffer, address, values.length).set(values);
    },
    floats: (address, count) => new Float32Array(memory.buffer, address, count).slice(),
    integers: (address, count) => new Int32Array(memory.buffer, address, count).slice(),
    run: (kernel, items, operands, integers, cuts = []) => {
      const exported = instance.exports[kernel];
      if (typeof exported !== 'function') throw new Error(`The module exports no kernel '${kernel}'.`);
      const bounds = [0, ...cuts.filter((cut) => cut > 0 && cut < items), items];
      for (let part = 0; part + 1 < bounds.length; part++) {
        next = Math.ceil(next / 64) * 64;
        const { scratchBytes = 0 } = options;
        const scratch = reserve(typeof scratchBytes === 'number' ? scratchBytes : scratchBytes());
        (exported as (...parameters: unknown[]) => void)(bounds[part], bounds[part + 1], scratch, ...operands, ...integers);
      }
    },
  };
}

/** The builds of one kernel that a test runs: with relaxed SIMD only where the engine has it. */
export const simdBuilds = [
  { title: 'simd128', relaxedSimd: false, skip: () => undefined },
  {
    title: 'relaxed SIMD',
    relaxedSimd: true,
    skip: (context: Mocha.Context) => requires(context, 'relaxed-simd', hasFeature('relaxed-simd')),
  },
] as const;

/** Kernels that share one memory, by name; `run` gives them as much scratch as they ask for. */
export async function instantiateKernels(
  kernels: Readonly<Record<string, Kernel>>,
  options: { readonly relaxedSimd?: boolean } = {},
): Promise<KernelInstance> {
  const module = new ModuleBuilder(options);
  for (const [name, kernel] of Object.entries(kernels)) renderKernel(kernel, { module, name });
  const needs: { bytes: number } = { bytes: 0 };
  const instance = await instantiateWat(module.print(), { ...options, scratchBytes: () => needs.bytes });
  return {
    ...instance,
    run(name, items, operands, integers, cuts) {
      const kernel = kernels[name];
      if (kernel) needs.bytes = evaluateSize(scratchBytes(kernel, integers), {});
      instance.run(name, items, operands, integers, cuts);
    },
  };
}

export const wasmBuilds: readonly KernelBuild[] = simdBuilds.map(({ title, relaxedSimd, skip }) => ({
  title: `wasm, ${title}`,
  skip,
  instantiate: (kernels) => instantiateKernels(kernels, { relaxedSimd }),
}));
