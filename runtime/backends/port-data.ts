import type { TensorOutput } from '../api.ts';
import { AtpcError } from '../errors.ts';
import type { PreparedInputs } from '../inputs.ts';
import type { PlacedPort } from './slot-plan.ts';

export function elementsOf({ shape }: PlacedPort): number {
  return shape.reduce((product, size) => product * size, 1);
}
type InputData = PreparedInputs['tensors'][number]['data'];
/** What goes into an input. Throws ATPC-601 where it is missing or does not fit. */
export function inputData(port: PlacedPort, tensors: PreparedInputs['tensors']): InputData {
  const data = tensors.find(({ name }) => name === port.name)?.data;
  if (data?.length !== elementsOf(port) || data instanceof Float32Array !== (port.elementType === 'f32'))
    throw new AtpcError('ATPC-601', `The input '${port.name}' is missing or does not fit [${port.shape.join(', ')}].`);
  return data;
}
/** The output that lies in a buffer from some byte on, as a copy of its own. */
export function outputData(port: PlacedPort, buffer: ArrayBuffer, from: number): TensorOutput {
  const { shape, elementType } = port;
  const elements = elementsOf(port);
  if (elementType === 'f32') return { elementType, shape, data: new Float32Array(buffer, from, elements).slice() };
  const integers = new Int32Array(buffer, from, elements);
  if (elementType === 'i32') return { elementType, shape, data: integers.slice() };
  return { elementType, shape, data: Uint8Array.from(integers) };
}
