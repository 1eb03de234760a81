import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { readManifest, readProgram } from '../../runtime/format/read.ts';
import { hostTarget } from '../codegen/targets.ts';
import { loadPackage } from './load-package.ts';
import { formatValidators } from './validators.ts';

/**
 * A package that was just written must be whole, and must give what the interpreter gives, through the runtime that it ships and on
 * the target that runs here. Throws ATPC-309 where it does not.
 */
export async function checkPackage(folder: string, options: { readonly signal?: AbortSignal }): Promise<void> {
  const read = async (file: string): Promise<Uint8Array> => await readFile(path.join(folder, file));
  const validators = formatValidators();
  const { targets } = readManifest(await read('manifest.json'), validators);
  for (const { program } of targets) readProgram(await read(program), validators);
  if (!targets.some(({ name }) => name === hostTarget.name)) return;
  const { load } = await loadPackage(folder);
  const model = await load({ backend: 'wasm', selfTest: false, ...options });
  try {
    await model.selfTest();
  } catch (cause) {
    if (!(cause instanceof AtpcError) || cause.code !== 'ATPC-405') throw cause;
    throw new AtpcError('ATPC-309', `The compiled package disagrees with the reference interpreter: ${cause.message}`, { cause });
  } finally {
    await model.dispose();
  }
}
