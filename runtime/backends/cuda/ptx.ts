import { AtpcError } from '../../errors.ts';
import type { TargetFeatures } from '../../format/manifest.ts';
import type { TargetKernels } from '../worker/protocol.ts';
import type { Capability } from './devices.ts';

type Build = TargetKernels['cuda'][number];
/** A version of CUDA as the driver has it: 1000 * major + 10 * minor. */
export type CudaVersion = number;
export const formatVersion = (version: CudaVersion): string =>
  `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;

/** The version that a driver has to support, of a feature such as `cuda-12.4`. */
function versionOf(feature: TargetFeatures['cuda']): CudaVersion {
  const [major = 0, minor = 0] = feature.slice('cuda-'.length).split('.').map(Number);
  return 1000 * major + 10 * minor;
}
const neededBy = ({ features }: Build): CudaVersion => Math.max(0, ...features.map(versionOf));

/** The newest build that a driver takes. Throws ATPC-501 where it is too old for all. */
export function chooseBuild(builds: readonly Build[], version: CudaVersion): Build {
  const [newest] = builds.filter((build) => neededBy(build) <= version).sort((a, b) => neededBy(b) - neededBy(a));
  if (newest) return newest;
  const oldest = Math.min(...builds.map(neededBy));
  throw new AtpcError(
    'ATPC-501',
    `The CUDA driver supports CUDA ${formatVersion(version)}; the kernels of the package need ${formatVersion(oldest)} or newer.`,
    { hint: 'Update the NVIDIA driver, or load with another backend.' },
  );
}

/** A PTX text, and what it says of its kernels. */
export interface PtxText {
  readonly bytes: Uint8Array;
  /** The least compute capability (PTX ISA, 11.1.2, `.target`). */
  readonly capability: Capability;
  /** Threads of a block by kernel, as `.maxntid` has them (PTX ISA, 11.4.2). */
  readonly threads: ReadonlyMap<string, number>;
}
/** Throws ATPC-403 for what is no PTX, or has a kernel without `.maxntid`. */
export function readPtx(bytes: Uint8Array): PtxText {
  const text = new TextDecoder().decode(bytes);
  const [, target] = /^\.target\s+sm_(\d+)/m.exec(text) ?? [];
  if (target === undefined) throw new AtpcError('ATPC-403', 'The kernel file has no line .target: it is no PTX.');
  const threads = new Map<string, number>();
  for (const [, name = '', directives = ''] of text.matchAll(/\.entry\s+([\w$]+)\s*(?:\([^)]*\))?([^{;]*)\{/g)) {
    const [, count] = /\.maxntid\s+(\d+)/.exec(directives) ?? [];
    if (count === undefined) throw new AtpcError('ATPC-403', `The kernel '${name}' does not say its threads by .maxntid.`);
    threads.set(name, Number(count));
  }
  return { bytes, capability: Number(target), threads };
}
