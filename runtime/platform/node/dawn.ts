import { AtpcError } from '../../errors.ts';

/**
 * WebGPU for Node: the npm package `webgpu` (Dawn), which users install beside the model's package or in their application. It is
 * looked for from both.
 */
export async function dawnGpu(): Promise<GPU> {
  const { createRequire } = process.getBuiltinModule('node:module');
  const { pathToFileURL } = process.getBuiltinModule('node:url');
  const here = import.meta.url;
  const application = `${process.cwd()}/`;
  // A package whose files were handed over runs from a data: URL.
  const places = here.startsWith('file:') ? [here, application] : [application];
  for (const place of places) {
    let file: string;
    try {
      file = createRequire(place).resolve('webgpu');
    } catch {
      continue;
    }
    try {
      const dawn = (await import(/* @vite-ignore */ /* webpackIgnore: true */ pathToFileURL(file).href)) as {
        create(options: readonly string[]): GPU;
      };
      return dawn.create([]);
    } catch (cause) {
      throw new AtpcError('ATPC-501', `The npm package webgpu in ${file} cannot be loaded: ${String(cause)}.`, { cause });
    }
  }
  throw new AtpcError('ATPC-501', `WebGPU in Node needs the npm package webgpu, which is not installed for ${application}.`, {
    hint: 'Run npm install webgpu.',
  });
}
