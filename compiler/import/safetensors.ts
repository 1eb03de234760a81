/**
 * One safetensors file, read in ranges: opening it reads the header only. The header is believed only after it has been
 * checked against the format (https://github.com/huggingface/safetensors#format) and against the file itself.
 */
import { AtpcError } from '../../runtime/errors.ts';
import { parseJsonFile } from '../schema/json.ts';
import { safetensorsTypes, validateHeader, type SafetensorsType } from '../schema/safetensors.ts';
import { bfloat16ToFloat32, float16ToFloat32 } from '../weights/float16.ts';
import { formatShape, missingTensor, type TensorInfo, type TensorSource } from '../weights/tensor-source.ts';
import { readRange, withFile } from './file-range.ts';

/** The reference implementation's limit: no real header comes near, and a lying length must not take all memory. */
const maxHeaderBytes = 100_000_000;

export interface SafetensorsInfo extends TensorInfo {
  /** Byte range in the file, from its first byte. */
  readonly begin: number;
  readonly end: number;
}

export class SafetensorsFile implements TensorSource {
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #tensors: ReadonlyMap<string, SafetensorsInfo>;

  private constructor(file: string, metadata: Readonly<Record<string, string>>, tensors: ReadonlyMap<string, SafetensorsInfo>) {
    this.file = file;
    this.metadata = metadata;
    this.#tensors = tensors;
  }

  /** Throws ATPC-201 where the file cannot be read and ATPC-204 where its header does not hold. */
  static async open(file: string): Promise<SafetensorsFile> {
    return await withFile(file, async (handle) => {
      const { size } = await handle.stat();
      if (size < 8) throw damaged(file, `it has ${size} bytes, and the length of the header alone takes 8`);
      const length = new DataView((await readRange(handle, 0, 8, endedEarly(file, 8))).buffer).getBigUint64(0, true);
      if (length > BigInt(size - 8)) {
        throw damaged(
          file,
          `it says that its header has ${length} bytes, and only ${size - 8} bytes follow: it is truncated or no safetensors file`,
        );
      }
      if (length > BigInt(maxHeaderBytes)) {
        throw damaged(file, `it says that its header has ${length} bytes, and at most ${maxHeaderBytes} are accepted`);
      }
      const dataStart = 8 + Number(length);
      const header = await readRange(handle, 8, dataStart, endedEarly(file, dataStart));
      if (header[0] !== '{'.charCodeAt(0)) throw damaged(file, "its header does not begin with '{'");
      const value = validateHeader(parseJsonFile(`The header of ${file}`, header, 'ATPC-204'), (fault) =>
        damaged(file, `in its header ${fault}`),
      );
      const { __metadata__: metadata = {}, ...tensors } = value;
      return new SafetensorsFile(file, metadata, checkedRanges(file, tensors, dataStart, size));
    });
  }

  names(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  info(name: string): SafetensorsInfo {
    const info = this.#tensors.get(name);
    if (info === undefined) throw missingTensor(name);
    return info;
  }

  async readRaw(name: string): Promise<Uint8Array> {
    const { begin, end } = this.info(name);
    return await withFile(this.file, async (handle) => await readRange(handle, begin, end, endedEarly(this.file, end, name)));
  }

  async readFloat32(name: string): Promise<Float32Array> {
    const convert = toFloat32[this.info(name).storage];
    if (convert === undefined) throw this.#unsupported(name, Object.keys(toFloat32));
    return convert((await this.readRaw(name)).buffer as ArrayBuffer);
  }

  /** Exact values of F64, F32, F16 and BF16 tensors. */
  async readFloat64(name: string): Promise<Float64Array> {
    if (this.info(name).storage === 'F64') return new Float64Array((await this.readRaw(name)).buffer as ArrayBuffer);
    return Float64Array.from(await this.readFloat32(name));
  }

  /** Values of I32 and I64 tensors; ATPC-207 for a value outside 32 bits. */
  async readInt32(name: string): Promise<Int32Array> {
    const { storage } = this.info(name);
    if (storage === 'I32') return new Int32Array((await this.readRaw(name)).buffer as ArrayBuffer);
    if (storage !== 'I64') throw this.#unsupported(name, ['I32', 'I64']);
    return Int32Array.from(new BigInt64Array((await this.readRaw(name)).buffer as ArrayBuffer), (value) => {
      if (BigInt.asIntN(32, value) === value) return Number(value);
      throw new AtpcError('ATPC-207', `The tensor '${name}' in ${this.file} has the value ${value}, which does not fit 32 bits.`);
    });
  }

  #unsupported(name: string, accepted: readonly string[]): AtpcError {
    const { storage } = this.info(name);
    return new AtpcError(
      'ATPC-207',
      `The tensor '${name}' in ${this.file} has the element type ${storage}, and one of ${accepted.join(', ')} is needed.`,
    );
  }
}

