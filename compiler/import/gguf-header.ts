/**
 * The header of one GGUF file, versions 2 and 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), believed only after it
 * was checked against the format and against the file itself.
 */
import type { FileHandle } from 'node:fs/promises';
import { formatShape } from '../weights/tensor-source.ts';
import { withFile } from './file-range.ts';
import { GgufCursor } from './gguf-cursor.ts';
import { GgufMetadata, readGgufValue, type GgufValue } from './gguf-metadata.ts';
import { ggufTypeName, ggufTypes } from './gguf-types.ts';

export interface GgufTensor {
  readonly name: string;
  /** Row-major; the file has the fastest dimension first. */
  readonly shape: readonly number[];
  /** Id of the element type, which may be one that is not read. */
  readonly type: number;
  /** Byte range in the file, from its first byte; of a type that is not known, the end is the end of the file. */
  readonly begin: number;
  readonly end: number;
}
export interface GgufHeader {
  readonly file: string;
  readonly metadata: GgufMetadata;
  /** In the order of the file. */
  readonly tensors: readonly GgufTensor[];
}

const defaultAlignment = 32;
// Far above any real file (the largest mixtures of experts have some thousand tensors).
const maxEntries = 2 ** 17;
const maxDimensions = 4;
/** Least bytes of an entry: key or name without a letter, types, one value or one dimension. */
const leastKeyBytes = 8 + 4 + 1;
const leastTensorBytes = 8 + 4 + 8 + 4 + 8;

/** Throws ATPC-201 where the file cannot be read and ATPC-210 where its header does not hold. */
export async function readGgufHeader(file: string): Promise<GgufHeader> {
  return await withFile(file, async (handle) => await readHeader(file, handle));
}

async function readHeader(file: string, handle: FileHandle): Promise<GgufHeader> {
  const { size } = await handle.stat();
  const cursor = new GgufCursor(handle.fd, file, size);
  if (size < 24) throw cursor.fault(`it has ${size} bytes, and the start of a header alone takes 24`);
  const magic = cursor.unsigned32('its magic number');
  // 'GGUF', little-endian.
  if (magic !== 0x46554747) throw cursor.fault("it does not begin with 'GGUF': it is no GGUF file");
  const version = cursor.unsigned32('its version');
  if (version !== 2 && version !== 3) {
    const swapped = version === 0x02000000 || version === 0x03000000;
    throw cursor.fault(
      swapped ? 'it is big-endian, which is not read' : `it has the version ${version}, and versions 2 and 3 are read`,
    );
  }
  const tensorCount = entryCount(cursor, 'tensors', leastTensorBytes);
  const keyCount = entryCount(cursor, 'metadata keys', leastKeyBytes);

  const values = new Map<string, GgufValue>();
  for (let index = 0; index < keyCount; index += 1) {
    const key = cursor.name(`metadata key ${index} of ${keyCount}`);
    if (values.has(key)) throw cursor.fault(`it has the metadata key '${key}' twice`);
    values.set(key, readGgufValue(cursor, key));
  }
  const metadata = new GgufMetadata(file, values);
  const alignment = metadata.integer('general.alignment') ?? defaultAlignment;
  if (alignment === 0 || alignment % 8 !== 0 || alignment > 2 ** 20)
    throw cursor.fault(`it has general.alignment ${alignment}, which is not a multiple of 8 up to ${2 ** 20}`);

  const entries: TensorEntry[] = [];
  const names = new Set<string>();
  for (let index = 0; index < tensorCount; index += 1) {
    const entry = readTensorEntry(cursor, `${index} of ${tensorCount}`);
    if (names.has(entry.name)) throw cursor.fault(`it has the tensor '${entry.name}' twice`);
    names.add(entry.name);
    entries.push(entry);
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  return { file, metadata, tensors: placeTensors(cursor, entries, { alignment, dataStart, fileBytes: size }) };
}

function entryCount(cursor: GgufCursor, what: string, leastBytes: number): number {
  const count = cursor.count(`the number of ${what}`);
  if (count * leastBytes > cursor.left) {
    throw cursor.fault(
      `it says that it has ${count} ${what}, which take ${count * leastBytes} bytes or more, and ${cursor.left} are left of the file`,
    );
  }
  if (count > maxEntries) throw cursor.fault(`it says that it has ${count} ${what}, and at most ${maxEntries} are accepted`);
  return count;
}

interface TensorEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: number;
}

function readTensorEntry(cursor: GgufCursor, place: string): TensorEntry {
  const name = cursor.name(`the name of tensor ${place}`);
  const dimensions = cursor.unsigned32(`the number of dimensions of '${name}'`);
  if (dimensions === 0 || dimensions > maxDimensions)
    throw cursor.fault(`the tensor '${name}' is said to have ${dimensions} dimensions, and a tensor has 1 to ${maxDimensions}`);
  const shape = Array.from({ length: dimensions }, (_, index) => cursor.count(`dimension ${index} of '${name}'`)).reverse();
  if (shape.includes(0)) throw cursor.fault(`the tensor '${name}' has the shape ${formatShape(shape)}, which is empty`);
  const type = cursor.unsigned32(`the type of '${name}'`);
  return { name, shape, type, offset: cursor.count(`the offset of '${name}'`) };
}

interface DataPlace {
  readonly alignment: number;
  readonly dataStart: number;
  readonly fileBytes: number;
}

/** Byte ranges in the file: each aligned, as long as its shape, inside of the file, and no two of them overlapping. */
function placeTensors(cursor: GgufCursor, entries: readonly TensorEntry[], place: DataPlace): readonly GgufTensor[] {
  const tensors = entries.map((entry) => placeTensor(cursor, entry, place));
  const known = tensors.filter(({ type }) => ggufTypes.has(type)).sort((a, b) => a.begin - b.begin);
  for (const [index, { name, begin }] of known.entries()) {
    const previous = known[index - 1];
    if (previous !== undefined && previous.end > begin)
      throw cursor.fault(`the tensors '${previous.name}' and '${name}' overlap at bytes ${begin} to ${previous.end}`);
  }
  return tensors;
}

function placeTensor(
  cursor: GgufCursor,
  { name, shape, type, offset }: TensorEntry,
  { alignment, dataStart, fileBytes }: DataPlace,
): GgufTensor {
  if (offset % alignment !== 0)
    throw cursor.fault(`the tensor '${name}' lies at offset ${offset}, which is not a multiple of the alignment ${alignment}`);
  const begin = dataStart + offset;
  const known = ggufTypes.get(type);
  const columns = shape.at(-1) ?? 1;
  const elements = shape.reduce((product, dimension) => product * dimension, 1);
  if (!Number.isSafeInteger(elements * 8))
    throw cursor.fault(`the tensor '${name}' has the shape ${formatShape(shape)}, which no file can hold`);
  if (known !== undefined && columns % known.elements !== 0) {
    throw cursor.fault(
      `the tensor '${name}' has rows of ${columns} elements, and ${ggufTypeName(type)} has blocks of ${known.elements}`,
    );
  }
  const end = known === undefined ? Math.max(begin, fileBytes) : begin + (elements / known.elements) * known.bytes;
  if (begin > fileBytes || end > fileBytes) {
    throw cursor.fault(
      `the tensor '${name}' (${formatShape(shape)} of ${ggufTypeName(type)}) lies at bytes ${begin} to ${end}, and the file has ${fileBytes}: it is truncated or its header lies`,
    );
  }
  return { name, shape, type, begin, end };
}
