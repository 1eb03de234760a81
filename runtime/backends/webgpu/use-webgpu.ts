import { AtpcError } from '../../errors.ts';
import type { UseTarget } from '../targets.ts';

/** What the adapter has is for the worker to find out. */
export const useWebgpu: UseTarget<'webgpu'> = (manifest, target) => {
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
};
