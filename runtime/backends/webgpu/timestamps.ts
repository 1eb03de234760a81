import type { StepTime } from '../../api.ts';
import type { PlacedDispatch } from '../slot-plan.ts';
import type { DeviceBuffers } from './device-buffers.ts';
import { usage } from './usage.ts';

// The most queries of a set (WebGPU, section 20.1); two a dispatch.
const queriesOfSet = 4096;
const stampBytes = 8;

/** Times of dispatches on the clock of the device: each is a pass of its own, with a timestamp before and after it. */
export class Timestamps {
  readonly #device: GPUDevice;
  readonly #buffers: DeviceBuffers;
  readonly #sets: GPUQuerySet[] = [];
  #resolved: GPUBuffer | undefined;

  constructor(device: GPUDevice, buffers: DeviceBuffers) {
    this.#device = device;
    this.#buffers = buffers;
  }
  static areThere(device: GPUDevice): boolean {
    return device.features.has('timestamp-query');
  }
  static bytesOf(dispatches: number): number {
    return dispatches * 2 * stampBytes;
  }

  async reserve(dispatches: number): Promise<void> {
    while (this.#sets.length * queriesOfSet < dispatches * 2)
      this.#sets.push(this.#device.createQuerySet({ type: 'timestamp', count: queriesOfSet }));
    const bytes = Timestamps.bytesOf(dispatches);
    if (bytes <= (this.#resolved?.size ?? 0)) return;
    if (this.#resolved) this.#buffers.free(this.#resolved);
    const [made] = await this.#buffers.allocate('timestamps', [bytes], usage.queryResolve | usage.copySource);
    this.#resolved = made;
  }
  /** What the pass of a dispatch writes. */
  writes(dispatch: number): GPUComputePassTimestampWrites {
    const query = dispatch * 2;
    const querySet = this.#sets[Math.floor(query / queriesOfSet)] as GPUQuerySet;
    const index = query % queriesOfSet;
    return { querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 };
  }
  /** Copies the timestamps of so many dispatches into a buffer; the offset is a multiple of 8. */
  copyInto(encoder: GPUCommandEncoder, dispatches: number, target: GPUBuffer, offset: number): void {
    const resolved = this.#resolved as GPUBuffer;
    for (const [index, set] of this.#sets.entries()) {
      const begin = index * queriesOfSet;
      const count = Math.min(queriesOfSet, dispatches * 2 - begin);
      if (count > 0) encoder.resolveQuerySet(set, 0, count, resolved, begin * stampBytes);
    }
    encoder.copyBufferToBuffer(resolved, 0, target, offset, Timestamps.bytesOf(dispatches));
  }
  dispose(): void {
    for (const set of this.#sets.splice(0)) set.destroy();
  }
}

/** Nanoseconds of the device as milliseconds from `start`, which is when the call was submitted. */
export function stepTimes(dispatches: readonly PlacedDispatch[], stamps: BigUint64Array, start: number): readonly StepTime[] {
  const first = stamps[0] ?? 0n;
  const since = (stamp: bigint | undefined): number => Number((stamp ?? first) - first) / 1e6;
  return dispatches.map(({ dispatch: { step } }, index) => {
    const [begin, end] = [since(stamps[2 * index]), since(stamps[2 * index + 1])];
    // Devices may set their clock back (WebGPU, section 20.4).
    return { step, start: start + begin, milliseconds: Math.max(0, end - begin) };
  });
}
