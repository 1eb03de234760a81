import type { ExecutorKind } from '../executor.ts';
import { askedOf, buildsFor, chooseBuild, type NativeBuild } from './builds.ts';
import { NativeExecutor } from './executor.ts';
import { NativeLibrary } from './library.ts';

/**
 * Machine code in a worker, whose lanes are threads of the library's own. The library of the highest level that the processor has is taken:
 * the one of the lowest says what that is.
 */
export const nativeKind: ExecutorKind<'native'> = {
  async open({ program, kernels, team, abortFlag }, { readFile, pending }) {
    const builds = buildsFor(kernels, `${process.platform}-${process.arch}`);
    const [lowest] = builds;
    const options = { lanes: team?.lanes ?? 1, abort: abortFlag ?? new Int32Array(1).fill(-1), pending };
    const create = (bytes: Uint8Array, { file, features }: NativeBuild): Promise<NativeExecutor> =>
      pending.track(async () =>
        withLibrary(bytes, file.path, (library) =>
          NativeExecutor.create(program, library, { ...options, description: features.join(', ') }),
        ),
      );
    const bytes = await readFile(lowest.file);
    if (askedOf(lowest).length === 0) return create(bytes, lowest);
    const build = await pending.track(async () =>
      withLibrary(bytes, lowest.file.path, (library) => {
        const chosen = chooseBuild(builds, (feature) => library.hasFeature(feature));
        library.close();
        return chosen;
      }),
    );
    return create(build === lowest ? bytes : await readFile(build.file), build);
  },
};

/** Closes the library where the work fails. */
function withLibrary<T>(bytes: Uint8Array, name: string, work: (library: NativeLibrary) => T): T {
  const library = NativeLibrary.open(bytes, name);
  try {
    return work(library);
  } catch (error) {
    library.close();
    throw error;
  }
}
