/**
 * The cache that Hugging Face's tools share (https://huggingface.co/docs/huggingface_hub/guides/manage-cache):
 *
 *     models--org--name/refs/main              the commit
 *     models--org--name/blobs/<hash>           contents; <hash>.incomplete while they come
 *     models--org--name/snapshots/<commit>/    links to them by name
 *     models--org--name/atpc/<commit>.json     our own: what the hub lists for the commit, for work without a network
 */
import { copyFile, mkdir, readFile, rename, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HubFile } from './hub-client.ts';
import { notWritten } from './hub-errors.ts';

export interface HubCache {
  /** The folder that looks like the model at a commit. */
  snapshot(commit: string): string;
  blob(file: HubFile): string;
  readRef(revision: string): Promise<string | null>;
  writeRef(revision: string, commit: string): Promise<void>;
  readListing(commit: string): Promise<readonly HubFile[] | null>;
  writeListing(commit: string, files: readonly HubFile[]): Promise<void>;
  /** Whether a file is there with all its bytes; contents are only ever put under their name after their hash was checked. */
  has(commit: string, file: HubFile): Promise<boolean>;
  /** Puts a checked blob under its name. */
  link(commit: string, file: HubFile): Promise<void>;
}

export function hubCache(folder: string, repository: string): HubCache {
  const root = path.join(folder, `models--${repository.replace('/', '--')}`);
  const snapshot = (commit: string): string => path.join(root, 'snapshots', commit);
  const blob = ({ hash }: HubFile): string => path.join(root, 'blobs', hash.hex);
  const ref = (revision: string): string => path.join(root, 'refs', ...revision.split('/'));
  const listing = (commit: string): string => path.join(root, 'atpc', `${commit}.json`);
  return {
    snapshot,
    blob,
    readRef: async (revision) => {
      const commit = (await readFile(ref(revision), 'utf8').catch(() => '')).trim();
      return /^[0-9a-f]{40}$/.test(commit) ? commit : null;
    },
    writeRef: (revision, commit) => replaceFile(ref(revision), commit),
    readListing: async (commit) => {
      const text = await readFile(listing(commit), 'utf8').catch(() => null);
      if (text === null) return null;
      try {
        const value: unknown = JSON.parse(text);
        return Array.isArray(value) && value.every(isHubFile) ? value : null;
      } catch {
        return null;
      }
    },
    writeListing: (commit, files) => replaceFile(listing(commit), JSON.stringify(files)),
    has: async (commit, file) => {
      const found = await stat(path.join(snapshot(commit), file.path)).catch(() => null);
      return found !== null && found.isFile() && found.size === file.bytes;
    },
    link: async (commit, file) => {
      const name = path.join(snapshot(commit), file.path);
      const target = blob(file);
      await mkdir(path.dirname(name), { recursive: true });
      await unlink(name).catch(() => undefined);
      await symlink(path.relative(path.dirname(name), target), name).catch(async (error: unknown) => {
        // Windows allows links to few; Hugging Face's tools copy there as well.
        if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) throw error;
        await copyFile(target, name);
      });
    },
  };
}

/** Whole or not at all: a file that was being written when the machine stopped is no file. */
async function replaceFile(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(unfinished, text);
    await rename(unfinished, file);
  } catch (error) {
    await unlink(unfinished).catch(() => undefined);
    throw notWritten(file, text.length, error);
  }
}

function isHubFile(value: unknown): value is HubFile {
  const { path: name, bytes, hash } = value as Partial<HubFile>;
  return typeof name === 'string' && typeof bytes === 'number' && typeof hash?.hex === 'string';
}
