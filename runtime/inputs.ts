import type { NestedArray, TensorData } from './api.ts';
import { AtpcError } from './errors.ts';
import { evaluateExpression, type SizeExpression } from './format/expression.ts';
import type { Manifest, ManifestPort } from './format/manifest.ts';
import type { EntryPointName } from './format/program.ts';
import { suggestion } from './suggest.ts';

export type Dims = Readonly<Record<string, number>>;
/** What a backend takes: the values of the dims, and a copy of every input; bool as i32. */
export interface PreparedInputs {
  /** Which entry point of the program; `forward` unless said. */
  readonly entry?: EntryPointName;
  /** The state that the call reads and writes (Backend.openState), for entry points that have one. */
  readonly state?: number;
  readonly dims: Dims;
  readonly tensors: readonly PreparedTensor[];
}
export interface PreparedTensor {
  readonly name: string;
  readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
}
type Ports = Pick<Manifest, 'inputs' | 'dims'>;
interface GivenTensor {
  readonly data: TensorData;
  readonly shape: readonly number[];
}

/**
 * Checks named tensors against the input ports, infers the dims from their shapes and fills inputs that were left out.
 * Throws ATPC-601 (missing, unknown, wrong type), ATPC-602 (shape), ATPC-603 (too long) and ATPC-604 (id out of range).
 */
export function prepareInputs(ports: Ports, inputs: unknown): PreparedInputs {
  if (typeof inputs !== 'object' || inputs === null || Array.isArray(inputs)) {
    throw new AtpcError('ATPC-601', 'run takes an object of named inputs.', { hint: `Inputs: ${describePorts(ports)}.` });
  }
  const names = ports.inputs.map((port) => port.name);
  for (const name of Object.keys(inputs)) {
    if (!names.includes(name)) {
      throw new AtpcError('ATPC-601', `The model has no input '${name}'.`, { hint: suggestion(name, names) });
    }
  }
  const given = new Map<string, GivenTensor>();
  for (const [name, value] of Object.entries(inputs)) if (value !== undefined) given.set(name, toTensor(name, value));
  const dims = inferDims(ports, given);
  return { dims, tensors: ports.inputs.map((port) => ({ name: port.name, data: portData(port, given.get(port.name), dims) })) };
}

function describePorts(ports: Ports): string {
  return ports.inputs.map((port) => `${port.name} ${port.elementType}[${port.shape.map(formatSize).join(', ')}]`).join('; ');
}
function formatSize(size: SizeExpression): string {
  return typeof size === 'object' ? `(${formatSize(size[1])} ${size[0]} ${formatSize(size[2])})` : String(size);
}
const formatShape = (shape: readonly SizeExpression[]): string => `[${shape.map(formatSize).join(', ')}]`;

function toTensor(name: string, value: unknown): GivenTensor {
  if (Array.isArray(value)) return fromNested(name, value as NestedArray);
  if (typeof value === 'object' && value !== null && 'data' in value && 'shape' in value) {
    const { data, shape } = value;
    const isData = Array.isArray(data) || (ArrayBuffer.isView(data) && !(data instanceof DataView));
    const isShape = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= 0);
    if (!isData || !isShape) {
      throw new AtpcError('ATPC-601', `The input '${name}' has no valid data and shape.`, { hint: inputHint });
    }
    const tensor = value as GivenTensor;
    const elements = tensor.shape.reduce((product, size) => product * size, 1);
    if (elements !== tensor.data.length) {
      throw new AtpcError(
        'ATPC-602',
        `The input '${name}' has ${tensor.data.length} values; its shape ${formatShape(tensor.shape)} needs ${elements}.`,
      );
    }
    return tensor;
  }
  throw new AtpcError('ATPC-601', `The input '${name}' is not a tensor.`, { hint: inputHint });
}
const inputHint = 'An input is { data, shape } with a typed array or an array of numbers, or nested arrays.';

type Level = NestedArray[number];
const isNested = (level: Level | undefined): level is NestedArray => Array.isArray(level);

function fromNested(name: string, value: NestedArray): GivenTensor {
  const shape: number[] = [];
  for (let level: Level | undefined = value; isNested(level); level = level[0]) shape.push(level.length);
  const data: (number | bigint | boolean)[] = [];
  const collect = (level: Level, axis: number): void => {
    if (isNested(level) ? level.length !== shape[axis] : axis !== shape.length) {
      throw new AtpcError('ATPC-602', `The nested arrays of the input '${name}' are not all of the shape ${formatShape(shape)}.`);
    }
    if (isNested(level)) for (const inner of level) collect(inner, axis + 1);
    else data.push(level);
  };
  collect(value, 0);
  return { data, shape };
}

