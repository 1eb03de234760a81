/** Rows of a data file: objects of a .jsonl, or cells of a .tsv or .csv, each with the line that it begins at. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';

export interface DataRecord {
  /** Counted from 1. */
  readonly line: number;
  /** By the names of a .jsonl or of the first line of a table; by place, '0', '1', ..., in a table without such a line. */
  readonly fields: Readonly<Record<string, unknown>>;
}
export interface DataRecords {
  readonly file: string;
  readonly records: readonly DataRecord[];
  /** SHA-256 of the file. */
  readonly sha256: string;
}

/** `file:line: what`, as ATPC-608. */
export function dataFault(file: string, line: number, what: string, hint: string): AtpcError {
  return new AtpcError('ATPC-608', `${file}:${line}: ${what}.`, { hint });
}

const formats: Readonly<Record<string, (file: string, text: string, columns: readonly string[]) => readonly DataRecord[]>> = {
  '.jsonl': jsonLines,
  '.ndjson': jsonLines,
  '.tsv': (_, text, columns) => named(tabbed(text), columns),
  '.csv': (file, text, columns) => named(separatedByCommas(file, text), columns),
};

/** `columns`: names that the first line of a table may have; one that has none of them is a row. Throws ATPC-608. */
export async function readDataRecords(file: string, columns: readonly string[]): Promise<DataRecords> {
  const parse = formats[path.extname(file).toLowerCase()];
  if (!parse) {
    throw new AtpcError('ATPC-608', `The data ${file} is in none of the formats that are read.`, {
      hint: `Formats, by the ending of the name: ${Object.keys(formats).join(', ')}.`,
    });
  }
  const bytes = await readFile(file).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AtpcError('ATPC-608', `The data ${file} cannot be read: ${reason}.`, { cause });
  });
  const text = bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n');
  return { file, records: parse(file, text, columns), sha256: createHash('sha256').update(bytes).digest('hex') };
}

function jsonLines(file: string, text: string): readonly DataRecord[] {
  return text.split('\n').flatMap((source, index) => {
    if (source.trim() === '') return [];
    const fault = (what: string): AtpcError => dataFault(file, index + 1, what, 'A line is one JSON object.');
    let value: unknown;
    try {
      value = JSON.parse(source);
    } catch (cause) {
      throw fault(`the line is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault('the line is not an object');
    return [{ line: index + 1, fields: value as Readonly<Record<string, unknown>> }];
  });
}

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}
/** Quotes mean nothing: the published files of GLUE have single ones in their sentences. */
function tabbed(text: string): readonly Row[] {
  return text
    .split('\n')
    .flatMap((source, index) => (source.trim() === '' ? [] : [{ line: index + 1, cells: source.split('\t') }]));
}

/** RFC 4180: a cell in quotes may hold commas, line ends and doubled quotes. */
function separatedByCommas(file: string, text: string): readonly Row[] {
  const rows: Row[] = [];
  let cells: string[] = [];
  let [line, begins] = [1, 1];
  const cell = /"((?:[^"]|"")*)"(?=[,\n]|$)|([^,\n]*)/y;
  for (let at = 0; at <= text.length;) {
    cell.lastIndex = at;
    const [whole, quoted, plain = ''] = cell.exec(text) as RegExpExecArray;
    if (quoted === undefined && plain.startsWith('"')) {
      throw dataFault(
        file,
        line,
        'a quoted cell does not end, or goes on after its quote',
        'A quote inside of quotes is doubled.',
      );
    }
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += whole.split('\n').length - 1;
    at += whole.length;
    if (text[at] !== ',') {
      if (cells.some((value) => value.trim() !== '')) rows.push({ line: begins, cells });
      cells = [];
      begins = line += 1;
    }
    at += 1;
  }
  return rows;
}

function named(rows: readonly Row[], columns: readonly string[]): readonly DataRecord[] {
  const [first] = rows;
  const head = first?.cells.map((value) => value.trim().toLowerCase()) ?? [];
  const hasHead = head.some((name) => columns.includes(name));
  return (hasHead ? rows.slice(1) : rows).map(({ line, cells }) => ({
    line,
    fields: Object.fromEntries(cells.map((value, index) => [hasHead ? (head[index] ?? String(index)) : String(index), value])),
  }));
}