// The arrays below begin at offset 0 of a buffer of their own, so that offsets in the file need not be aligned.
const toFloat32: { readonly [K in SafetensorsType]?: (bytes: ArrayBuffer) => Float32Array } = {
  F32: (bytes) => new Float32Array(bytes),
  F16: (bytes) => float16ToFloat32(new Uint16Array(bytes)),
  BF16: (bytes) => bfloat16ToFloat32(new Uint16Array(bytes)),
};

/** Ranges in the file, after the checks that the format asks for: each as long as its shape, no overlap, no hole, all of the file. */
function checkedRanges(
  file: string,
  tensors: Readonly<
    Record<string, { dtype: SafetensorsType; shape: readonly number[]; data_offsets: readonly [number, number] }>
  >,
  dataStart: number,
  fileBytes: number,
): ReadonlyMap<string, SafetensorsInfo> {
  const ranges = new Map<string, SafetensorsInfo>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(tensors)) {
    const [begin, end] = offsets;
    const range = `the tensor '${name}' lies at bytes ${begin} to ${end} of the data`;
    if (end < begin) throw damaged(file, `${range}, which ends before it begins`);
    if (dataStart + end > fileBytes)
      throw damaged(file, `${range}, and the data has ${fileBytes - dataStart} bytes: the file is truncated or its header lies`);
    const elements = shape.reduce((product, size) => product * size, 1);
    const bytes = (elements * safetensorsTypes[dtype]) / 8;
    if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(bytes)) {
      throw damaged(
        file,
        `the tensor '${name}' has the shape ${formatShape(shape)} of ${dtype}, which is no whole and countable number of bytes`,
      );
    }
    if (bytes !== end - begin) {
      throw damaged(
        file,
        `${range}, which is ${end - begin} bytes, and its shape ${formatShape(shape)} of ${dtype} takes ${bytes}`,
      );
    }
    ranges.set(name, { storage: dtype, shape, begin: dataStart + begin, end: dataStart + end });
  }
  const inOrder = [...ranges].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let previous = { name: '', end: dataStart };
  for (const [name, { begin, end }] of inOrder) {
    const at = begin - dataStart;
    const reached = previous.end - dataStart;
    if (at < reached)
      throw damaged(file, `the tensors '${previous.name}' and '${name}' overlap at bytes ${at} to ${reached} of the data`);
    if (at > reached)
      throw damaged(file, `bytes ${reached} to ${at} of the data, before the tensor '${name}', belong to no tensor`);
    previous = { name, end };
  }
  if (previous.end !== fileBytes) {
    throw damaged(
      file,
      `bytes ${previous.end - dataStart} to ${fileBytes - dataStart} of the data, at its end, belong to no tensor`,
    );
  }
  return ranges;
}

/** What is to be thrown where the file ended at a byte while a tensor, or else the header, was read. */
function endedEarly(file: string, end: number, tensor?: string): (at: number) => AtpcError {
  const what = tensor === undefined ? 'its header' : `the tensor '${tensor}'`;
  return (at) =>
    damaged(file, `it ended at byte ${at} while ${what} was read up to byte ${end}: it has changed since it was opened`);
}

function damaged(file: string, fault: string): AtpcError {
  return new AtpcError('ATPC-204', `${file} is damaged: ${fault}.`);
}