function inferDims(ports: Ports, given: ReadonlyMap<string, GivenTensor>): Dims {
  const dims: Record<string, number> = {};
  const boundBy: Record<string, string> = {};
  for (const port of ports.inputs) {
    const tensor = given.get(port.name);
    if (tensor === undefined) {
      if (port.default !== undefined) continue;
      throw new AtpcError('ATPC-601', `The input '${port.name}' is missing.`, { hint: `Inputs: ${describePorts(ports)}.` });
    }
    if (tensor.shape.length !== port.shape.length) throw shapeError(port, tensor.shape);
    for (const [axis, size] of port.shape.entries()) {
      const found = tensor.shape[axis] as number;
      if (typeof size !== 'string') continue;
      const known = (dims[size] ??= found);
      boundBy[size] ??= port.name;
      if (known !== found) throw shapeError(port, tensor.shape, `${size} is ${known} in '${boundBy[size]}'`);
    }
  }
  for (const dim of ports.dims) {
    const value = dims[dim.name];
    if (value === undefined) continue;
    const where = `The input '${boundBy[dim.name]}' has ${dim.name} = ${value}`;
    if (value > dim.max) throw new AtpcError('ATPC-603', `${where}; the model allows at most ${dim.max}.`);
    if (value < dim.min) throw new AtpcError('ATPC-602', `${where}; the model needs at least ${dim.min}.`);
  }
  for (const port of ports.inputs) {
    const tensor = given.get(port.name);
    const expected = shapeOf(port, dims);
    if (tensor && expected.some((size, axis) => size !== tensor.shape[axis])) throw shapeError(port, tensor.shape);
  }
  return dims;
}
function shapeOf(port: ManifestPort, dims: Dims): number[] {
  try {
    return port.shape.map((size) => evaluateExpression(size, dims));
  } catch (cause) {
    throw new AtpcError(
      'ATPC-601',
      `The shape ${formatShape(port.shape)} of '${port.name}' does not follow from the inputs given.`,
      {
        cause,
      },
    );
  }
}
function shapeError(port: ManifestPort, found: readonly number[], why = ''): AtpcError {
  const reason = why === '' ? '' : `: ${why}`;
  return new AtpcError(
    'ATPC-602',
    `The input '${port.name}' has the shape ${formatShape(found)}; the model takes ${formatShape(port.shape)}${reason}.`,
  );
}

function portData(port: ManifestPort, given: GivenTensor | undefined, dims: Dims): PreparedTensor['data'] {
  if (given === undefined) {
    const elements = shapeOf(port, dims).reduce((product, size) => product * size, 1);
    const data = port.elementType === 'f32' ? new Float32Array(elements) : new Int32Array(elements);
    return data.fill(port.default ?? 0);
  }
  const data = convert[port.elementType](port, given.data);
  const { vocabulary } = port;
  if (vocabulary !== undefined) {
    const at = data.findIndex((id: number) => id < 0 || id >= vocabulary);
    if (at >= 0) {
      throw new AtpcError(
        'ATPC-604',
        `The input '${port.name}' has the id ${data[at]} at position ${at}; ids go from 0 to ${vocabulary - 1}.`,
        { hint: 'Was it made by the tokenizer of another model?' },
      );
    }
  }
  return data;
}

const convert: { readonly [K in ManifestPort['elementType']]: (port: ManifestPort, data: TensorData) => PreparedTensor['data'] } =
  {
    f32: (port, data) => {
      if (data instanceof Float32Array || data instanceof Float64Array) return new Float32Array(data);
      if (!Array.isArray(data)) throw typeError(port, data.constructor.name);
      return Float32Array.from(data, (value: unknown) => (typeof value === 'number' ? value : wrongValue(port, value)));
    },
    i32: (port, data) => {
      if (data instanceof Int32Array || data instanceof Uint8Array) return new Int32Array(data);
      if (!Array.isArray(data) && !(data instanceof BigInt64Array)) throw typeError(port, data.constructor.name);
      return Int32Array.from(data as ArrayLike<unknown>, (value) => {
        const number = typeof value === 'bigint' ? Number(value) : value;
        return typeof number === 'number' && (number | 0) === number ? number : wrongValue(port, value);
      });
    },
    bool: (port, data) => {
      const isIntegers = data instanceof Int32Array || data instanceof Uint8Array || data instanceof BigInt64Array;
      if (!Array.isArray(data) && !isIntegers) throw typeError(port, data.constructor.name);
      return Int32Array.from(data as ArrayLike<unknown>, (value) => {
        const number = Number(value);
        return number === 0 || number === 1 ? number : wrongValue(port, value);
      });
    },
  };
const accepted: { readonly [K in ManifestPort['elementType']]: string } = {
  f32: 'Float32Array, Float64Array or numbers',
  i32: 'Int32Array, BigInt64Array, Uint8Array or integers of 32 bits',
  bool: 'booleans, or 0 and 1 in an Int32Array, BigInt64Array or Uint8Array',
};
function typeError(port: ManifestPort, found: string): AtpcError {
  return new AtpcError('ATPC-601', `The input '${port.name}' is a ${found}; it takes ${accepted[port.elementType]}.`);
}
function wrongValue(port: ManifestPort, value: unknown): never {
  throw new AtpcError(
    'ATPC-601',
    `The input '${port.name}' holds the value ${String(value)}; it takes ${accepted[port.elementType]}.`,
  );
}
