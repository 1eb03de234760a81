/** Where tensors come from: files of a checkpoint or memory, under the names that the model uses. */
import { AtpcError } from '../../runtime/errors.ts';
import type { SafetensorsType } from '../schema/safetensors.ts';
import type { BlockFormat, BlockMatrix } from './block-format.ts';

export interface TensorInfo {
  /** How the values are stored; for a quantised tensor that of its scales. */
  readonly storage: SafetensorsType;
  readonly shape: readonly number[];
  /** The blocks of a quantised matrix; absent for a tensor of plain numbers. */
  readonly format?: BlockFormat;
}

export interface TensorSource {
  /** In a deterministic order. */
  names(): readonly string[];
  has(name: string): boolean;
  /** Throws ATPC-205 for a name that is not there. */
  info(name: string): TensorInfo;
  /** Row-major values, exactly as stored, for F32, F16 and BF16; ATPC-207 for other types. The array is the caller's. */
  readFloat32(name: string): Promise<Float32Array>;
  /** The stored bytes, little-endian, row-major. The array is the caller's, at offset 0 of a buffer of its own. */
  readRaw(name: string): Promise<Uint8Array>;
  /** The blocks of a tensor whose info has a format; absent for a source that has none. */
  readBlocks?(name: string): Promise<BlockMatrix>;
}

export interface MemoryTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** F32 tensors that are in memory already. */
export function memorySource(tensors: Readonly<Record<string, MemoryTensor>>): TensorSource {
  const find = (name: string): MemoryTensor => {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (tensor === undefined) throw missingTensor(name);
    return tensor;
  };
  return {
    names: () => Object.keys(tensors),
    has: (name) => Object.hasOwn(tensors, name),
    info: (name) => ({ storage: 'F32', shape: find(name).shape }),
    readFloat32: async (name) => find(name).data.slice(),
    readRaw: async (name) => new Uint8Array(find(name).data.slice().buffer),
  };
}

/** The same tensors under other names: `names` maps the new name to the one in `source`; what it leaves out is hidden. */
export function renamedSource(source: TensorSource, names: ReadonlyMap<string, string>): TensorSource {
  const stored = (name: string): string => {
    const found = names.get(name);
    if (found === undefined) throw missingTensor(name);
    return found;
  };
  const order = [...names.keys()];
  return {
    names: () => order,
    has: (name) => names.has(name),
    info: (name) => source.info(stored(name)),
    readFloat32: async (name) => await source.readFloat32(stored(name)),
    readRaw: async (name) => await source.readRaw(stored(name)),
    readBlocks: async (name) => await readBlocks(source, stored(name)),
  };
}

/** A source in which some tensors have other values, in F32. */
export function overlaidSource(source: TensorSource, changed: Readonly<Record<string, MemoryTensor>>): TensorSource {
  const memory = memorySource(changed);
  const of = (name: string): TensorSource => (memory.has(name) ? memory : source);
  return {
    names: () => source.names(),
    has: (name) => source.has(name),
    info: (name) => of(name).info(name),
    readFloat32: async (name) => await of(name).readFloat32(name),
    readRaw: async (name) => await of(name).readRaw(name),
    readBlocks: async (name) => await readBlocks(of(name), name),
  };
}

/** The blocks of a tensor of a source. Throws ATPC-399 for one that is not in blocks: its info has no format. */
export async function readBlocks(source: TensorSource, name: string): Promise<BlockMatrix> {
  if (source.readBlocks === undefined || source.info(name).format === undefined)
    throw new AtpcError('ATPC-399', `The blocks of the tensor '${name}' were to be read, and it has none.`);
  return await source.readBlocks(name);
}

/** The formats of the matrices in blocks of a source, by name; null for plain numbers and for what it does not have. */
export function formatsOf(source: TensorSource): (name: string) => BlockFormat | null {
  return (name) => (source.has(name) ? (source.info(name).format ?? null) : null);
}

export function missingTensor(name: string): AtpcError {
  return new AtpcError('ATPC-205', `The weights have no tensor '${name}'.`);
}

export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
