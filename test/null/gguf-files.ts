/** GGUF files for the import tests, written byte by byte so that they can lie. */

export type GgufScalar = readonly [type: 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'f32' | 'bool', value: number | bigint | boolean];
/** A value as the file has it: its type and its contents. */
export type GgufEntry =
  | GgufScalar
  | readonly [type: 'string', value: string]
  | readonly [type: 'strings', value: readonly string[]]
  | readonly [type: 'numbers', element: 'i32' | 'f32', value: readonly number[]]
  /** Type id and bytes as they are. */
  | readonly [type: 'raw', id: number, bytes: Uint8Array];

export interface GgufTensorSpec {
  readonly name: string;
  /** Row-major. */
  readonly shape: readonly (number | bigint)[];
  /** Type id. */
  readonly type: number;
  readonly data: Uint8Array;
  /** Where it is said to lie, instead of where it lies. */
  readonly offset?: bigint;
}
export interface GgufSpec {
  readonly version?: number;
  readonly alignment?: number;
  readonly metadata?: Readonly<Record<string, GgufEntry>> | readonly (readonly [string, GgufEntry])[];
  readonly tensors?: readonly GgufTensorSpec[];
  /** What the file claims instead of what it has. */
  readonly claims?: { readonly tensors?: bigint; readonly keys?: bigint };
}

const ids = { u8: 0, u16: 2, u32: 4, i32: 5, f32: 6, bool: 7, u64: 10 } as const;

class Bytes {
  readonly #parts: Uint8Array[] = [];
  length = 0;

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.length += bytes.length;
    return this;
  }
  scalar(type: keyof typeof ids, value: number | bigint | boolean): this {
    const view = new DataView(new ArrayBuffer(8));
    const sizes = { u8: 1, u16: 2, u32: 4, i32: 4, f32: 4, bool: 1, u64: 8 };
    if (type === 'u64') view.setBigUint64(0, BigInt(value), true);
    else if (type === 'f32') view.setFloat32(0, Number(value), true);
    else view.setInt32(0, Number(value), true);
    return this.raw(new Uint8Array(view.buffer, 0, sizes[type]));
  }
  string(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.scalar('u64', bytes.length).raw(bytes);
  }
  pad(alignment: number): this {
    return this.raw(new Uint8Array((alignment - (this.length % alignment)) % alignment));
  }
  join(): Uint8Array {
    const bytes = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

function writeEntry(bytes: Bytes, entry: GgufEntry): void {
  switch (entry[0]) {
    case 'string':
      bytes.scalar('u32', 8).string(entry[1]);
      return;
    case 'strings':
      bytes.scalar('u32', 9).scalar('u32', 8).scalar('u64', entry[1].length);
      for (const text of entry[1]) bytes.string(text);
      return;
    case 'numbers':
      bytes.scalar('u32', 9).scalar('u32', ids[entry[1]]).scalar('u64', entry[2].length);
      for (const number of entry[2]) bytes.scalar(entry[1], number);
      return;
    case 'raw':
      bytes.scalar('u32', entry[1]).raw(entry[2]);
      return;
    default:
      bytes.scalar('u32', ids[entry[0]]).scalar(entry[0], entry[1]);
  }
}

/** Little-endian u64s, for raw values. */
export function u64s(...values: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values).buffer);
}

export function ggufBytes({ version = 3, alignment = 32, metadata = {}, tensors = [], claims = {} }: GgufSpec): Uint8Array {
  const entries: readonly (readonly [string, GgufEntry])[] = isList(metadata) ? metadata : Object.entries(metadata);
  const bytes = new Bytes().raw(new TextEncoder().encode('GGUF')).scalar('u32', version);
  bytes.scalar('u64', claims.tensors ?? tensors.length).scalar('u64', claims.keys ?? entries.length);
  for (const [key, entry] of entries) {
    bytes.string(key);
    writeEntry(bytes, entry);
  }
  const data = new Bytes();
  for (const tensor of tensors) {
    bytes.string(tensor.name).scalar('u32', tensor.shape.length);
    for (const size of [...tensor.shape].reverse()) bytes.scalar('u64', size);
    bytes.scalar('u32', tensor.type).scalar('u64', tensor.offset ?? data.pad(alignment).length);
    data.raw(tensor.data);
  }
  return bytes.pad(alignment).raw(data.join()).join();
}

export function f32Tensor(name: string, shape: readonly number[], values: ArrayLike<number>): GgufTensorSpec {
  return { name, shape, type: 0, data: new Uint8Array(Float32Array.from(values).buffer) };
}

function isList(metadata: NonNullable<GgufSpec['metadata']>): metadata is readonly (readonly [string, GgufEntry])[] {
  return Array.isArray(metadata);
}
