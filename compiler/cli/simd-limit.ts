/** What one core does at most, measured: the yardstick for kernels. */
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import type { TargetName } from '../../runtime/format/manifest.ts';
import { measureMultiplyAdds } from '../codegen/native/multiply-add-probe.ts';
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

async function measureSimdLimit(): Promise<SimdLimit> {
  return { plain: await fastest(false), relaxed: hasFeature('relaxed-simd') ? await fastest(true) : null };
}

/** Of the library of a package for native that the processor takes. */
export interface NativeLimit {
  /** GFLOP/s of one core with its instructions. */
  readonly native: number;
  /** The system and the level that it is for. */
  readonly build: string;
}
export type CoreLimit = SimdLimit | NativeLimit;

/**
 * What a core does at most where this processor computes; null where a device does, and for native where there is no C compiler to
 * measure with. `device` is that of the model.
 */
export async function measureCoreLimit(target: TargetName, device: string | null): Promise<CoreLimit | null> {
  if (target === 'wasm') return measureSimdLimit();
  if (target !== 'native' || device === null) return null;
  const native = await measureMultiplyAdds(device.split(', '));
  return native === null ? null : { native, build: device };
}

/** The limit of the build that runs: packages for WebAssembly hold one for relaxed SIMD. */
export const limitOfBuild = (limit: CoreLimit): number => ('native' in limit ? limit.native : (limit.relaxed ?? limit.plain));

/** A sentence for people. */
export function limitText(limit: CoreLimit): string {
  const rate = (gflops: number): string => gflops.toFixed(1);
  if ('native' in limit) return `${rate(limit.native)} GFLOP/s of multiply-adds (${limit.build})`;
  const { plain, relaxed } = limit;
  return `${rate(plain)} GFLOP/s of multiplies and adds, ${relaxed === null ? 'no fused ones here' : `${rate(relaxed)} fused`}`;
}
