/** Safetensors files and model folders for the import tests, made byte by byte so that they can lie. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openHuggingFace } from '../../compiler/import/hugging-face.ts';
import type { Imported } from '../../compiler/import/imported-model.ts';
import { AtpcError, type ErrorCode } from '../../runtime/errors.ts';

/** A folder of the test's own, removed after the suite. */
export function temporaryFolder(): () => string {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'atpc-import-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  return () => folder;
}

/** Header text (or what becomes it), data, and the length that the file claims for the header. */
export function rawSafetensors(header: string | object, data: Uint8Array | number, claimedLength?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const tail = typeof data === 'number' ? Uint8Array.from({ length: data }, (_, index) => index & 0xff) : data;
  const bytes = new Uint8Array(8 + text.length + tail.length);
  new DataView(bytes.buffer).setBigUint64(0, claimedLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(tail, 8 + text.length);
  return bytes;
}

/** Writes files (text, bytes or JSON) by relative path into a new folder and gives its path. */
export async function writeFolder(
  parent: string,
  files: Readonly<Record<string, string | Uint8Array | object>>,
): Promise<string> {
  const folder = await mkdtemp(path.join(parent, 'model-'));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content));
  }
  return folder;
}

/** A folder that must be one of a BERT checkpoint. */
export async function openBertFolder(folder: string): Promise<Imported<'bert'>> {
  const model = await openHuggingFace(folder);
  if (model.family === 'bert') return model;
  throw new Error(`${folder} was read as a ${model.family} model.`);
}

/** The error that the promise must fail with: an AtpcError of this code. */
export async function failure(code: ErrorCode, work: Promise<unknown> | (() => unknown)): Promise<AtpcError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof AtpcError && error.code === code) return error;
    throw error;
  }
  throw new Error(`Expected ${code}, and nothing failed.`);
}
