import { AtpcError } from '../../errors.ts';
import { alignBytes } from '../slot-bytes.ts';
import type { PendingWork } from '../worker/pending-work.ts';

/** Allocates, and knows how much there is. Sizes of buffers and copies are multiples of four bytes (WebGPU, section 5.1). */
export class DeviceBuffers {
  readonly #device: GPUDevice;
  readonly #pending: PendingWork;
  readonly #buffers = new Set<GPUBuffer>();
  #bytes = 0;
  #peakBytes = 0;

  constructor(device: GPUDevice, pending: PendingWork) {
    this.#device = device;
    this.#pending = pending;
  }
  get bytes(): number {
    return this.#bytes;
  }
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Rejects with ATPC-502 where the device has no memory. What was allocated by the same call is free again then. */
  async allocate(what: string, sizes: readonly number[], usage: number): Promise<GPUBuffer[]> {
    const device = this.#device;
    const { maxBufferSize } = device.limits;
    const largest = Math.max(0, ...sizes);
    if (largest > maxBufferSize) {
      throw new AtpcError('ATPC-502', `${what} needs a buffer of ${largest} bytes; this device has at most ${maxBufferSize}.`, {
        hint: 'Use shorter inputs or a smaller batch, or compile with a smaller --max-seq.',
      });
    }
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    const made: GPUBuffer[] = [];
    let thrown: Error | undefined;
    try {
      for (const size of sizes) made.push(device.createBuffer({ label: what, size: alignBytes(size), usage }));
    } catch (error) {
      // Dawn in Node throws a RangeError where a mapped buffer cannot be had.
      thrown = error as Error;
    }
    const errors = await this.#pending.track(() => Promise.all([device.popErrorScope(), device.popErrorScope()]));
    const failed = errors.find((error) => error !== null)?.message ?? thrown?.message;
    if (failed !== undefined) {
      for (const buffer of made) buffer.destroy();
      const total = sizes.reduce((sum, size) => sum + size, 0);
      throw new AtpcError('ATPC-502', `The device has no memory for ${what}, which takes ${total} bytes: ${failed}`, {
        hint: 'Use shorter inputs or a smaller batch, dispose of models and sessions, or use the backend wasm.',
      });
    }
    for (const buffer of made) {
      this.#buffers.add(buffer);
      this.#bytes += buffer.size;
    }
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
    return made;
  }
  free(buffer: GPUBuffer): void {
    if (!this.#buffers.delete(buffer)) return;
    this.#bytes -= buffer.size;
    buffer.destroy();
  }
  freeAll(): void {
    for (const buffer of [...this.#buffers]) this.free(buffer);
  }
}
