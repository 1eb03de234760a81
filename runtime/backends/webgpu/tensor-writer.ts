import { blockElements, decoders, storageBytes, type Storage, type TensorWriter } from '../stored-numbers.ts';

/** Where a tensor goes: bytes from the start of a buffer. */
export interface DeviceDestination {
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

/**
 * Takes the bytes of one tensor piece by piece, in any split, and writes them into buffers of a device, row by row as they are
 * stored: what is f32 or quants goes there as it is, without a copy of ours; 16-bit numbers become f32.
 */
export class DeviceTensorWriter implements TensorWriter {
  readonly #queue: GPUQueue;
  readonly #destinations: readonly DeviceDestination[];
  readonly #storage: Storage;
  readonly #decode: ((bytes: ArrayBuffer, count: number) => Float32Array) | null;
  /** Bytes that do not make up a whole word yet. */
  readonly #rest = new Uint8Array(4);
  #restBytes = 0;
  #writtenBytes = 0;
  #elements = 0;

  constructor(queue: GPUQueue, storage: Storage, destinations: readonly DeviceDestination[]) {
    this.#queue = queue;
    this.#destinations = destinations;
    this.#storage = storage;
    this.#decode = storage === 'F16' || storage === 'BF16' ? decoders[storage]() : null;
  }
  get written(): number {
    return this.#elements;
  }

  write(bytes: Uint8Array): void {
    let at = 0;
    // A word may straddle two pieces.
    while (this.#restBytes > 0 && at < bytes.length) {
      this.#rest[this.#restBytes++] = bytes[at++] as number;
      if (this.#restBytes === 4) {
        this.#restBytes = 0;
        this.#send(this.#rest);
      }
    }
    const whole = (bytes.length - at) & ~3;
    if (whole > 0) this.#send(bytes.subarray(at, at + whole));
    for (at += whole; at < bytes.length; at++) this.#rest[this.#restBytes++] = bytes[at] as number;
  }

  /** Whole words. */
  #send(bytes: Uint8Array): void {
    this.#elements += bytes.length / storageBytes[this.#storage];
    if (this.#decode === null) return this.#put(bytes);
    const block = blockElements * 2;
    for (let at = 0; at < bytes.length; at += block) {
      // A copy of one block, since halves need not be aligned in the file.
      const halves = bytes.slice(at, at + block);
      const values = this.#decode(halves.buffer, halves.length / 2);
      this.#put(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  }
  #put(bytes: Uint8Array): void {
    for (const { buffer, offset } of this.#destinations) this.#queue.writeBuffer(buffer, offset + this.#writtenBytes, bytes);
    this.#writtenBytes += bytes.length;
  }
}
