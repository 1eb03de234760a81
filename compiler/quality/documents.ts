/**
 * A person's own text as documents of token ids, in two parts: plans are searched on one and held against the bound on the other, so that
 * the bound is not met by chance on what it was fitted to.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AtpcError } from '../../runtime/errors.ts';
import type { Encode } from '../calibrate/calibrate.ts';

export type TokenIds = readonly number[];

/** How many documents are read at most. A share of documents needs many, a mean of real numbers few. */
export interface DocumentCounts {
  readonly search: number;
  readonly check: number;
}
export interface DocumentOptions {
  readonly files: readonly string[];
  readonly encode: Encode;
  /** Longer documents are cut here. */
  readonly maxTokens: number;
  /** Documents with fewer tokens are left out. */
  readonly minTokens: number;
  /** How a .txt is cut: into stretches of `maxTokens` tokens, as a model that continues text reads it, or at its empty lines. */
  readonly cut: 'stretches' | 'paragraphs';
  readonly counts: DocumentCounts;
}
export interface CalibrationDocuments {
  readonly search: readonly TokenIds[];
  readonly check: readonly TokenIds[];
  /** SHA-256 of the files, one behind the other. */
  readonly textHash: string;
  /** Documents that the files hold, before any is left out. */
  readonly found: number;
}

/** A quarter of the documents is for the search. */
const searchShare = 1 / 4;
/** The least that an interval can be made of, beside one document to search on. */
const leastDocuments = 3;
/** The order of the documents: files are often sorted, by label or by date. */
const orderSeed = 0x1ed1ce5;

/** Throws ATPC-608 for a file that cannot be read, and for too few documents. */
export async function readDocuments(options: DocumentOptions): Promise<CalibrationDocuments> {
  const { files, encode, maxTokens, minTokens, counts } = options;
  const hash = createHash('sha256');
  const found: string[] = [];
  for (const file of files) {
    const bytes = await readFile(file).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AtpcError('ATPC-608', `The text ${file} cannot be read: ${reason}.`, { cause });
    });
    hash.update(bytes);
    found.push(...textsOf(file, bytes.toString('utf8').replaceAll('\r\n', '\n'), options));
  }
  // The same document in both parts would be no check.
  const texts = shuffled([...new Set(found)]);
  const wanted = counts.search + counts.check;
  const documents: TokenIds[] = [];
  for (const text of texts) {
    if (documents.length === wanted) break;
    // No token has more characters than this on average, and a tokenizer is slow on a whole book.
    const ids = encode(text.slice(0, maxTokens * 16), maxTokens).slice(0, maxTokens);
    if (ids.length >= minTokens) documents.push(ids);
  }
  if (documents.length < leastDocuments) {
    throw new AtpcError(
      'ATPC-608',
      `${files.join(', ')}: ${documents.length} of ${texts.length} documents ${documents.length === 1 ? 'has' : 'have'} ${minTokens} tokens or more, and a measurement needs ${leastDocuments}.`,
      {
        hint: 'A .jsonl holds a document a line, as a string or as {"text": ...}; a .txt is cut at empty lines, or into stretches for a model that generates.',
      },
    );
  }
  const search = documents.length === wanted ? counts.search : Math.max(1, Math.round(documents.length * searchShare));
  return {
    search: documents.slice(0, search),
    check: documents.slice(search),
    textHash: hash.digest('hex'),
    found: texts.length,
  };
}

function textsOf(file: string, text: string, { encode, maxTokens, cut }: DocumentOptions): readonly string[] {
  if (file.endsWith('.jsonl') || file.endsWith('.ndjson')) return linesOf(file, text);
  if (cut === 'paragraphs') return text.split(/\n\s*\n/).flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
  return stretches(text, encode, maxTokens);
}

/** Stretches that start at a line, each a little longer than `maxTokens` tokens. */
function stretches(text: string, encode: Encode, maxTokens: number): readonly string[] {
  const sample = text.slice(0, 20_000);
  const characters = Math.ceil((sample.length / Math.max(1, encode(sample, Number.MAX_SAFE_INTEGER).length)) * maxTokens * 1.1);
  const parts: string[] = [];
  for (let start = 0; start < text.length;) {
    const lineEnd = text.indexOf('\n', start + characters);
    const end = lineEnd < 0 ? text.length : lineEnd + 1;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}

function linesOf(file: string, text: string): readonly string[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const fault = (what: string): AtpcError =>
      new AtpcError('ATPC-608', `${file}:${index + 1}: ${what}.`, {
        hint: 'A line is a JSON string, or an object with a "text".',
      });
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw fault(`the line is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    const found = typeof value === 'object' && value !== null && 'text' in value ? value.text : value;
    if (typeof found !== 'string') throw fault('the line has no text');
    return found.trim() === '' ? [] : [found];
  });
}

/** Fisher and Yates' shuffle with xorshift32 (Marsaglia 2003): the same order in every compilation. */
function shuffled<T>(values: readonly T[]): readonly T[] {
  const result = [...values];
  let state = orderSeed;
  for (let last = result.length - 1; last > 0; last -= 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (last + 1);
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}
