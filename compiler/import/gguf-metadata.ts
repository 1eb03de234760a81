/** Keys and values of a GGUF header (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). */
import { AtpcError } from '../../runtime/errors.ts';
import type { GgufCursor } from './gguf-cursor.ts';

/** 64-bit integers are rounded to a double: none that is read here is near 2^53. */
export type GgufValue = number | boolean | string | readonly string[] | Float64Array;

interface ScalarType {
  readonly name: string;
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
}
const booleanType = 7;
const stringType = 8;
const arrayType = 9;
/** The numeric value types by id; booleans are one byte. */
const scalarTypes: ReadonlyMap<number, ScalarType> = new Map<number, ScalarType>([
  [0, { name: 'u8', bytes: 1, read: (view, at) => view.getUint8(at) }],
  [1, { name: 'i8', bytes: 1, read: (view, at) => view.getInt8(at) }],
  [2, { name: 'u16', bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  [3, { name: 'i16', bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  [4, { name: 'u32', bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  [5, { name: 'i32', bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  [6, { name: 'f32', bytes: 4, read: (view, at) => view.getFloat32(at, true) }],
  [booleanType, { name: 'bool', bytes: 1, read: (view, at) => view.getUint8(at) }],
  [10, { name: 'u64', bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) }],
  [11, { name: 'i64', bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) }],
  [12, { name: 'f64', bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
]);

/** Far above any vocabulary: a lying count must not take all memory. */
const maxArrayLength = 4 * 2 ** 20;

/** Reads a value of the type that stands before it. */
export function readGgufValue(cursor: GgufCursor, key: string): GgufValue {
  const what = `the value of '${key}'`;
  const type = cursor.unsigned32(`the type of '${key}'`);
  if (type === stringType) return cursor.text(what);
  if (type === arrayType) return readArray(cursor, key, what);
  const scalar = scalarTypes.get(type);
  if (scalar === undefined) throw cursor.fault(`${what} has the type ${type}, which is not known`);
  const value = scalar.read(cursor.view(scalar.bytes, what), 0);
  return type === booleanType ? value !== 0 : value;
}

function readArray(cursor: GgufCursor, key: string, what: string): readonly string[] | Float64Array {
  const type = cursor.unsigned32(`the element type of '${key}'`);
  const length = cursor.count(`the length of '${key}'`);
  const scalar = scalarTypes.get(type);
  if (scalar === undefined && type !== stringType)
    throw cursor.fault(`${what} is a list of the type ${type}, which is not known`);
  // A string takes 8 bytes for its length alone.
  const least = length * (scalar?.bytes ?? 8);
  if (least > cursor.left)
    throw cursor.fault(
      `${what} is said to be ${length} elements, which take ${least} bytes or more, and ${cursor.left} are left of the file`,
    );
  if (length > maxArrayLength)
    throw cursor.fault(`${what} is said to be ${length} elements, and at most ${maxArrayLength} are accepted`);
  if (scalar === undefined) return Array.from({ length }, (_, index) => cursor.text(`element ${index} of '${key}'`));
  const view = cursor.view(least, what);
  return Float64Array.from({ length }, (_, index) => scalar.read(view, index * scalar.bytes));
}

/** The values by key. A key of another type than is asked for throws ATPC-202. */
export class GgufMetadata {
  readonly file: string;
  readonly #values: ReadonlyMap<string, GgufValue>;

  constructor(file: string, values: ReadonlyMap<string, GgufValue>) {
    this.file = file;
    this.#values = values;
  }

  keys(): readonly string[] {
    return [...this.#values.keys()];
  }
  has(key: string): boolean {
    return this.#values.has(key);
  }
  get(key: string): GgufValue | undefined {
    return this.#values.get(key);
  }

  text(key: string): string | undefined {
    return this.#typed(key, 'a text', (value) => typeof value === 'string');
  }
  flag(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value) => typeof value === 'boolean');
  }
  texts(key: string): readonly string[] | undefined {
    return this.#typed(key, 'a list of texts', (value): value is readonly string[] => Array.isArray(value));
  }
  numbers(key: string): Float64Array | undefined {
    return this.#typed(key, 'a list of numbers', (value) => value instanceof Float64Array);
  }
  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value): value is number => typeof value === 'number' && Number.isFinite(value));
  }
  /** An integer that is not negative, of any of the integer types. */
  integer(key: string): number | undefined {
    return this.#typed(
      key,
      'an integer that is not negative',
      (value): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
    );
  }

  #typed<T extends GgufValue>(key: string, wanted: string, is: (value: GgufValue) => value is T): T | undefined {
    const value = this.#values.get(key);
    if (value === undefined || is(value)) return value;
    throw new AtpcError('ATPC-202', `${this.file} has the metadata ${key} = ${formatValue(value)}, and ${wanted} is needed.`);
  }

  /** What `read` gave for a key that has to be there; ATPC-202 where it is not. */
  required<T>(key: string, value: T | undefined): T {
    if (value !== undefined) return value;
    throw new AtpcError('ATPC-202', `${this.file} has no metadata ${key}.`);
  }
}

function formatValue(value: GgufValue): string {
  if (value instanceof Float64Array) return `a list of ${value.length} numbers`;
  if (typeof value === 'object') return `a list of ${value.length} texts`;
  return typeof value === 'string' ? `'${value.slice(0, 60)}'` : String(value);
}
