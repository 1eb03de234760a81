/** The tensors of a GGUF model: of one file, or of the parts of a split one. Opening it reads headers only. */
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { isNotFound } from '../schema/json.ts';
import { dequantise, type BlockMatrix } from '../weights/block-format.ts';
import { fitsBlocks } from '../weights/block-matrix.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from '../weights/float16.ts';
import { missingTensor, type TensorInfo, type TensorSource } from '../weights/tensor-source.ts';
import { readRange, withFile } from './file-range.ts';
import { ggufFault } from './gguf-cursor.ts';
import { readGgufHeader, type GgufHeader, type GgufTensor } from './gguf-header.ts';
import type { GgufMetadata } from './gguf-metadata.ts';
import { ggufTypeName, ggufTypes, unpackBlocks, type GgufType, type PlainStorage } from './gguf-types.ts';

interface PlacedTensor extends GgufTensor {
  readonly file: string;
}

export class GgufFile implements TensorSource {
  /** The files that were read: one, or the parts in their order. */
  readonly files: readonly string[];
  /** Of the first part, which has it all. */
  readonly metadata: GgufMetadata;
  readonly #tensors: ReadonlyMap<string, PlacedTensor>;

  private constructor(headers: readonly GgufHeader[], metadata: GgufMetadata) {
    this.files = headers.map(({ file }) => file);
    this.metadata = metadata;
    const tensors = new Map<string, PlacedTensor>();
    for (const { file, tensors: placed } of headers) {
      for (const tensor of placed) {
        const other = tensors.get(tensor.name);
        if (other !== undefined) throw ggufFault(file, `it has the tensor '${tensor.name}', and so has ${other.file}`);
        tensors.set(tensor.name, { ...tensor, file });
      }
    }
    this.#tensors = tensors;
  }

  /** Throws ATPC-201 where a file cannot be read and ATPC-210 where a header does not hold. */
  static async open(file: string): Promise<GgufFile> {
    const first = await readGgufHeader(file);
    const parts = first.metadata.integer('split.count') ?? 1;
    if (parts <= 1) return new GgufFile([first], first.metadata);
    const headers = [first];
    for (const part of partNames(file, parts, first.metadata).slice(1)) headers.push(await openPart(file, part, headers.length));
    return new GgufFile(headers, first.metadata);
  }

