/** A model on the hub, brought into the cache: afterwards it is a folder or a file like any other. */
import { readFile, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { downloadBlob, type DownloadOptions } from './download-file.ts';
import { hubCache, type HubCache } from './hub-cache.ts';
import { hubClient, type HubClient, type HubFile } from './hub-client.ts';
import { HubUnavailable, notWritten } from './hub-errors.ts';
import { nameOfHubModel, parseHubLocation, type HubLocation } from './hub-location.ts';
import { hubSettings, type HubSettings } from './hub-settings.ts';
import { neededFiles } from './needed-files.ts';

export interface HubProgress {
  readonly file: string;
  /** Of all files that had to be fetched. */
  readonly bytes: number;
  readonly totalBytes: number;
}
export interface HubOptions extends Pick<DownloadOptions, 'signal' | 'retryMilliseconds'> {
  readonly onProgress?: (progress: HubProgress) => void;
  /** Instead of process.env. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}
export interface HubModel {
  /** The folder, or the GGUF file. */
  readonly path: string;
  /** What the model is called. */
  readonly name: string;
  readonly commit: string;
  /** What the person should know: the commit, and whether the hub was asked. */
  readonly notes: readonly string[];
}

/**
 * Downloads what a compilation reads and is not in the cache. Throws ATPC-301 (the location, the settings, a choice that is
 * needed), ATPC-201 (nothing that can be read), ATPC-211 to 214 (the hub), ATPC-312 (the cache).
 */
export async function fetchHubModel(model: string, options: HubOptions = {}): Promise<HubModel> {
  const location = parseHubLocation(model);
  const settings = await hubSettings(options.environment);
  const cache = hubCache(settings.cache, location.repository);
  const client = hubClient(location, settings, options.signal);
  const { commit, asked } = await resolve(location, settings, cache, client);
  const known = await cache.readListing(commit);
  const listed = known ?? (await listing(location, settings, cache, client, commit));
  const fetched = fetcher({ settings, cache, client, commit, options });
  const { model: inside, files } = await neededFiles(location, listed, async (file) => {
    await fetched([file]);
    return await readFile(path.join(cache.snapshot(commit), file.path), 'utf8');
  });
  await fetched(files);
  const source = `${location.repository} at commit ${commit}`;
  return {
    path: path.join(cache.snapshot(commit), inside),
    name: nameOfHubModel({ ...location, ...(inside === '' ? {} : { file: inside }) }),
    commit,
    notes: [asked ? `From the hub: ${source}.` : `From the cache, the hub was not asked: ${source}.`],
  };
}

/** Which commit is meant, and whether the hub said so just now. */
async function resolve(
  { repository, revision }: HubLocation,
  { offline }: HubSettings,
  cache: HubCache,
  client: HubClient,
): Promise<{ readonly commit: string; readonly asked: boolean }> {
  const isCommit = /^[0-9a-f]{40}$/.test(revision);
  // A commit never changes.
  if (isCommit && (offline || (await cache.readListing(revision)) !== null)) return { commit: revision, asked: false };
  const cached = await cache.readRef(revision);
  if (offline) {
    if (cached !== null) return { commit: cached, asked: false };
    throw new AtpcError('ATPC-211', `HF_HUB_OFFLINE is set, and ${repository}@${revision} is not in the cache.`, {
      hint: 'Run it once with a network; afterwards the cache is enough.',
    });
  }
  try {
    const commit = await client.commit();
    if (!isCommit) await cache.writeRef(revision, commit);
    return { commit, asked: true };
  } catch (error) {
    // Without a network, what the revision meant when it was last asked for.
    if (!(error instanceof HubUnavailable) || cached === null || (await cache.readListing(cached)) === null) throw error;
    return { commit: cached, asked: false };
  }
}

async function listing(
  { repository, revision }: HubLocation,
  { offline }: HubSettings,
  cache: HubCache,
  client: HubClient,
  commit: string,
): Promise<readonly HubFile[]> {
  if (offline) {
    throw new AtpcError(
      'ATPC-211',
      `HF_HUB_OFFLINE is set, and the cache does not say which files ${repository}@${revision} has.`,
      {
        hint: 'Run it once with a network; afterwards the cache is enough.',
      },
    );
  }
  const files = await client.files(commit);
  await cache.writeListing(commit, files);
  return files;
}

interface Fetching {
  readonly settings: HubSettings;
  readonly cache: HubCache;
  readonly client: HubClient;
  readonly commit: string;
  readonly options: HubOptions;
}

/** Brings files into the snapshot that are not there, one after the other. */
function fetcher({ settings, cache, client, commit, options }: Fetching): (files: readonly HubFile[]) => Promise<void> {
  const { signal, onProgress, retryMilliseconds } = options;
  return async (files) => {
    const missing: HubFile[] = [];
    for (const file of files) if (!(await cache.has(commit, file))) missing.push(file);
    const [first] = missing;
    if (first === undefined) return;
    if (settings.offline) {
      throw new AtpcError('ATPC-211', `HF_HUB_OFFLINE is set, and ${first.path} is not in the cache ${settings.cache}.`, {
        hint: 'Run it once with a network; afterwards the cache is enough.',
      });
    }
    const totalBytes = missing.reduce((sum, { bytes }) => sum + bytes, 0);
    let before = 0;
    for (const file of missing) {
      const blob = cache.blob(file);
      // Another revision, or another tool, may have brought the same content.
      if (!(await isWhole(blob, file))) {
        await requireSpace(settings.cache, file);
        await downloadBlob(client, commit, file, blob, {
          ...(signal ? { signal } : {}),
          ...(retryMilliseconds === undefined ? {} : { retryMilliseconds }),
          onProgress: (bytes) => onProgress?.({ file: file.path, bytes: before + bytes, totalBytes }),
        });
      }
      await cache.link(commit, file).catch((error: unknown) => {
        throw notWritten(path.join(cache.snapshot(commit), file.path), file.bytes, error);
      });
      before += file.bytes;
    }
  };
}

async function isWhole(blob: string, { bytes }: HubFile): Promise<boolean> {
  const found = await stat(blob).catch(() => null);
  return found !== null && found.isFile() && found.size === bytes;
}

/** Better said before the download than after it. */
async function requireSpace(folder: string, { path: name, bytes }: HubFile): Promise<void> {
  const free = await statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Infinity,
  );
  if (bytes <= free) return;
  throw new AtpcError('ATPC-312', `${name} has ${bytes} bytes, and the disk of ${folder} has ${free} free.`, {
    hint: 'HF_HUB_CACHE or HF_HOME puts the downloads elsewhere.',
  });
}
