import { blockElements, decoders, storageBytes, type Storage, type TensorWriter } from './stored-numbers.ts';

/** Where elements of a tensor go: bytes from the start of a buffer. */
export interface DeviceDestination<Buffer> {
  readonly buffer: Buffer;
  readonly offset: number;
  /** Whether 16-bit floats stay so. */
  readonly halves: boolean;
  /** The elements that go there, from the first up to another; they begin and end at words of what is stored, or with the tensor. */
  readonly elements: readonly [first: number, end: number];
}

/** Writes whole words into a buffer, from some byte on; the bytes are good until it returns. */
export type WriteBytes<Buffer> = (buffer: Buffer, offset: number, bytes: Uint8Array) => void;

/**
 * Takes the bytes of one tensor piece by piece, in any split, and writes them into buffers of a device, row by row as they are
 * stored: what is f32 or quants goes there as it is, without a copy of ours; so do 16-bit floats where they stay so. Other 16-bit
 * numbers become f32.
 */
export class DeviceTensorWriter<Buffer> implements TensorWriter {
  readonly #writeBytes: WriteBytes<Buffer>;
  readonly #asStored: readonly DeviceDestination<Buffer>[];
  readonly #decoded: readonly DeviceDestination<Buffer>[];
  readonly #storage: Storage;
  readonly #decode: ((bytes: ArrayBuffer, count: number) => Float32Array) | null;
  /** Bytes that do not make up a whole word yet. */
  readonly #rest = new Uint8Array(4);
  #restBytes = 0;
  #bytesLeft: number;
  #elements = 0;

  /** `elements`: of the whole tensor. */
  constructor(write: WriteBytes<Buffer>, storage: Storage, elements: number, destinations: readonly DeviceDestination<Buffer>[]) {
    this.#writeBytes = write;
    this.#storage = storage;
    this.#decode = storage === 'F16' || storage === 'BF16' ? decoders[storage]() : null;
    this.#bytesLeft = elements * storageBytes[storage];
    this.#asStored = destinations.filter(({ halves }) => halves || this.#decode === null);
    this.#decoded = destinations.filter((destination) => !this.#asStored.includes(destination));
  }
  get written(): number {
    return this.#elements;
  }

  write(bytes: Uint8Array): void {
    this.#bytesLeft -= bytes.length;
    let at = 0;
    // A word may straddle two pieces.
    while (this.#restBytes > 0 && at < bytes.length) {
      this.#rest[this.#restBytes++] = bytes[at++] as number;
      if (this.#restBytes === 4) {
        this.#restBytes = 0;
        this.#send(this.#rest, 4);
      }
    }
    const whole = (bytes.length - at) & ~3;
    if (whole > 0) this.#send(bytes.subarray(at, at + whole), whole);
    for (at += whole; at < bytes.length; at++) this.#rest[this.#restBytes++] = bytes[at] as number;
    // The last word may be filled in part.
    if (this.#bytesLeft === 0 && this.#restBytes > 0) {
      this.#rest.fill(0, this.#restBytes);
      this.#send(this.#rest, this.#restBytes);
      this.#restBytes = 0;
    }
  }

  /** Whole words, of which so many bytes belong to the tensor. */
  #send(bytes: Uint8Array, used: number): void {
    const width = storageBytes[this.#storage];
    const first = this.#elements;
    this.#elements += used / width;
    this.#put(this.#asStored, bytes, width, first, used / width);
    if (this.#decode === null || this.#decoded.length === 0) return;
    const block = blockElements * width;
    for (let at = 0; at < used; at += block) {
      // A copy of one block, since halves need not be aligned in the file.
      const halves = bytes.slice(at, Math.min(used, at + block));
      const values = this.#decode(halves.buffer, halves.length / width);
      const decoded = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      this.#put(this.#decoded, decoded, 4, first + at / width, values.length);
    }
  }
  /** `count` elements of `width` bytes, from the element `first` of the tensor on. */
  #put(destinations: readonly DeviceDestination<Buffer>[], bytes: Uint8Array, width: number, first: number, count: number): void {
    for (const { buffer, offset, elements } of destinations) {
      const [from, to] = [Math.max(first, elements[0]), Math.min(first + count, elements[1])];
      if (from >= to) continue;
      const begin = (from - first) * width;
      const end = begin + Math.ceil(((to - from) * width) / 4) * 4;
      this.#writeBytes(buffer, offset + (from - elements[0]) * width, bytes.subarray(begin, end));
    }
  }
}
