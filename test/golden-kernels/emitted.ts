/** The kernels of the programs whose text the files of this folder keep: what a change of the compiler changes in kernels is seen in its diff. */
import { cudaTarget } from '../../compiler/codegen/cuda/target.ts';
import { nativeTarget } from '../../compiler/codegen/native/target.ts';
import type { Target } from '../../compiler/codegen/target.ts';
import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import { goldenPrograms, gpuProgramsFor } from '../models/gpu-programs.ts';

type GoldenProgram = (typeof goldenPrograms)[number];
/** Of WGSL the build that every device runs; the others are in other tests. CUDA's kernels do not depend on a device, and some on the precision. */
const goldenFiles: Readonly<
  Record<
    'wgsl' | 'cu' | 'c',
    readonly { readonly suffix: string; readonly target: Target; readonly programs: readonly GoldenProgram[] }[]
  >
> = {
  wgsl: [{ suffix: '', target: webgpuTarget, programs: goldenPrograms }],
  cu: [
    { suffix: '', target: cudaTarget('f32'), programs: goldenPrograms },
    { suffix: '-f16', target: cudaTarget('f16'), programs: ['bert-dense', 'bert-expand', 'llama-hybrid'] },
  ],
  c: [{ suffix: '', target: nativeTarget, programs: goldenPrograms }],
};
export const goldenLanguages = Object.keys(goldenFiles) as readonly (keyof typeof goldenFiles)[];

/** File name -> text. */
export async function emittedKernels(language: keyof typeof goldenFiles): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const { suffix, target, programs } of goldenFiles[language]) {
    const made = gpuProgramsFor(target);
    for (const name of programs) {
      const { kernels } = await (made[name] as (typeof made)[string])();
      const [file] = await target.emit(kernels, { build: [] });
      files.set(`${name}${suffix}.${language}`, String(file?.content));
    }
  }
  return files;
}
