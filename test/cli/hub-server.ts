/**
 * A server on this machine that speaks the hub's protocol: revisions, listings in pages, files by range, large files behind a
 * redirect to a second address, and the refusals. https://huggingface.co/docs/hub/api
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export interface HubRepository {
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Other branches and tags than main, each with its own files. */
  readonly revisions?: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>;
  /** Only those with this token see that it exists. */
  readonly privateTo?: string;
  /** Everybody sees it, nobody may read it. */
  readonly gated?: boolean;
}
export interface HubRequest {
  readonly method: string;
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Whether it went to the address of the large files. */
  readonly storage: boolean;
}
/** What goes wrong with the content of a file, by its path. */
export interface HubFault {
  /** The connection is cut after so many bytes of an answer. */
  readonly cutAfter?: number;
  /** How many answers are cut; all unless given. */
  cuts?: number;
  /** A byte is changed on the way. */
  readonly corrupt?: boolean;
  readonly ignoreRange?: boolean;
  /** The rest is held back after so many bytes. */
  readonly stallAfter?: number;
  /** Answers with this status so many times. */
  status?: { readonly code: number; times: number };
}

export interface Hub {
  readonly endpoint: string;
  readonly requests: HubRequest[];
  readonly faults: Record<string, HubFault>;
  commit(repository: string, revision?: string): string;
  close(): Promise<void>;
}

/** From this size on a file is stored as the hub stores large files. */
const largeFrom = 4096;
/** Files on one page of a listing. */
const pageSize = 3;

export async function startHub(repositories: Readonly<Record<string, HubRepository>>): Promise<Hub> {
  const requests: HubRequest[] = [];
  const faults: Record<string, HubFault> = {};
  const open: { storage?: Server; hub?: Server } = {};
  const record = (request: IncomingMessage, storage: boolean): void => {
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, range: headers.range, authorization: headers.authorization, storage });
  };
  open.storage = await listen((request, response) => {
    record(request, true);
    const [, name = ''] = /^\/objects\/(.+)$/.exec(decodeURI(request.url ?? '')) ?? [];
    const [key = '', file = ''] = name.split('//');
    const [repository = '', commit = ''] = key.split('@');
    const content = filesAt(repositories, repository, commit)?.[file];
    if (content === undefined) return refuse(response, 404, 'EntryNotFound');
    // Storage has tags of its own.
    response.setHeader('ETag', `"${gitHash(content)}-1"`);
    sendContent(request, response, content, faults[file]);
  });
  const storageAddress = addressOf(open.storage);
  open.hub = await listen((request, response) => {
    record(request, false);
    answer(request, response);
  });
  const endpoint = addressOf(open.hub);

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', endpoint);
    const pathname = decodeURIComponent(url.pathname);
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(pathname);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/((?:refs\/pr\/\d+)|[^/]+)\/(.+)$/.exec(pathname);
    const [, name = '', , revision = ''] = api ?? [];
    const repositoryName = api ? name : (resolve?.[1] ?? '');
    const repository = repositories[repositoryName];
    const token = request.headers.authorization?.replace('Bearer ', '');
    if (token === 'hf_ended') return refuse(response, 401, null);
    const hidden = repository?.privateTo !== undefined && repository.privateTo !== token;
    // As the hub does it: who is not logged in may not learn which private models exist.
    if (repository === undefined || hidden) return refuse(response, token === undefined ? 401 : 404, 'RepoNotFound');
    const wanted = api ? revision : (resolve?.[2] ?? '');
    const files = filesAt(repositories, repositoryName, wanted);
    if (files === undefined) return refuse(response, 404, 'RevisionNotFound');
    if (api?.[2] === 'revision') {
      const sha = commitOf(repositories, repositoryName, wanted);
      return json(response, { _id: '1', id: repositoryName, sha, private: hidden, gated: repository.gated ?? false, likes: 0 });
    }
    if (api) {
      const all = Object.entries(files).map(([file, content]) => listed(file, content));
      const page = Number(url.searchParams.get('cursor') ?? '0');
      const next = new URL(url);
      next.searchParams.set('cursor', String(page + 1));
      if (all.length > (page + 1) * pageSize) response.setHeader('Link', `<${next.href}>; rel="next"`);
      return json(response, all.slice(page * pageSize, (page + 1) * pageSize));
    }
    if (repository.gated === true) return refuse(response, token === undefined ? 401 : 403, 'GatedRepo');
    const file = resolve?.[3] ?? '';
    const content = files[file];
    if (content === undefined) return refuse(response, 404, 'EntryNotFound');
    response.setHeader('X-Repo-Commit', commitOf(repositories, repositoryName, wanted) ?? '');
    response.setHeader('ETag', `"${gitHash(content)}"`);
    if (content.byteLength < largeFrom) return sendContent(request, response, content, faults[file]);
    response.setHeader('X-Linked-Size', content.byteLength);
    response.setHeader('X-Linked-ETag', `"${sha256(content)}"`);
    response.writeHead(302, { Location: `${storageAddress}/objects/${repositoryName}@${wanted}//${file}` }).end();
  };
  return {
    endpoint,
    requests,
    faults,
    commit: (repository, revision = 'main') => commitOf(repositories, repository, revision) ?? '',
    close: async () => {
      for (const server of [open.hub, open.storage]) {
        server?.closeAllConnections();
        await new Promise<void>((done) => (server === undefined ? done() : server.close(() => done())));
      }
    },
  };
}

