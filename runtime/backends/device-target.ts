import { AtpcError } from '../errors.ts';
import type { Manifest, ManifestTarget, TargetFeatures, TargetName } from '../format/manifest.ts';
import type { UsableTarget } from './targets.ts';
import type { DeviceBuild } from './worker/protocol.ts';

/** A target of which the worker reads the build that the device, or the processor, takes. Throws ATPC-403 for one that is not listed. */
export function useDevice<Name extends Exclude<TargetName, 'wasm'>>(
  manifest: Manifest,
  target: ManifestTarget<Name>,
): UsableTarget {
  const builds = target.variants.map(({ file: path, features }): DeviceBuild<TargetFeatures[Name]> => {
    const file = manifest.files.find((candidate) => candidate.path === path);
    if (!file) throw new AtpcError('ATPC-403', `manifest.json does not list the file ${path}.`);
    return { file, features };
  });
  return {
    target,
    threads: { used: 1, why: 'the device computes' },
    files: [target.program],
    workerFiles: builds.map(({ file }) => file),
    kernels: () => builds as ReturnType<UsableTarget['kernels']>,
  };
}
