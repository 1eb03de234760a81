/** How near products and attention come to what a core does at most, by `atpc bench --profile`. */
import type { BenchReport } from '../compiler/cli/bench-command.ts';
import { limitOfBuild, type SimdLimit } from '../compiler/cli/simd-limit.ts';
import { atpc, miniLmPackage, wideHeadsPackage } from './model-files.ts';

export interface KernelRate {
  readonly headSize: number;
  readonly tokens: number;
  readonly threads: number;
  readonly kind: 'gemm' | 'attention';
  /** FLOPs of all kernels of the kind by their time, of all threads together. */
  readonly gflopsPerSecond: number;
  /** Of all kernels of the kind together, and of the slowest of them. */
  readonly shareOfLimit: number;
  readonly leastShareOfLimit: number;
}
export interface KernelRates {
  /** As measured before each of the profiles. */
  readonly limits: readonly SimdLimit[];
  readonly rates: readonly KernelRate[];
}

const models = [
  { headSize: 32, compile: miniLmPackage },
  { headSize: 64, compile: wideHeadsPackage },
] as const;

function ratesOf(report: BenchReport, headSize: number): readonly KernelRate[] {
  const { simdLimit, results, threads } = report;
  if (simdLimit === undefined) throw new Error('The report of atpc bench has no SIMD limit.');
  const limit = limitOfBuild(simdLimit) * threads.used;
  return results.flatMap(({ tokens, profile = [] }) =>
    (['gemm', 'attention'] as const).map((kind) => {
      const own = profile.filter((kernel) => kernel.kind === kind);
      const flops = own.reduce((sum, kernel) => sum + (kernel.flops ?? NaN), 0);
      const milliseconds = own.reduce((sum, kernel) => sum + kernel.milliseconds, 0);
      const gflopsPerSecond = flops / milliseconds / 1e6;
      return {
        ...{ headSize, tokens: tokens ?? NaN, threads: threads.used, kind, gflopsPerSecond },
        shareOfLimit: gflopsPerSecond / limit,
        leastShareOfLimit: Math.min(...own.map(({ shareOfLimit }) => shareOfLimit ?? NaN)),
      };
    }),
  );
}

/** Batch 1. */
export async function measureKernelRates(
  tokens: readonly number[],
  threads: readonly number[],
  progress: (text: string) => void,
): Promise<KernelRates> {
  const limits: SimdLimit[] = [];
  const rates: KernelRate[] = [];
  for (const { headSize, compile } of models) {
    const folder = await compile();
    for (const count of threads) {
      progress(`profiling: heads of ${headSize}, ${count} threads`);
      const lengths = tokens.join(',');
      const args = ['bench', folder, '--tokens', lengths, '--threads', String(count), '--runs', '10', '--profile', '--json'];
      const report = JSON.parse(await atpc(args, 'Profiling the kernels')) as BenchReport;
      if (report.simdLimit && 'plain' in report.simdLimit) limits.push(report.simdLimit);
      rates.push(...ratesOf(report, headSize));
    }
  }
  return { limits, rates };
}
