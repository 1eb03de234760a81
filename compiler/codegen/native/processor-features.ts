/** What this processor has of what builds need, asked by the code that packages ask it with. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { commandOutput } from './command-output.ts';
import { nativeBuilds } from './compile-c.ts';
import type { CCompiler } from './find-c-compiler.ts';

/** Defines `atpc_has_feature(name)`: whether the processor, and its system, has a feature of the manifest. */
export const hasFeature = `// Whether this processor, and its system, has what a build needs, by the names of the manifest. Built for every processor.
#if defined(__x86_64__)
#include <cpuid.h>
__attribute__((target("arch=x86-64")))
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
ATPC_EXPORT int32_t atpc_has_feature(const char *name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const int v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("popcnt");
  const int v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                 __builtin_cpu_supports("bmi2");
  const int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (strcmp(name, "x86-64-v2") == 0) return v2;
  if (strcmp(name, "x86-64-v3") == 0) return v3;
  if (strcmp(name, "avx-vnni") == 0) {
    // Not every Clang has a name for it.
    unsigned int eax, ebx, ecx, edx;
    return v3 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1) != 0;
  }
  if (strcmp(name, "x86-64-v4") == 0) return v4;
  if (strcmp(name, "avx512-vnni") == 0) return v4 && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__) && defined(__linux__)
  // HWCAP_ASIMDDP of asm/hwcap.h.
  if (strcmp(name, "arm-dotprod") == 0) return (getauxval(AT_HWCAP) >> 20 & 1) != 0;
#endif
  (void)name;
  return 0;
}
`;

/** Null where the compiler makes no program that runs here. */
export async function featuresOfProcessor({ command, parameters, platform }: CCompiler): Promise<readonly string[] | null> {
  if (platform === null) return null;
  const names = [...new Set(nativeBuilds[platform].flatMap(({ features }) => features))];
  const lines = names.map((name) => `  if (atpc_has_feature("${name}")) puts("${name}");`);
  const head = '#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n#define ATPC_EXPORT static';
  const folder = await mkdtemp(path.join(tmpdir(), 'atpc-features-'));
  try {
    await writeFile(
      path.join(folder, 'features.c'),
      `${head}\n${hasFeature}int main(void) {\n${lines.join('\n')}\n  return 0;\n}\n`,
    );
    const compiled = await commandOutput(command, [...parameters, '-o', 'features', 'features.c'], { cwd: folder });
    const printed = compiled === null ? null : await commandOutput(path.join(folder, 'features'), []);
    return printed === null ? null : printed.split(/\r?\n/).filter((line) => line !== '');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
