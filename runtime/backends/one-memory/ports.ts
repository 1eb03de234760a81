import type { TensorOutput } from '../../api.ts';
import { AtpcError } from '../../errors.ts';
import type { PreparedInputs } from '../../inputs.ts';
import type { PreparedPort } from './plan.ts';

/** Where the elements of a port lie. */
export interface PortPlace {
  readonly memory: ArrayBufferLike;
  readonly address: number;
}

/** Throws ATPC-601 for an input that is missing or does not fit. */
export function writeInput(port: PreparedPort, { tensors }: PreparedInputs, { memory, address }: PortPlace): void {
  const data = tensors.find((tensor) => tensor.name === port.name)?.data;
  if (data?.length !== port.elements || data instanceof Float32Array !== (port.elementType === 'f32')) {
    throw new AtpcError('ATPC-601', `The input '${port.name}' is missing or does not fit [${port.shape.join(', ')}].`);
  }
  if (data instanceof Float32Array) new Float32Array(memory, address, port.elements).set(data);
  else new Int32Array(memory, address, port.elements).set(data);
}

/** A copy of what lies there. */
export function readOutput({ name, shape, elements, elementType }: PreparedPort, { memory, address }: PortPlace): TensorOutput {
  if (elementType === 'u8' || elementType === 'f16')
    throw new AtpcError('ATPC-403', `The output '${name}' of program.json is stored as weights are.`);
  if (elementType === 'f32') return { elementType, shape, data: new Float32Array(memory, address, elements).slice() };
  const integers = new Int32Array(memory, address, elements);
  if (elementType === 'i32') return { elementType, shape, data: integers.slice() };
  return { elementType, shape, data: Uint8Array.from(integers) };
}