/** Every file below a folder, as a repository has it. */
export async function filesOf(folder: string): Promise<Readonly<Record<string, Uint8Array>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  const read = await Promise.all(files.sort().map(async (file) => [path.relative(folder, file), await readFile(file)] as const));
  return Object.fromEntries(read);
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
export function gitHash(content: Uint8Array): string {
  return createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
}

type Repositories = Readonly<Record<string, HubRepository>>;

function revisionsOf({ files, revisions = {} }: HubRepository): Readonly<Record<string, Readonly<Record<string, Uint8Array>>>> {
  return { main: files, ...revisions };
}
function commitOf(repositories: Repositories, name: string, revision: string): string | undefined {
  const repository = repositories[name];
  if (repository === undefined) return undefined;
  const found = Object.entries(revisionsOf(repository)).find(
    ([label, files]) => label === revision || hashOf(files) === revision,
  );
  return found && hashOf(found[1]);
}
function filesAt(repositories: Repositories, name: string, revision: string): Readonly<Record<string, Uint8Array>> | undefined {
  const repository = repositories[name];
  if (repository === undefined) return undefined;
  return Object.entries(revisionsOf(repository)).find(([label, files]) => label === revision || hashOf(files) === revision)?.[1];
}
/** Stands for the commit: 40 hexadecimal digits that the content decides. */
function hashOf(files: Readonly<Record<string, Uint8Array>>): string {
  const hash = createHash('sha1');
  for (const [name, content] of Object.entries(files)) hash.update(`${name} ${gitHash(content)}\n`);
  return hash.digest('hex');
}

function listed(file: string, content: Uint8Array): object {
  const entry = { type: 'file', path: file, size: content.byteLength, oid: gitHash(content) };
  if (content.byteLength < largeFrom) return entry;
  return { ...entry, lfs: { oid: sha256(content), size: content.byteLength, pointerSize: 130 } };
}

function sendContent(request: IncomingMessage, response: ServerResponse, content: Uint8Array, fault: HubFault = {}): void {
  const { status } = fault;
  if (status !== undefined && status.times > 0 && request.headers.range !== 'bytes=0-0') {
    status.times -= 1;
    return refuse(response, status.code, null);
  }
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const probe = from === '0' && to === '0';
  const ranged = from !== undefined && (probe || fault.ignoreRange !== true);
  const start = ranged ? Number(from) : 0;
  const end = ranged ? Math.min(Number(to) + 1, content.byteLength) : content.byteLength;
  if (ranged && start >= content.byteLength) return refuse(response, 416, null);
  const part = Buffer.from(content.subarray(start, end));
  if (ranged) response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${content.byteLength}`);
  response.writeHead(ranged ? 206 : 200, { 'Content-Length': part.byteLength });
  if (probe) return void response.end(part);
  if (fault.corrupt === true && part.byteLength > 0) part[part.byteLength - 1] = (part.at(-1) ?? 0) ^ 1;
  const { cutAfter, stallAfter } = fault;
  if (cutAfter !== undefined && part.byteLength > cutAfter && (fault.cuts ?? 1) > 0) {
    if (fault.cuts !== undefined) fault.cuts -= 1;
    // What was written reaches the other side before the connection ends.
    response.write(part.subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 20));
    return;
  }
  if (stallAfter !== undefined && part.byteLength > stallAfter) return void response.write(part.subarray(0, stallAfter));
  response.end(part);
}

function refuse(response: ServerResponse, status: number, code: string | null): void {
  if (code !== null) response.setHeader('X-Error-Code', code);
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error: `status ${status}` }));
}
function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handler);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}
function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
