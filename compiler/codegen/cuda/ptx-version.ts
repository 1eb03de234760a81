/** Versions of PTX, NVIDIA's assembly that a driver translates for its device. */
import type { CudaVersion } from './nvrtc.ts';

/** Releases whose minor version is not that of their PTX (PTX ISA, "PTX ISA release history"): CUDA 12.6 wrote that of 12.5. */
const shiftedReleases: Readonly<Record<string, CudaVersion>> = {
  '8.6': { major: 12, minor: 7 },
  '8.7': { major: 12, minor: 8 },
  '8.8': { major: 12, minor: 9 },
};

/**
 * The CUDA version that a driver has to support to take a PTX text: the release that its `.version` (PTX ISA, section 11.1) came with.
 * Throws RangeError for a text without one.
 */
export function cudaVersionOf(ptx: string): CudaVersion {
  const [, version, major, minor] = /^\.version[ \t]+((\d+)\.(\d+))/m.exec(ptx) ?? [];
  if (version === undefined) throw new RangeError('The PTX has no .version.');
  // PTX 8.0 came with CUDA 12.0, and 9.0 with 13.0.
  return shiftedReleases[version] ?? { major: Number(major) + 4, minor: Number(minor) };
}