  names(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Throws ATPC-205 for a name that is not there and ATPC-207 for an element type that is not read. */
  info(name: string): TensorInfo {
    const { shape } = this.#find(name);
    const type = this.#typeOf(name);
    if (type.kind === 'plain') return { storage: type.name, shape };
    return isBlockMatrix(type, shape) ? { storage: type.scales, shape, format: type.format } : { storage: 'F32', shape };
  }

  /** Name of the element type as the file has it. */
  typeName(name: string): string {
    return ggufTypeName(this.#find(name).type);
  }

  async readFloat32(name: string): Promise<Float32Array> {
    const type = this.#typeOf(name);
    if (type.kind === 'quantised') return dequantise(await this.#readBlocks(name));
    return toFloat32[type.name]((await this.#readBytes(name)).buffer as ArrayBuffer);
  }

  /** ATPC-399 for a matrix in blocks, which has no bytes of the storage that its info gives. */
  async readRaw(name: string): Promise<Uint8Array> {
    if (this.info(name).format !== undefined)
      throw new AtpcError('ATPC-399', `The bytes of the tensor '${name}' were to be read, and it is in blocks.`);
    if (this.#typeOf(name).kind === 'plain') return await this.#readBytes(name);
    return new Uint8Array((await this.readFloat32(name)).buffer);
  }

  async readBlocks(name: string): Promise<BlockMatrix> {
    if (this.info(name).format === undefined)
      throw new AtpcError('ATPC-399', `The blocks of the tensor '${name}' were to be read, and it has none.`);
    return await this.#readBlocks(name);
  }

  /** Also of a quantised tensor that is no matrix: its values as one row. */
  async #readBlocks(name: string): Promise<BlockMatrix> {
    const { shape } = this.#find(name);
    const type = this.#typeOf(name);
    if (type.kind === 'plain') throw new RangeError(`'${name}' is not quantised.`);
    const columns = shape.at(-1) ?? 1;
    const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1);
    return unpackBlocks(type, await this.#readBytes(name), [rows, columns]);
  }

  async #readBytes(name: string): Promise<Uint8Array> {
    const { file, begin, end } = this.#find(name);
    const ended = (at: number): AtpcError =>
      ggufFault(
        file,
        `it ended at byte ${at} while the tensor '${name}' was read up to byte ${end}: it has changed since it was opened`,
      );
    return await withFile(file, async (handle) => await readRange(handle, begin, end, ended));
  }

  #find(name: string): PlacedTensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw missingTensor(name);
    return tensor;
  }

  #typeOf(name: string): GgufType {
    const { file, type } = this.#find(name);
    const known = ggufTypes.get(type);
    if (known !== undefined) return known;
    throw new AtpcError(
      'ATPC-207',
      `The tensor '${name}' in ${file} has the element type ${ggufTypeName(type)}, which is not supported.`,
      {
        hint: `Supported: ${[...ggufTypes.values()].map((supported) => supported.name).join(', ')}. llama-quantize of llama.cpp converts a file.`,
      },
    );
  }
}

// The arrays below begin at offset 0 of a buffer of their own.
const toFloat32: { readonly [K in PlainStorage]: (bytes: ArrayBuffer) => Float32Array } = {
  F32: (bytes) => new Float32Array(bytes),
  F16: (bytes) => float16ToFloat32(new Uint16Array(bytes)),
  BF16: (bytes) => bfloat16ToFloat32(new Uint16Array(bytes)),
};

/** Other shapes than matrices are read as plain numbers. */
function isBlockMatrix(type: GgufType, shape: readonly number[]): boolean {
  return type.kind === 'quantised' && shape.length === 2 && fitsBlocks(type.format, shape[1] ?? 0);
}

/** Names of all parts, which say their number themselves: NAME-00001-of-0000N.gguf. */
function partNames(file: string, parts: number, metadata: GgufMetadata): readonly string[] {
  const [, prefix, number, count] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(path.basename(file)) ?? [];
  const part = metadata.integer('split.no') ?? 0;
  if (prefix === undefined || Number(count) !== parts) {
    throw new AtpcError(
      'ATPC-210',
      `${file} says that it is part ${part + 1} of ${parts}, and its name is not NAME-${padded(part + 1)}-of-${padded(parts)}.gguf.`,
      { hint: 'Keep the names that the parts were published under.' },
    );
  }
  if (part !== 0 || Number(number) !== 1) {
    const first = `${prefix}-${padded(1)}-of-${padded(parts)}.gguf`;
    throw new AtpcError('ATPC-210', `${file} is part ${part + 1} of ${parts} of a model.`, {
      hint: `Give the first part, ${first}.`,
    });
  }
  return Array.from({ length: parts }, (_, index) =>
    path.join(path.dirname(file), `${prefix}-${padded(index + 1)}-of-${padded(parts)}.gguf`),
  );
}

async function openPart(first: string, file: string, index: number): Promise<GgufHeader> {
  const header = await readGgufHeader(file).catch((error: unknown): never => {
    if (!(error instanceof AtpcError) || !isNotFound(error.cause)) throw error;
    throw new AtpcError(
      'ATPC-201',
      `${first} is the first part of a model, and the part ${path.basename(file)} is not beside it.`,
      {
        cause: error,
      },
    );
  });
  const part = header.metadata.integer('split.no');
  if (part !== index)
    throw ggufFault(
      file,
      `it says that it is part ${part === undefined ? 'of nothing' : part + 1}, and its name says ${index + 1}`,
    );
  return header;
}

function padded(number: number): string {
  return String(number).padStart(5, '0');
}
