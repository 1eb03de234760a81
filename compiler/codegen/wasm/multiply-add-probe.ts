/**
 * A kernel that does nothing but multiply-adds in registers: what a core does of them a second is the limit of every kernel
 * in WebAssembly SIMD. Not part of any package.
 */
import { assembleWat } from './assemble.ts';
import { ModuleBuilder } from './wat-builder.ts';
import { f32x4, v128, type V128 } from './wat-code.ts';

/**
 * Chains that do not wait for each other. A multiply and an add take up to 8 cycles together and start at most two a cycle;
 * with the two factors, 12 fit into the 16 registers of x86. More than 12 gave no more (AMD EPYC of family 26, Node 24: 34, 45,
 * 57 and 68 GFLOP/s with 6, 8, 10 and 12 chains, plain; 51, 68 and 68 with 6, 8 and 12, fused).
 */
const chains = 12;
const stepsARound = 4;
const kernelName = 'multiply_adds';
const vectorBytes = 16;

export const flopsARound = chains * stepsARound * 4 * 2;

export interface MultiplyAddProbe {
  /** Runs `rounds` rounds of `flopsARound` FLOPs each. */
  run(rounds: number): void;
  /** The four lanes of every chain, which are finite however long it ran. */
  sums(): Float32Array;
}

/** The text of the probe's module: sum = sum * factor + term for every chain, in turns. */
export function renderMultiplyAddProbe(relaxedSimd: boolean): string {
  const module = new ModuleBuilder({ relaxedSimd });
  module.kernel(kernelName, { operands: ['values'], integers: ['rounds'] }, (f, { operand, integer }) => {
    const values = operand('values');
    // From memory, so that no engine knows them, and multiplied into each sum, so that none computes a product just once.
    const at = (index: number): V128 => v128.load(values, index * vectorBytes);
    const [factor, term] = [f.let('factor', at(0)), f.let('term', at(1))];
    const sums = Array.from({ length: chains }, (_, chain) => f.let(`sum_${chain}`, at(2 + chain)));
    const round = f.local('round', 'i32');
    f.for(round, 0, integer('rounds'), 1, () => {
      for (let step = 0; step < stepsARound; step += 1) {
        for (const sum of sums) f.set(sum, f32x4.multiplyAdd(sum, factor, term));
      }
    });
    sums.forEach((sum, chain) => f.store(values, sum, (2 + chain) * vectorBytes));
  });
  return module.print();
}

export async function multiplyAddProbe(relaxedSimd: boolean): Promise<MultiplyAddProbe> {
  const binary = await assembleWat(renderMultiplyAddProbe(relaxedSimd), { relaxedSimd });
  const memory = new WebAssembly.Memory({ initial: 1 });
  // Every chain goes to term / (1 - factor) = 1 and stays there: no number is denormal, which would be slow.
  const values = new Float32Array(memory.buffer, 0, (2 + chains) * 4).fill(0.5);
  const { instance } = await WebAssembly.instantiate(new Uint8Array(binary), { atpc: { memory } });
  const kernel = instance.exports[kernelName] as (...parameters: readonly number[]) => void;
  return {
    run: (rounds) => kernel(0, 1, 0, 0, rounds),
    sums: () => values.slice(8),
  };
}
