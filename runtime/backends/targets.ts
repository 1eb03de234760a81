import type { LoadOptions } from '../api.ts';
import type { Manifest, ManifestFile, ManifestTarget, TargetName } from '../format/manifest.ts';
import type { Platform } from '../platform/platform.ts';
import type { Threads } from './backend.ts';
import type { chooseTarget } from './choose-target.ts';
import type { TargetKernels } from './worker/protocol.ts';

/** A target of a package that this host may be able to run. */
export interface UsableTarget {
  readonly target: ManifestTarget;
  readonly threads: Threads;
  /** Files that load reads for it. */
  readonly files: readonly string[];
  /** Files that the worker reads for it. */
  readonly workerFiles: readonly ManifestFile[];
  kernels(fileOf: (path: string) => Uint8Array<ArrayBuffer>): TargetKernels[TargetName];
}
export interface Host {
  readonly platform: Pick<Platform, 'name' | 'availableParallelism'>;
  readonly threads: NonNullable<LoadOptions['threads']>;
}
/** Throws ATPC-501 where the host cannot run the target, and ATPC-502 where its least call does not fit. */
export type UseTarget<Name extends TargetName = TargetName> = (
  manifest: Manifest,
  target: ManifestTarget<Name>,
  host: Host,
) => UsableTarget;

/** The code of a package for its targets; that of others is not in its bundle. */
export interface TargetSupport {
  readonly uses: { readonly [Name in TargetName]?: UseTarget<Name> };
  /** Null in packages for one target. */
  readonly chooseTarget: typeof chooseTarget | null;
}
export function useTarget({ uses }: TargetSupport, manifest: Manifest, target: ManifestTarget, host: Host): UsableTarget {
  const use = uses[target.name] as UseTarget<never> | undefined;
  if (use) return use(manifest, target as never, host);
  throw new RangeError(`The runtime of the package has nothing for ${target.name}.`);
}
