import { alignBytes } from '../slot-bytes.ts';
import type { PendingWork } from '../worker/pending-work.ts';
import type { DeviceBuffers } from './device-buffers.ts';
import { mapModeRead, usage } from './usage.ts';

/** Buffers through which results come back from a device, used again and again. */
export class ReadBack {
  readonly #buffers: DeviceBuffers;
  readonly #pending: PendingWork;
  readonly #free: GPUBuffer[] = [];

  constructor(buffers: DeviceBuffers, pending: PendingWork) {
    this.#buffers = buffers;
    this.#pending = pending;
  }

  /** A buffer of at least so many bytes, to copy into. It comes back by `read`. */
  async take(bytes: number): Promise<GPUBuffer> {
    const fits = this.#free.findIndex((buffer) => buffer.size >= bytes);
    const [found] = fits < 0 ? [] : this.#free.splice(fits, 1);
    if (found) return found;
    const small = this.#free.pop();
    if (small) this.#buffers.free(small);
    const [made] = await this.#buffers.allocate('what is read back', [bytes], usage.mapRead | usage.copyDestination);
    return made as GPUBuffer;
  }
  /** What was copied into a buffer, once the device has done so. Rejects where the device is lost. */
  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const aligned = alignBytes(bytes);
    await this.#pending.track(() => buffer.mapAsync(mapModeRead, 0, aligned));
    const copy = buffer.getMappedRange(0, aligned).slice(0, bytes);
    buffer.unmap();
    this.#free.push(buffer);
    return copy;
  }
}
