/** How near products and attention come to what a core does at most, by `atpc bench --profile`. */
import type { BenchReport } from '../compiler/cli/bench-command.ts';
import { limitOfBuild, type CoreLimit } from '../compiler/cli/simd-limit.ts';
import { atpc, miniLmPackage, wideHeadsPackage } from './model-files.ts';

const backends = ['wasm', 'native'] as const;
export interface KernelRate {
  readonly backend: (typeof backends)[number];
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
  readonly limits: readonly CoreLimit[];
  readonly rates: readonly KernelRate[];
}

const models = [
  { headSize: 32, compile: miniLmPackage },
  { headSize: 64, compile: wideHeadsPackage },
] as const;

/** Held against the limit as it was measured beside them, which is given too. */
function ratesOf(
  report: BenchReport,
  backend: KernelRate['backend'],
  headSize: number,
): readonly (KernelRate & { readonly limit: number })[] {
  const { simdLimit, results, threads } = report;
  if (simdLimit === undefined) throw new Error('The report of atpc bench has no SIMD limit.');
  const limit = limitOfBuild(simdLimit);
  return results.flatMap(({ tokens, profile = [] }) =>
    (['gemm', 'attention'] as const).map((kind) => {
      const own = profile.filter((kernel) => kernel.kind === kind);
      const flops = own.reduce((sum, kernel) => sum + (kernel.flops ?? NaN), 0);
      const milliseconds = own.reduce((sum, kernel) => sum + kernel.milliseconds, 0);
      const gflopsPerSecond = flops / milliseconds / 1e6;
      return {
        ...{ backend, headSize, tokens: tokens ?? NaN, threads: threads.used, kind, gflopsPerSecond },
        limit,
        shareOfLimit: gflopsPerSecond / (limit * threads.used),
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
  const limits: CoreLimit[] = [];
  const rates: (KernelRate & { readonly limit: number })[] = [];
  for (const { headSize, compile } of models) {
    const folder = await compile();
    for (const backend of backends) {
      for (const count of threads) {
        progress(`profiling: ${backend}, heads of ${headSize}, ${count} threads`);
        const lengths = tokens.join(',');
        const args = ['bench', folder, '--backend', backend, '--tokens', lengths, '--threads', String(count)];
        const json = await atpc([...args, '--runs', '10', '--profile', '--json'], 'Profiling the kernels');
        const report = JSON.parse(json) as BenchReport;
        if (report.simdLimit) limits.push(report.simdLimit);
        rates.push(...ratesOf(report, backend, headSize));
      }
    }
  }
  // A limit that another program disturbed is too low: the fastest of a backend counts for all of it.
  const most = (backend: KernelRate['backend']): number =>
    Math.max(...limits.flatMap((limit) => ('native' in limit === (backend === 'native') ? [limitOfBuild(limit)] : [])));
  return {
    limits,
    rates: rates.map(({ limit, ...rate }) => {
      const share = limit / most(rate.backend);
      return { ...rate, shareOfLimit: rate.shareOfLimit * share, leastShareOfLimit: rate.leastShareOfLimit * share };
    }),
  };
}
