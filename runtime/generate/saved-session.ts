import { AtpcError } from '../errors.ts';
import type { Manifest } from '../format/manifest.ts';

/** A session as data. */
export interface SavedSession {
  readonly ids: readonly number[];
  /** Tokens of `ids` that the state holds. */
  readonly past: number;
  readonly state: Uint8Array<ArrayBuffer>;
}
/** What of a package has to be the same for a state to be of use. */
export interface SavedFor extends Pick<Manifest, 'modelHash' | 'files'> {
  /** Path of the program, which says what lies where in the state. */
  readonly program: string;
}
type Hash = (bytes: Uint8Array<ArrayBuffer>) => Promise<string>;

/**
 * The bytes: `atpcsess`; SHA-256 of all that follows, in 64 hexadecimal digits; length of the header as a 32-bit integer, little
 * endian; the header, JSON in UTF-8; the state.
 */
interface Header {
  readonly formatVersion: 1;
  readonly modelHash: string;
  /** SHA-256 of the program. */
  readonly program: string | undefined;
  readonly ids: readonly number[];
  readonly past: number;
}
const magic = new TextEncoder().encode('atpcsess');
const hashDigits = 64;
const lengthAt = magic.length + hashDigits;
const headerAt = lengthAt + 4;

export async function packSession(
  { ids, past, state }: SavedSession,
  of: SavedFor,
  hash: Hash,
): Promise<Uint8Array<ArrayBuffer>> {
  const header: Header = { formatVersion: 1, modelHash: of.modelHash, program: programHash(of), ids, past };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(headerAt + text.length + state.length);
  bytes.set(magic);
  new DataView(bytes.buffer).setUint32(lengthAt, text.length, true);
  bytes.set(text, headerAt);
  bytes.set(state, headerAt + text.length);
  bytes.set(new TextEncoder().encode(await hash(bytes.subarray(lengthAt))), magic.length);
  return bytes;
}

/** Throws ATPC-608 for bytes that are no session, are damaged, or are of another model. */
export async function unpackSession(given: Uint8Array, of: SavedFor, hash: Hash): Promise<SavedSession> {
  const bytes = Uint8Array.from(given);
  const text = (begin: number, end: number): string => new TextDecoder().decode(bytes.subarray(begin, end));
  if (bytes.length < headerAt || text(0, magic.length) !== 'atpcsess') throw refused('are not those of a session');
  if (text(magic.length, lengthAt) !== (await hash(bytes.subarray(lengthAt))))
    throw refused('are damaged: their SHA-256 differs');
  const headerEnd = headerAt + new DataView(bytes.buffer).getUint32(lengthAt, true);
  const header = parse(text(headerAt, headerEnd));
  if (header.formatVersion !== 1) {
    throw refused(`have format version ${String(header.formatVersion)}; this runtime reads 1`);
  }
  if (header.modelHash !== of.modelHash)
    throw refused(`are of the model ${String(header.modelHash)}; this one is ${of.modelHash}`);
  if (header.program !== programHash(of))
    throw refused('are of the same model on another backend, or in another package whose plan or length differs');
  const { ids, past } = header as Header;
  return { ids, past, state: bytes.slice(headerEnd) };
}
function parse(text: string): Partial<Header> {
  try {
    return JSON.parse(text) as Partial<Header>;
  } catch (cause) {
    throw refused('have a header that is not JSON', cause);
  }
}
function refused(why: string, cause?: unknown): AtpcError {
  return new AtpcError('ATPC-608', `The bytes of the saved session ${why}.`, {
    cause,
    hint: 'Take the bytes that save() gave, with the package that gave them.',
  });
}
function programHash({ files, program }: SavedFor): string | undefined {
  return files.find(({ path }) => path === program)?.sha256;
}
