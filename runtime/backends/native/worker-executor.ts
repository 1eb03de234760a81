import type { ExecutorKind, OpenContext } from '../executor.ts';
import type { TargetKernels } from '../worker/protocol.ts';
import { buildsFor, chooseBuild, type NativeBuild } from './builds.ts';
import { NativeExecutor } from './executor.ts';
import { NativeLibrary } from './library.ts';

/** Machine code in a worker, whose lanes are threads of the library's own. */
export const nativeKind: ExecutorKind<'native'> = {
  async open({ program, kernels, team, abortFlag }, { readFile }) {
    const { library, build } = await openLibrary(kernels, readFile);
    const description = build.features.join(', ');
    const abort = abortFlag ?? new Int32Array(1).fill(-1);
    try {
      return NativeExecutor.create(program, library, { lanes: team?.lanes ?? 1, abort, description });
    } catch (error) {
      library.close();
      throw error;
    }
  },
};

/** The library of the highest level that the processor has: the one of the lowest says what that is. */
async function openLibrary(
  kernels: TargetKernels['native'],
  readFile: OpenContext['readFile'],
): Promise<{ readonly library: NativeLibrary; readonly build: NativeBuild }> {
  const open = async ({ file }: NativeBuild): Promise<NativeLibrary> => NativeLibrary.open(await readFile(file), file.path);
  const builds = buildsFor(kernels, `${process.platform}-${process.arch}`);
  const [lowest] = builds;
  const library = await open(lowest);
  let build: NativeBuild;
  try {
    build = chooseBuild(builds, (feature) => library.hasFeature(feature));
    if (build === lowest) return { library, build };
  } catch (error) {
    library.close();
    throw error;
  }
  library.close();
  return { library: await open(build), build };
}
