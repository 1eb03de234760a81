/**
 * A program that does nothing but multiply-adds in registers: what a core does of them a second is the limit of every kernel of machine
 * code. Not part of any package.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { commandOutput } from './command-output.ts';
import { compilerOptions, nativeBuilds } from './compile-c.ts';
import { findCCompiler, type CCompiler } from './find-c-compiler.ts';

/**
 * Chains that do not wait for each other: a fused multiply-add takes 4 cycles and two start in each, four on Apple's cores. 12 with the two
 * factors fit into the 16 registers of AVX2, 24 into the 32 of AVX-512 and NEON. Prints GFLOP/s, of the fastest of many short samples:
 * what slows a core, be it another program or its clock, is no property of its limit.
 */
export const multiplyAddProbe = `#include <stdio.h>
#include <time.h>
#if defined(__AVX512F__)
enum { bytes = 64, chains = 24 };
#elif defined(__AVX__)
enum { bytes = 32, chains = 12 };
#elif defined(__aarch64__)
enum { bytes = 16, chains = 24 };
#else
enum { bytes = 16, chains = 12 };
#endif
enum { rounds = 20000, samples = 100 };
typedef float vf __attribute__((vector_size(bytes)));
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}
int main(void) {
  // Every chain goes to term / (1 - factor) = 1 and stays there: no number is denormal, which would be slow. Volatile, so that no compiler
  // knows them.
  volatile float half = 0.5f;
  const vf factor = (vf){0} + half, term = (vf){0} + half;
  vf sums[chains];
  for (int chain = 0; chain < chains; chain++) sums[chain] = factor;
  double least = 1e9;
  for (int sample = 0; sample < samples; sample++) {
    const double began = now();
    for (int round = 0; round < rounds; round++) {
#pragma GCC unroll 32
      for (int chain = 0; chain < chains; chain++) sums[chain] = sums[chain] * factor + term;
      // The sums stay in registers, and no round is left out.
      __asm__ volatile("");
    }
    const double seconds = now() - began;
    if (seconds < least) least = seconds;
  }
  float total = 0;
  for (int chain = 0; chain < chains; chain++) total += sums[chain][0];
  if (total != chains) return 1;
  printf("%.3f\\n", (double)rounds * chains * (bytes / 4) * 2 / least * 1e-9);
  return 0;
}
`;

/** GFLOP/s of one core with the instructions of a build; null without a compiler, and where this machine cannot run them. */
export async function measureMultiplyAdds(features: readonly string[], found?: CCompiler): Promise<number | null> {
  const compiler = found ?? (await findCCompiler());
  if (!compiler?.platform) return null;
  const asked = features.filter((feature) => feature !== compiler.platform);
  const build = nativeBuilds[compiler.platform].find((candidate) => String(candidate.features) === String(asked));
  if (!build) return null;
  const folder = await mkdtemp(path.join(tmpdir(), 'atpc-probe-'));
  try {
    await writeFile(path.join(folder, 'probe.c'), multiplyAddProbe);
    const options = compilerOptions.filter((option) => option !== '-shared');
    const parameters = [...compiler.parameters, ...options, ...build.parameters, '-o', 'probe', 'probe.c'];
    const compiled = await commandOutput(compiler.command, parameters, { cwd: folder, timeout: 30_000 });
    const printed = compiled === null ? null : await commandOutput(path.join(folder, 'probe'), [], { timeout: 30_000 });
    return printed === null ? null : Number(printed);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
