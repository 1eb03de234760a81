import type { LoadOptions } from '../api.ts';
import { AtpcError } from '../errors.ts';
import { evaluateExpression } from '../format/expression.ts';
import type { Manifest, ManifestFile, ManifestTarget, TargetName } from '../format/manifest.ts';
import type { Platform } from '../platform/platform.ts';
import type { Threads } from './backend.ts';
import { chooseVariant } from './wasm/feature-probe.ts';
import { wasmMaximumBytes } from './wasm/layout.ts';
import { withOwnMemory } from './wasm/own-memory.ts';
import { chooseThreads } from './wasm/threads.ts';
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
  readonly platform: Pick<Platform, 'availableParallelism'>;
  readonly threads: NonNullable<LoadOptions['threads']>;
}

const uses: { readonly [Name in TargetName]: (manifest: Manifest, target: ManifestTarget<Name>, host: Host) => UsableTarget } = {
  wasm: (manifest, target, { platform, threads: asked }) => {
    checkLeastMemory(manifest, target);
    const threads = chooseThreads(asked, platform, target.variants);
    const { file, features } = chooseVariant(target.variants, threads.used > 1);
    return {
      target,
      threads,
      files: [target.program, file],
      workerFiles: [],
      kernels: (fileOf) => (features.includes('threads') ? fileOf(file) : withOwnMemory(fileOf(file))),
    };
  },
  // What the adapter has is for the worker to find out.
  webgpu: (manifest, target) => {
    const builds = target.variants.map(({ file: path, features }) => {
      const file = manifest.files.find((candidate) => candidate.path === path);
      if (!file) throw new AtpcError('ATPC-403', `manifest.json does not list the file ${path}.`);
      return { file, features };
    });
    return {
      target,
      threads: { used: 1, why: 'the device computes' },
      files: [target.program],
      workerFiles: builds.map(({ file }) => file),
      kernels: () => builds,
    };
  },
};

/** Throws ATPC-501 where the host cannot run the target, and ATPC-502 where its least call does not fit. */
export function useTarget(manifest: Manifest, target: ManifestTarget, host: Host): UsableTarget {
  const use: (manifest: Manifest, target: never, host: Host) => UsableTarget = uses[target.name];
  return use(manifest, target as never, host);
}

/** Refuses a package whose smallest call does not fit, before any weight is read. */
function checkLeastMemory(manifest: Manifest, { memory }: ManifestTarget): void {
  const least = Object.fromEntries(manifest.dims.map((dim) => [dim.name, dim.min]));
  const needed = evaluateExpression(memory.total, least);
  if (needed <= wasmMaximumBytes) return;
  const weights = evaluateExpression(memory.weights, least);
  throw new AtpcError(
    'ATPC-502',
    `The model '${manifest.name}' needs at least ${needed} bytes, ${weights} of them weights; WebAssembly has ${wasmMaximumBytes}.`,
  );
}
