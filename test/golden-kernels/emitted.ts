/** The WGSL of the programs whose text the files of this folder keep: what a change of the compiler changes in kernels is seen in its diff. */
import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import { goldenPrograms, gpuPrograms } from '../models/gpu-programs.ts';

/** The build that every device runs; the others are in other tests. */
const build = { build: [] } as const;

/** File name -> text. */
export async function emittedKernels(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const name of goldenPrograms) {
    const { kernels } = await (gpuPrograms[name] as (typeof gpuPrograms)[string])();
    const [file] = await webgpuTarget.emit(kernels, build);
    files.set(`${name}.wgsl`, String(file?.content));
  }
  return files;
}
