import { AtpcError } from '../../errors.ts';
import type { ManifestTensor } from '../../format/manifest.ts';
import type { Program } from '../../format/program.ts';
import { alignBytes } from './device-buffers.ts';
import type { DeviceLimits } from './device.ts';
import { checkWeights, largestBinding } from './preflight.ts';
import { DeviceTensorWriter, type DeviceDestination } from './tensor-writer.ts';

// Weights share buffers of up to this size, which every device allows; a larger one has a buffer of its own.
const sharedBytes = 256 * 2 ** 20;

/** Where each weight lies: several share a buffer, none is cut. */
export class WeightRanges {
  readonly #program: Program;
  readonly #ranges = new Map<number, { readonly buffer: number; readonly offset: number; readonly bytes: number }>();
  /** Bytes of the buffers that hold all weights. */
  readonly bufferBytes: readonly number[];
  #buffers: readonly GPUBuffer[] = [];

  /** Throws ATPC-502 for a weight that no binding reaches. */
  constructor(program: Program, limits: DeviceLimits) {
    this.#program = program;
    checkWeights(program, largestBinding(limits), 'device');
    const sizes: number[] = [];
    let begin = 0;
    const weights = program.buffers
      .map((place, buffer) => ({ buffer, place }))
      .filter(({ place }) => place.class === 'weights')
      .sort((a, b) => Number(a.place.offset) - Number(b.place.offset));
    for (const { buffer, place } of weights) {
      const [start, bytes] = [Number(place.offset), alignBytes(Number(place.bytes))];
      if (sizes.length === 0 || start + bytes - begin > sharedBytes) {
        sizes.push(0);
        begin = start;
      }
      this.#ranges.set(buffer, { buffer: sizes.length - 1, offset: start - begin, bytes });
      sizes[sizes.length - 1] = start + bytes - begin;
    }
    this.bufferBytes = sizes;
  }

  placeIn(buffers: readonly GPUBuffer[]): void {
    this.#buffers = buffers;
  }
  binding(buffer: number): GPUBufferBinding {
    const { buffer: index, offset, bytes } = this.#rangeOf(buffer);
    return { buffer: this.#buffers[index] as GPUBuffer, offset, size: bytes };
  }
  #rangeOf(buffer: number): { readonly buffer: number; readonly offset: number; readonly bytes: number } {
    const range = this.#ranges.get(buffer);
    if (range) return range;
    throw new AtpcError('ATPC-403', `The buffer ${buffer} of program.json is bound as a weight and is none.`);
  }

  /** Takes the stored bytes of a tensor to its places; undefined for a tensor that the program does not use. Throws ATPC-403 for one of another shape. */
  writer(queue: GPUQueue, tensor: Pick<ManifestTensor, 'name' | 'storage' | 'shape'>): DeviceTensorWriter | undefined {
    const uses = this.#program.weights.filter((weight) => weight.tensor === tensor.name);
    if (uses.length === 0) return undefined;
    const destinations = uses.map(({ buffer, shape, rows = [0, shape[0] ?? 1], packing }): DeviceDestination => {
      const halves = this.#program.buffers[buffer]?.elementType === 'f16';
      if (halves && tensor.storage !== 'F16')
        throw new AtpcError('ATPC-403', `The tensor '${tensor.name}' is stored as ${tensor.storage}; program.json needs F16.`);
      if (JSON.stringify(shape) !== JSON.stringify(tensor.shape) || packing.kind !== 'rows') {
        throw new AtpcError(
          'ATPC-403',
          `The tensor '${tensor.name}' is [${tensor.shape.join(', ')}]; program.json needs [${shape.join(', ')}] in ${packing.kind}.`,
        );
      }
      const range = this.#rangeOf(buffer);
      const width = shape.slice(1).reduce((product, size) => product * size, 1);
      const elements = [rows[0] * width, rows[1] * width] as const;
      return { buffer: this.#buffers[range.buffer] as GPUBuffer, offset: range.offset, halves, elements };
    });
    const elements = tensor.shape.reduce((product, size) => product * size, 1);
    return new DeviceTensorWriter(queue, tensor.storage, elements, destinations);
  }
}
