/** A compiled package on disk, read without running it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import type { Manifest, ManifestTarget } from '../../runtime/format/manifest.ts';
import { mainEntryPoint, type DispatchStep, type Program, type Step } from '../../runtime/format/program.ts';

/** Reads and validates the manifest of a package; throws ATPC-401, ATPC-402, ATPC-403 and ATPC-404. */
export async function readPackageManifest(folder: string): Promise<Manifest> {
  // In this order, so that a folder that is no package is always told of by the same file.
  const bytes = await readPackageFile(folder, 'manifest.json');
  const index = await readPackageFile(folder, 'index.js');
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (!index.includes(hash)) {
    throw damaged(`manifest.json of ${folder} is not the one that index.js was written with: its SHA-256 is ${hash}.`);
  }
  const [{ readManifest }, { formatValidators }] = await Promise.all([
    import('../../runtime/format/read.ts'),
    import('../package/validators.ts'),
  ]);
  return readManifest(bytes, formatValidators());
}

/** The target of that name, or the first. Throws ATPC-307 for one that the package does not have. */
export function packageTarget({ name, targets }: Manifest, wanted?: string): ManifestTarget {
  const found = wanted === undefined ? targets[0] : targets.find((target) => target.name === wanted);
  if (found) return found;
  throw new AtpcError('ATPC-307', `The package '${name}' has no program for ${wanted ?? 'anything'}.`, {
    hint: `It has: ${targets.map((target) => target.name).join(', ')}. Compile the model with -t for others.`,
  });
}

/** Kernel and label of every dispatch of a program, in order. */
export async function readPackageProgram(
  folder: string,
  target: Pick<ManifestTarget, 'program'>,
): Promise<readonly Pick<DispatchStep, 'kernel' | 'label'>[]> {
  const program = JSON.parse((await readPackageFile(folder, target.program)).toString('utf8')) as Program;
  const flat = (steps: readonly Step[]): readonly DispatchStep[] =>
    steps.flatMap((step) => (step.kind === 'dispatch' ? [step] : flat(step.steps)));
  return flat(mainEntryPoint(program).steps);
}

/** Compares every file that the manifest lists with its size and SHA-256; throws ATPC-401 and ATPC-402. */
export async function checkPackageFiles(folder: string, manifest: Manifest, signal: AbortSignal): Promise<void> {
  for (const file of manifest.files) {
    signal.throwIfAborted();
    const location = path.join(folder, file.path);
    const bytes = await fileSize(folder, file.path);
    if (bytes !== file.bytes)
      throw damaged(`The file ${location} has ${bytes} bytes; the package was written with ${file.bytes}.`);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(location, { signal })) hash.update(chunk as Buffer);
    const found = hash.digest('hex');
    if (found !== file.sha256)
      throw damaged(`The file ${location} is not what was written: its SHA-256 is ${found}, expected ${file.sha256}.`);
  }
}

async function readPackageFile(folder: string, name: string): Promise<Buffer> {
  try {
    return await readFile(path.join(folder, name));
  } catch (cause) {
    throw unreadable(folder, name, cause);
  }
}

async function fileSize(folder: string, name: string): Promise<number> {
  try {
    return (await stat(path.join(folder, name))).size;
  } catch (cause) {
    throw unreadable(folder, name, cause);
  }
}

function unreadable(folder: string, name: string, cause: unknown): AtpcError {
  const missing = cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
  return new AtpcError(
    'ATPC-401',
    `${path.join(folder, name)} ${missing ? 'is not there' : 'cannot be read'}: '${folder}' is no compiled package.`,
    {
      hint: 'atpc compile MODEL -o FOLDER writes one.',
      cause,
    },
  );
}

function damaged(sentence: string): AtpcError {
  return new AtpcError('ATPC-402', sentence, { hint: 'Install or compile the package again.' });
}
