/**
 * Reads the numbers and strings of a GGUF header one after the other. Nothing is believed: a length is compared with what is
 * left of the file before anything is allocated for it.
 */
import { readSync } from 'node:fs';
import { AtpcError } from '../../runtime/errors.ts';

/** Headers of real models have tens of megabytes, nearly all of them the vocabulary. */
const maxHeaderBytes = 256 * 2 ** 20;
const maxStringBytes = 16 * 2 ** 20;
const windowBytes = 2 ** 20;

const strict = new TextDecoder('utf-8', { fatal: true });
const lenient = new TextDecoder('utf-8');

export class GgufCursor {
  readonly #descriptor: number;
  readonly #file: string;
  readonly #fileBytes: number;
  #window = new DataView(new ArrayBuffer(0));
  #windowStart = 0;
  #position = 0;

  /** `fileBytes`: size of the file. */
  constructor(descriptor: number, file: string, fileBytes: number) {
    this.#descriptor = descriptor;
    this.#file = file;
    this.#fileBytes = fileBytes;
  }

  get position(): number {
    return this.#position;
  }
  /** Bytes between here and the end of the file. */
  get left(): number {
    return this.#fileBytes - this.#position;
  }

  fault(sentence: string, cause?: unknown): AtpcError {
    return ggufFault(this.#file, sentence, cause);
  }

  /** Offset in the window of the next `bytes` bytes, which are behind the position afterwards. */
  #take(bytes: number, what: string): number {
    if (bytes > this.left) {
      throw this.fault(
        `${what} takes ${bytes} bytes from byte ${this.#position} on, and the file has ${this.#fileBytes}: it is truncated or its header lies`,
      );
    }
    if (this.#position + bytes > maxHeaderBytes) throw this.fault(`its header has more than ${maxHeaderBytes} bytes`);
    const at = this.#position - this.#windowStart;
    this.#position += bytes;
    if (at + bytes <= this.#window.byteLength) return at;
    this.#fill(this.#position - bytes, Math.max(bytes, Math.min(windowBytes, this.#fileBytes - this.#position + bytes)));
    return 0;
  }

  #fill(start: number, bytes: number): void {
    const window = new Uint8Array(bytes);
    for (let filled = 0; filled < bytes;) {
      const count = readSync(this.#descriptor, window, filled, bytes - filled, start + filled);
      if (count === 0) throw this.fault(`it ended at byte ${start + filled} while its header was read: it has changed`);
      filled += count;
    }
    this.#window = new DataView(window.buffer);
    this.#windowStart = start;
  }

  unsigned32(what: string): number {
    return this.view(4, what).getUint32(0, true);
  }
  /** A count, size or offset; one that no file can have is a fault. */
  count(what: string): number {
    const value = this.view(8, what).getBigUint64(0, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fault(`${what} is ${value}, which no file can hold`);
    return Number(value);
  }
  /** The next `bytes` bytes, good until the next call. */
  view(bytes: number, what: string): DataView {
    const at = this.#take(bytes, what);
    return new DataView(this.#window.buffer, at, bytes);
  }

  /** A name: text that has to be UTF-8. */
  name(what: string): string {
    const bytes = this.#string(what);
    try {
      return strict.decode(bytes);
    } catch (cause) {
      throw this.fault(`${what} is not UTF-8 text`, cause);
    }
  }
  /** Text that people wrote; bytes that are not UTF-8 become U+FFFD. */
  text(what: string): string {
    return lenient.decode(this.#string(what));
  }

  #string(what: string): DataView {
    const bytes = this.count(`the length of ${what}`);
    if (bytes > this.left) throw this.fault(`${what} is said to have ${bytes} bytes, and ${this.left} are left of the file`);
    if (bytes > maxStringBytes)
      throw this.fault(`${what} is said to have ${bytes} bytes, and at most ${maxStringBytes} are accepted`);
    return this.view(bytes, what);
  }
}

export function ggufFault(file: string, sentence: string, cause?: unknown): AtpcError {
  return new AtpcError('ATPC-210', `${file} is damaged: ${sentence}.`, cause === undefined ? {} : { cause });
}
