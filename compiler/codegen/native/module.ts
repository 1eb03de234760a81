import type { NamedKernel } from '../target.ts';
import { functionName, kernelFunction, withUses } from './kernel-text.ts';
import { lanes } from './lanes.ts';
import { math } from './math.ts';
import { prelude } from './prelude.ts';
import { renderKernel } from './renderers.ts';

const header = `/*
 * Kernels for processors, as C11 with the vector extensions of GCC and Clang. One text serves every level of instruction sets. All
 * tensors lie in one memory; a kernel is called with the items that it computes, a place for its scratch, the places of its operands
 * (bytes from the base) and integers.
 */`;

/** One C file with a function for each kernel, and the table by which they are found. */
export function renderNativeModule(kernels: readonly NamedKernel[]): string {
  const rendered = kernels.map(({ name, kernel }) => ({ name, kernel: renderKernel(kernel) }));
  const shared = withUses(rendered.flatMap(({ kernel }) => kernel.uses ?? []));
  return `${[
    header,
    prelude.trimEnd(),
    math.trimEnd(),
    ...shared.map(({ text }) => text.trim()),
    ...rendered.map(({ name, kernel }) => kernelFunction(name, kernel)),
    kernelTable(kernels.map(({ name }) => name)),
    lanes.trimEnd(),
  ].join('\n\n')}\n`;
}

/** lanes.ts finds kernels by it. */
function kernelTable(names: readonly string[]): string {
  return `// === table ===
struct atpc_kernel {
  const char *name;
  void (*run)(const i64 *arguments, char *base);
};
static const struct atpc_kernel atpc_kernels[] = {
${names.map((name) => `  {"${name}", ${functionName(name)}},`).join('\n')}
};`;
}
