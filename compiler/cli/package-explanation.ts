import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import type { Explanation } from '../explain/explanation.ts';
import { explanationPath, sha256 } from '../package/files.ts';

/** What explains a program of a package, checked against its manifest; null in a package that was written without it. Throws ATPC-402, 404. */
export async function readExplanation(
  folder: string,
  manifest: Manifest,
  { program }: Pick<ManifestTarget, 'program'>,
): Promise<Explanation | null> {
  const listed = manifest.files.find((file) => file.path === explanationPath(program));
  if (listed === undefined) return null;
  const location = path.join(folder, listed.path);
  const bytes = await readFile(location).catch((cause: unknown) => {
    throw new AtpcError('ATPC-401', `${location} is not there, though the manifest lists it.`, { cause });
  });
  if (sha256(bytes) !== listed.sha256) {
    const hint = 'Install or compile the package again.';
    throw new AtpcError('ATPC-402', `The file ${location} is not what was written: its SHA-256 differs.`, { hint });
  }
  const explanation = JSON.parse(bytes.toString('utf8')) as Explanation;
  const version: number = explanation.formatVersion;
  if (version !== 1) throw new AtpcError('ATPC-404', `${location} has format version ${version}; this atpc reads 1.`);
  return explanation;
}
