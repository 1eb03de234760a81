import { AtpcError } from '../../errors.ts';
import type { Program } from '../../format/program.ts';
import type { DeviceTensorWriter } from '../device-tensor-writer.ts';
import { alignBytes } from '../slot-bytes.ts';
import { weightWriterOf, type StoredTensor } from '../weight-writer.ts';
import type { DeviceLimits } from './device.ts';
import { checkWeights, largestBinding } from './preflight.ts';

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

  /** As weightWriterOf says. */
  writer(queue: GPUQueue, tensor: StoredTensor): DeviceTensorWriter<GPUBuffer> | undefined {
    const placeOf = (buffer: number): { readonly buffer: GPUBuffer; readonly offset: number } => {
      const range = this.#rangeOf(buffer);
      return { buffer: this.#buffers[range.buffer] as GPUBuffer, offset: range.offset };
    };
    return weightWriterOf(this.#program, tensor, placeOf, (buffer, offset, bytes) => queue.writeBuffer(buffer, offset, bytes));
  }
}
