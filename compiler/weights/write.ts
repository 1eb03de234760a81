/** The weight files of a package: safetensors shards, hashed while they are written. */
import { createHash } from 'node:crypto';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import type { ManifestFile, ManifestTensor } from '../../runtime/format/manifest.ts';
import { float16Max, float32ToBfloat16, float32ToFloat16, type Narrowed } from './float16.ts';
import { layoutSafetensors, tensorBytes, type SafetensorsLayout } from './safetensors-layout.ts';
import { formatShape, type TensorSource } from './tensor-source.ts';

export type WeightStorage = ManifestTensor['storage'];
/** Storage of plain numbers; U8 is that of the quants of a matrix in blocks. */
export type FloatStorage = Exclude<WeightStorage, 'U8'>;
export const weightStorages: readonly FloatStorage[] = ['F32', 'F16', 'BF16'];

export function isWeightStorage(storage: string): storage is FloatStorage {
  return weightStorages.some((known) => known === storage);
}

/** Data of a weight file; the manifest hashes each such chunk. */
export const chunkBytes = 16 * 2 ** 20;
const defaultShardBytes = 64 * 2 ** 20;

export interface WeightTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** How it is stored in the package. */
  readonly storage: WeightStorage;
  /** Values, which are converted to `storage`, or the stored bytes themselves. Called once, when its turn comes. */
  read(): Promise<Float32Array | Uint8Array>;
}

export interface WriteProgress {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly tensor: string;
}
export interface WriteOptions {
  readonly shardBytes?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: WriteProgress) => void;
}
export interface WrittenWeights {
  /** In the order of the files. */
  readonly tensors: readonly ManifestTensor[];
  readonly files: readonly ManifestFile[];
}

/**
 * A tensor of a source as plain numbers: its stored bytes where the storage stays, else its values. Default: it stays; the
 * values of blocks become F32.
 */
export function weightFrom(source: TensorSource, name: string, storage?: FloatStorage): WeightTensor {
  const { shape, storage: stored, format } = source.info(name);
  const stays = format === undefined && isWeightStorage(stored) ? stored : undefined;
  const target = storage ?? stays ?? 'F32';
  return {
    name,
    shape,
    storage: target,
    read: async () => (stays === target ? await source.readRaw(name) : await source.readFloat32(name)),
  };
}

/**
 * Writes `weights/00001.safetensors` and so on into the folder, in the order given; a tensor that does not fit a shard any
 * more begins the next one, so that one above `shardBytes` has a shard of its own. One tensor is in memory at a time. The
 * same tensors give the same bytes. Throws ATPC-207 for a value that the storage type cannot hold and the signal's reason
 * once it is aborted; files written until then stay, the caller owns the folder.
 */
export async function writeWeights(
  folder: string,
  tensors: readonly WeightTensor[],
  options: WriteOptions = {},
): Promise<WrittenWeights> {
  const { signal, onProgress, shardBytes = defaultShardBytes } = options;
  const shards = splitIntoShards(tensors, shardBytes);
  const totalBytes = shards.reduce((sum, shard) => sum + shard.fileBytes, 0);
  const written: { tensors: ManifestTensor[]; files: ManifestFile[] } = { tensors: [], files: [] };
  await mkdir(path.join(folder, 'weights'), { recursive: true });
  let bytes = 0;
  for (const [index, shard] of shards.entries()) {
    const file = `weights/${String(index + 1).padStart(5, '0')}.safetensors`;
    const handle = await open(path.join(folder, file), 'w');
    try {
      const output = new HashedOutput(handle);
      await output.write(shard.header);
      bytes += shard.header.length;
      for (const { tensor, begin, end } of shard.tensors) {
        signal?.throwIfAborted();
        await output.write(storedBytes(tensor, await tensor.read()));
        bytes += end - begin;
        written.tensors.push({ name: tensor.name, storage: tensor.storage, shape: tensor.shape, file, begin, end });
        onProgress?.({ bytes, totalBytes, tensor: tensor.name });
      }
      written.files.push({ path: file, ...output.digest() });
    } finally {
      await handle.close();
    }
  }
  return written;
}

function splitIntoShards(tensors: readonly WeightTensor[], shardBytes: number): readonly SafetensorsLayout<WeightTensor>[] {
  const names = new Set<string>();
  const shards: WeightTensor[][] = [];
  let current: WeightTensor[] = [];
  let used = 0;
  for (const tensor of tensors) {
    if (names.has(tensor.name)) throw new AtpcError('ATPC-399', `The tensor '${tensor.name}' was to be written twice.`);
    names.add(tensor.name);
    const bytes = tensorBytes(tensor);
    if (current.length > 0 && used + bytes > shardBytes) {
      shards.push(current);
      current = [];
      used = 0;
    }
    current.push(tensor);
    used += bytes;
  }
  if (current.length > 0) shards.push(current);
  return shards.map((shard) => layoutSafetensors(shard));
}

function storedBytes(tensor: WeightTensor, data: Float32Array | Uint8Array): Uint8Array {
  const stored = data instanceof Float32Array ? convert[tensor.storage](tensor, data) : data;
  const expected = tensorBytes(tensor);
  if (stored.byteLength === expected) return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  throw new AtpcError(
    'ATPC-399',
    `The tensor '${tensor.name}' of shape ${formatShape(tensor.shape)} takes ${expected} bytes as ${tensor.storage}, and ${stored.byteLength} were given.`,
  );
}

const convert: { readonly [K in WeightStorage]: (tensor: WeightTensor, values: Float32Array) => ArrayBufferView } = {
  U8: ({ name }) => {
    throw new AtpcError('ATPC-399', `The tensor '${name}' is stored as U8, and numbers were given for it.`);
  },
  F32: (_, values) => values,
  F16: (tensor, values) => narrowed(tensor, values, float32ToFloat16(values)),
  BF16: (tensor, values) => narrowed(tensor, values, float32ToBfloat16(values)),
};

function narrowed(tensor: WeightTensor, values: Float32Array, { halves, overflow }: Narrowed): Uint16Array {
  if (overflow < 0) return halves;
  throw new AtpcError(
    'ATPC-207',
    `The tensor '${tensor.name}' has the value ${values[overflow]} (element ${overflow}), which ${tensor.storage} cannot hold.`,
    {
      hint:
        tensor.storage === 'F16'
          ? `The largest F16 is ${float16Max}; keep the weights in F32 or BF16.`
          : 'Keep the weights in F32.',
    },
  );
}

/** Appends to a file and hashes what it appends: the whole, and each chunk. */
class HashedOutput {
  readonly #handle: FileHandle;
  readonly #whole = createHash('sha256');
  #chunk = createHash('sha256');
  #inChunk = 0;
  #bytes = 0;
  readonly #chunks: string[] = [];

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + chunkBytes - this.#inChunk);
      // The write runs in another thread while this one hashes.
      const writing = this.#handle.writeFile(part);
      this.#whole.update(part);
      this.#chunk.update(part);
      await writing;
      at += part.length;
      this.#bytes += part.length;
      this.#inChunk += part.length;
      if (this.#inChunk === chunkBytes) this.#endChunk();
    }
  }

  #endChunk(): void {
    this.#chunks.push(this.#chunk.digest('hex'));
    this.#chunk = createHash('sha256');
    this.#inChunk = 0;
  }

  digest(): Omit<ManifestFile, 'path'> {
    if (this.#inChunk > 0) this.#endChunk();
    const file = { bytes: this.#bytes, sha256: this.#whole.digest('hex') };
    return this.#chunks.length > 1 ? { ...file, chunks: this.#chunks } : file;
  }
}
