import { AtpcError } from '../errors.ts';
import type { ManifestTensor } from '../format/manifest.ts';
import type { Program } from '../format/program.ts';
import { DeviceTensorWriter, type DeviceDestination, type WriteBytes } from './device-tensor-writer.ts';

export type StoredTensor = Pick<ManifestTensor, 'name' | 'storage' | 'shape'>;
/** Where the buffer of a weight begins. */
export interface WeightPlace<Buffer> {
  readonly buffer: Buffer;
  readonly offset: number;
}

/**
 * Takes the stored bytes of a tensor to its places on a device; undefined for a tensor that the program does not use. Throws ATPC-403
 * for one of another shape.
 */
export function weightWriterOf<Buffer>(
  program: Program,
  tensor: StoredTensor,
  placeOf: (buffer: number) => WeightPlace<Buffer>,
  write: WriteBytes<Buffer>,
): DeviceTensorWriter<Buffer> | undefined {
  const uses = program.weights.filter((weight) => weight.tensor === tensor.name);
  if (uses.length === 0) return undefined;
  const destinations = uses.map(({ buffer, shape, rows = [0, shape[0] ?? 1], packing }): DeviceDestination<Buffer> => {
    const halves = program.buffers[buffer]?.elementType === 'f16';
    if (halves && tensor.storage !== 'F16')
      throw new AtpcError('ATPC-403', `The tensor '${tensor.name}' is stored as ${tensor.storage}; program.json needs F16.`);
    if (JSON.stringify(shape) !== JSON.stringify(tensor.shape) || packing.kind !== 'rows') {
      throw new AtpcError(
        'ATPC-403',
        `The tensor '${tensor.name}' is [${tensor.shape.join(', ')}]; program.json needs [${shape.join(', ')}] in ${packing.kind}.`,
      );
    }
    const width = shape.slice(1).reduce((product, size) => product * size, 1);
    return { ...placeOf(buffer), halves, elements: [rows[0] * width, rows[1] * width] };
  });
  const elements = tensor.shape.reduce((product, size) => product * size, 1);
  return new DeviceTensorWriter(write, tensor.storage, elements, destinations);
}
