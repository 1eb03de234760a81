/**
 * The compilers for CUDA that tests use: those that `.ci/run` installs from PyPI into .cache, and nothing else that a machine may have.
 * Importing this file sets ATPC_NVRTC for this process and for those that it starts.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../.cache/', import.meta.url));
/** A toolkit as pip's packages lay it out: NVRTC, nvcc and ptxas of CUDA 13.0. */
export const toolkitFolder: string = path.join(cache, 'cuda/nvidia/cu13');
/** Where pip put the packages of each release. */
export const packageFolders = { '13.0': path.join(cache, 'cuda'), '12.4': path.join(cache, 'cuda12') } as const;
export const nvrtcFiles = {
  '13.0': path.join(toolkitFolder, 'lib/libnvrtc.so.13'),
  '12.4': path.join(packageFolders['12.4'], 'nvidia/cuda_nvrtc/lib/libnvrtc.so.12'),
} as const;

process.env['ATPC_NVRTC'] ??= Object.values(nvrtcFiles).join(path.delimiter);

/** Both releases of NVRTC, and koffi to call them. */
export function cudaCompilersAreThere(): boolean {
  return Object.values(nvrtcFiles).every(existsSync) && koffiFile() !== undefined;
}

export function koffiFile(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('koffi');
  } catch {
    return undefined;
  }
}
