/** The kernels of all small programs for CUDA, each text once: one compilation of all of them has no header twice and no kernel twice. */
import { cudaTarget, precisions, type Precision } from '../../compiler/codegen/cuda/target.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import { gpuProgramsFor } from '../models/gpu-programs.ts';

/** A kernel of a program. */
export interface KernelUse {
  readonly kernel: Kernel;
  readonly precision: Precision;
  /** In words. */
  readonly where: string;
}
export interface DistinctKernel {
  /** Its name in `source`. */
  readonly name: string;
  readonly uses: readonly [KernelUse, ...KernelUse[]];
  /** Its own text, without what all kernels share. */
  readonly text: string;
}
export interface DistinctKernels {
  readonly kernels: readonly DistinctKernel[];
  /** All of them after their header, as one file. */
  readonly source: string;
}

const kernelLine = /^\/\/ === kernel (?=\w+ ===$)/m;
const namespaceName = /^namespace \w+_kernel \{/m;
const entryName = /(__launch_bounds__\([^)]*\)) \w+\(/;
/** A kernel's text with another name; comments before it are dropped. */
const named = (text: string, name: string): string =>
  text.slice(text.search(namespaceName)).replace(namespaceName, `namespace ${name}_kernel {`).replace(entryName, `$1 ${name}(`);

export async function distinctKernels(): Promise<DistinctKernels> {
  const found = new Map<string, [KernelUse, ...KernelUse[]]>();
  const headers = new Set<string>();
  for (const precision of precisions) {
    const target = cudaTarget(precision);
    for (const [program, make] of Object.entries(gpuProgramsFor(target))) {
      const { kernels } = await make();
      const [file] = await target.emit(kernels);
      const [header = '', ...texts] = String(file?.content).split(kernelLine);
      headers.add(header.replace(/^\/\/.*\n/, ''));
      for (const [index, { name, kernel }] of kernels.entries()) {
        const text = named(texts[index] ?? '', 'kernel');
        const use = { kernel, precision, where: `${name} of ${program}, ${precision}` };
        const known = found.get(text);
        if (known) known.push(use);
        else found.set(text, [use]);
      }
    }
  }
  const [header, ...others] = headers;
  if (header === undefined || others.length > 0) throw new Error('Programs do not share the text before their kernels.');
  const kernels = [...found].map(([text, uses], index): DistinctKernel => {
    const name = `kernel_${index}`;
    return { name, uses, text: named(text, name) };
  });
  return { kernels, source: [header, ...kernels.map(({ text }) => text)].join('\n') };
}
