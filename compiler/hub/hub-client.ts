/** Requests to the hub through its client library: every failure comes out with a code. */
import { downloadFile, listFiles, modelInfo } from '@huggingface/hub';
import { AtpcError } from '../../runtime/errors.ts';
import { HubUnavailable, notUnderstood, refused, unreachable } from './hub-errors.ts';
import { isPlainPath, type HubLocation } from './hub-location.ts';
import type { HubSettings } from './hub-settings.ts';

/** A file as the hub lists it. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of a large file's content; SHA-1 of git's blob (`blob <bytes>\0` and the content) of any other. */
  readonly hash: { readonly kind: 'sha256' | 'git'; readonly hex: string };
}

export interface HubClient {
  /** The commit that a branch or tag stands for now. */
  commit(): Promise<string>;
  /** All files of a commit. */
  files(commit: string): Promise<readonly HubFile[]>;
  /** The content of a file from byte `start`. Throws RangeIgnored where the server gives the whole file instead. */
  content(commit: string, file: HubFile, start: number): AsyncIterable<Uint8Array>;
}

/** The server gave the whole file where a part was asked for. */
export class RangeIgnored extends Error {
  override readonly name = 'RangeIgnored';
}

/** A client for one model. Its calls throw ATPC-211 to 213, and the reason of an aborted signal. */
export function hubClient(location: HubLocation, settings: HubSettings, signal: AbortSignal | undefined): HubClient {
  const { repository, revision } = location;
  const common = { hubUrl: settings.endpoint, ...(settings.token === undefined ? {} : { accessToken: settings.token }) };
  const guarded = guardedFetch(location, settings, signal);
  /** Coded errors as they are; anything else is the library's complaint about an answer. */
  const coded = (error: unknown): unknown => {
    signal?.throwIfAborted();
    if (error instanceof AtpcError) return error;
    if (isNetworkFault(error)) return unreachable(settings, error);
    return notUnderstood(location, settings, error instanceof Error ? error.message.replace(/\.$/, '') : String(error), error);
  };
  return {
    commit: async () => {
      try {
        const { sha } = await modelInfo({ ...common, name: repository, revision, additionalFields: ['sha'], fetch: guarded });
        if (/^[0-9a-f]{40}$/.test(sha)) return sha;
      } catch (error) {
        throw coded(error);
      }
      throw notUnderstood(location, settings, 'it names no commit');
    },
    files: async (commit) => {
      const files: HubFile[] = [];
      try {
        for await (const entry of listFiles({ ...common, repo: repository, revision: commit, recursive: true, fetch: guarded })) {
          if (entry.type === 'file' && isPlainPath(entry.path)) files.push(hubFile(entry));
        }
      } catch (error) {
        throw coded(error);
      }
      return files;
    },
    content: async function* (commit, { path, bytes }, start) {
      // The library's stream gives the text of an error and not the error: the one of the request is kept beside it.
      let failure: unknown;
      const recording: typeof fetch = async (input, init) => {
        try {
          return await guarded(input, init);
        } catch (error) {
          failure = error;
          throw error;
        }
      };
      try {
        // Without Xet: its blocks cannot be resumed from a byte, and the hub serves the same files over HTTP.
        const blob = await downloadFile({ ...common, repo: repository, path, revision: commit, xet: false, fetch: recording });
        if (blob === null) throw refused(location, settings, { status: 404, code: 'EntryNotFound', url: path });
        if (blob.size !== bytes)
          throw notUnderstood(location, settings, `${path} has ${blob.size} bytes, and ${bytes} are listed`);
        for await (const chunk of (start === 0 ? blob : blob.slice(start)).stream()) yield chunk;
      } catch (error) {
        if (failure instanceof RangeIgnored) throw failure;
        throw coded(failure ?? error);
      }
    },
  };
}

interface ListedFile {
  readonly path: string;
  readonly size: number;
  readonly oid?: string;
  readonly lfs?: { readonly oid: string; readonly size: number };
}
function hubFile({ path, size, oid, lfs }: ListedFile): HubFile {
  const hash = lfs === undefined ? { kind: 'git' as const, hex: oid } : { kind: 'sha256' as const, hex: lfs.oid };
  const { kind, hex } = hash;
  if (hex === undefined || !(kind === 'git' ? /^[0-9a-f]{40}$/ : /^[0-9a-f]{64}$/).test(hex)) {
    throw new TypeError(`${path} is listed without a hash`);
  }
  const bytes = lfs?.size ?? size;
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new TypeError(`${path} is listed with ${bytes} bytes`);
  return { path, bytes, hash: { kind, hex } };
}

function guardedFetch(location: HubLocation, settings: HubSettings, signal: AbortSignal | undefined): typeof fetch {
  return async (input, init) => {
    signal?.throwIfAborted();
    let response: Response;
    try {
      response = await fetch(input, { ...init, ...(signal ? { signal } : {}) });
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(settings, error);
    }
    if (!response.ok) {
      await response.body?.cancel();
      const code = response.headers.get('x-error-code');
      throw refused(location, settings, { status: response.status, code, url: response.url });
    }
    const range = new Headers(init?.headers).get('range');
    if (range !== null && response.status !== 206 && !range.endsWith('=0-0')) {
      await response.body?.cancel();
      throw new RangeIgnored();
    }
    return response;
  };
}

/** A connection that broke while the body came: undici's TypeError `terminated`, or a code of the system. */
function isNetworkFault(error: unknown): boolean {
  if (typeof error === 'string') return true;
  if (!(error instanceof Error) || error instanceof HubUnavailable) return false;
  return (
    error.message === 'terminated' || error.message === 'fetch failed' || ('code' in error && typeof error.code === 'string')
  );
}
