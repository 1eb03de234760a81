import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { LoadOptions, Model } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { TargetName } from '../../runtime/format/manifest.ts';
import { readManifest, readProgram } from '../../runtime/format/read.ts';
import { loadPackage, type PackageModule } from './load-package.ts';
import { formatValidators } from './validators.ts';

/**
 * A package that was just written must be whole, and must give what the interpreter gives, through the runtime that it ships and on
 * the targets that run here, which are given. Throws ATPC-309 where it does not.
 */
export async function checkPackage(folder: string, options: { readonly signal?: AbortSignal }): Promise<readonly TargetName[]> {
  const read = async (file: string): Promise<Uint8Array> => await readFile(path.join(folder, file));
  const validators = formatValidators();
  const { targets } = readManifest(await read('manifest.json'), validators);
  for (const { program } of targets) readProgram(await read(program), validators);
  const { load } = await loadPackage(folder);
  const run: TargetName[] = [];
  for (const backend of ['wasm', 'native'] as const) {
    const has = targets.some(({ name }) => name === backend);
    if (has && (await runsOn(load, { ...options, backend }))) run.push(backend);
  }
  return run;
}

/** False where the backend cannot be had here. */
async function runsOn(load: PackageModule['load'], options: Pick<LoadOptions, 'backend' | 'signal'>): Promise<boolean> {
  let model: Model;
  try {
    model = await load({ ...options, selfTest: false });
  } catch (error) {
    // Machine code that was not compiled, or is for other machines, or has no koffi to be called with.
    if (options.backend === 'native' && error instanceof AtpcError && error.code === 'ATPC-501') return false;
    throw error;
  }
  try {
    await model.selfTest();
    return true;
  } catch (cause) {
    if (!(cause instanceof AtpcError) || cause.code !== 'ATPC-405') throw cause;
    throw new AtpcError('ATPC-309', `The compiled package disagrees with the reference interpreter: ${cause.message}`, { cause });
  } finally {
    await model.dispose();
  }
}
