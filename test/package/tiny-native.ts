/** The hand-written packages as machine code too: the same programs, and their kernels in C, compiled for every level by the system's compiler. */
import { compileC } from '../../compiler/codegen/native/compile-c.ts';
import { lanes } from '../../compiler/codegen/native/lanes.ts';
import type { PackageParts, PackageTarget } from '../../compiler/package/write.ts';
import { writePackage } from '../../compiler/package/write.ts';
import { generatorParts, generatorProgram, slowId } from './tiny-generator.ts';
import { tinyParts } from './tiny-package.ts';

const frame = (names: readonly string[], kernels: string): string => `#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define I32(at) ((int32_t *)(base + arguments[at]))
#define U32(at) ((uint32_t *)(base + arguments[at]))
#define F32(at) ((float *)(base + arguments[at]))
${kernels}
struct atpc_kernel { const char *name; void (*run)(const int64_t *arguments, char *base); };
static const struct atpc_kernel atpc_kernels[] = {${names.map((name) => `{"${name}", run_${name}}`).join(', ')}};
${lanes}`;

export const tinyC = frame(
  ['spin', 'sum_rows', 'product'],
  `static void run_spin(const int64_t *arguments, char *base) {
  volatile int32_t *scratch = I32(2);
  for (int64_t item = arguments[0]; item < arguments[1]; item++) {
    for (int32_t left = *I32(3); left > 0; left--) *scratch = left;
    I32(5)[item] = *I32(3);
  }
}
static void run_sum_rows(const int64_t *arguments, char *base) {
  const int64_t seq = arguments[7], width = arguments[8];
  for (int64_t row = arguments[0]; row < arguments[1]; row++)
    for (int64_t column = 0; column < width; column++) {
      float sum = 0;
      for (int64_t token = 0; token < seq; token++)
        sum += (float)I32(4)[row * seq + token] * F32(5)[I32(3)[row * seq + token] * width + column];
      F32(6)[row * width + column] = sum;
    }
}
static void run_product(const int64_t *arguments, char *base) {
  const int64_t n = arguments[6], k = arguments[7];
  for (int64_t row = arguments[0]; row < arguments[1]; row++)
    for (int64_t column = 0; column < n; column++) {
      float sum = 0;
      for (int64_t at = 0; at < k; at++) sum += F32(3)[row * k + at] * F32(4)[(column / 4 * k + at) * 4 + column % 4];
      F32(5)[row * n + column] = sum;
    }
}`,
);

const generatorC = frame(
  ['read', 'wait', 'logits'],
  `static void run_read(const int64_t *arguments, char *base) {
  if (arguments[0] >= arguments[1]) return;
  const int64_t stride = arguments[7], seq = arguments[8];
  for (int64_t at = 0; at < seq; at++) {
    const int64_t position = I32(4)[at];
    const uint32_t before = position == 0 ? 7u : U32(5)[stride * (position - 1)];
    U32(6)[at] = U32(5)[stride * position] = before * 31u + U32(3)[at];
  }
}
static void run_wait(const int64_t *arguments, char *base) {
  volatile int32_t *scratch = I32(2);
  int slow = 0;
  for (int64_t at = 0; at < arguments[5]; at++) slow |= I32(3)[at] == ${slowId};
  if (!slow) return;
  for (int64_t item = arguments[0]; item < arguments[1]; item++)
    for (int64_t left = arguments[4]; left > 0; left--) *scratch = (int32_t)left;
}
static void run_logits(const int64_t *arguments, char *base) {
  const int64_t size = arguments[6];
  for (int64_t row = arguments[0]; row < arguments[1]; row++)
    for (int64_t token = 0; token < size; token++)
      F32(5)[row * size + token] = -0.25f * (float)((U32(3)[row] + (uint32_t)F32(4)[token]) % (uint32_t)size);
}`,
);

export interface TinyNativeChanges {
  readonly text?: string;
  readonly parts?: Partial<PackageParts>;
  /** Of the target, once it is made. */
  readonly target?: (target: PackageTarget) => PackageTarget;
}
/** What the package has for WebAssembly, and the same for native. */
async function withNative(
  parts: PackageParts,
  text: string,
  change: (target: PackageTarget) => PackageTarget,
): Promise<PackageParts> {
  const [wasm] = parts.targets;
  if (wasm === undefined) throw new Error('The package has no target.');
  const { files } = await compileC(text);
  const native = { ...wasm, name: 'native', files: [{ path: 'kernels.c', content: text }, ...files] } as const;
  return { ...parts, targets: [...parts.targets, change(native)] };
}
const unchanged = (target: PackageTarget): PackageTarget => target;

export async function writeTinyNative(
  folder: string,
  { text = tinyC, parts, target = unchanged }: TinyNativeChanges = {},
): ReturnType<typeof writePackage> {
  return writePackage(folder, await withNative(await tinyParts(parts), text, target));
}
export async function writeGeneratorNative(
  folder: string,
  rewinds: boolean,
  { text = generatorC, parts, target = unchanged, rounds }: TinyNativeChanges & { readonly rounds?: number } = {},
): ReturnType<typeof writePackage> {
  return writePackage(
    folder,
    await withNative(await generatorParts(rewinds, parts, generatorProgram(rewinds, rounds)), text, target),
  );
}
