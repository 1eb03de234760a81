/** What one core does at most, measured: the yardstick for kernels. */
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { flopsARound, multiplyAddProbe } from '../codegen/wasm/multiply-add-probe.ts';

export interface SimdLimit {
  /** GFLOP/s of one core with separate multiplies and adds. */
  readonly plain: number;
  /** The same fused; null where the engine has no relaxed SIMD. */
  readonly relaxed: number | null;
}

const sampleRounds = 10_000;
const samples = 100;

/** The fastest of many short runs: what slows a core, be it another program or its clock, is no property of its limit. */
async function fastest(relaxedSimd: boolean): Promise<number> {
  const probe = await multiplyAddProbe(relaxedSimd);
  let least = Infinity;
  for (let sample = 0; sample < samples; sample += 1) {
    const began = performance.now();
    probe.run(sampleRounds);
    least = Math.min(least, performance.now() - began);
  }
  return (flopsARound * sampleRounds) / least / 1e6;
}

export async function measureSimdLimit(): Promise<SimdLimit> {
  return { plain: await fastest(false), relaxed: hasFeature('relaxed-simd') ? await fastest(true) : null };
}

/** The limit of the build that this engine takes: packages hold one for relaxed SIMD. */
export const limitOfBuild = ({ plain, relaxed }: SimdLimit): number => relaxed ?? plain;
