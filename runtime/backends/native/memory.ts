import { AtpcError } from '../../errors.ts';
import type { MemoryLimit } from '../one-memory/layout.ts';
import type { PortPlace } from '../one-memory/ports.ts';
import type { NativeLibrary } from './library.ts';

/** What this machine, or the container that it lends, has. */
export function machineLimit(): MemoryLimit {
  const total = process.getBuiltinModule('node:os').totalmem();
  // Zero, or more than there is, where nothing is constrained.
  const constrained = process.constrainedMemory();
  return { bytes: constrained > 0 && constrained < total ? constrained : total, owner: 'this machine' };
}

/** The one memory of a model: addresses of the machine are taken once, and its pages as they are written to. */
export class NativeMemory {
  readonly #library: NativeLibrary;
  readonly base: bigint;
  readonly limit: MemoryLimit;

  private constructor(library: NativeLibrary, base: bigint, limit: MemoryLimit) {
    this.#library = library;
    this.base = base;
    this.limit = limit;
  }

  /**
   * Takes addresses for so many bytes, or for the least that is needed where a process may not have as many. Throws ATPC-502 where it may
   * not have these either.
   */
  static reserve(library: NativeLibrary, wanted: number, least: number): NativeMemory {
    for (const bytes of new Set([wanted, least])) {
      const base = library.reserve(bytes);
      if (base !== undefined) return new NativeMemory(library, base, { bytes, owner: 'this process' });
    }
    throw new AtpcError('ATPC-502', `This process is given no memory for ${least} bytes.`, {
      hint: 'Look at its limits (ulimit -v), or load with another backend.',
    });
  }

  /** Throws ATPC-502 for more than an ArrayBuffer of this Node can be. */
  view(address: number, bytes: number): ArrayBuffer {
    if (bytes === 0) return new ArrayBuffer(0);
    const { MAX_LENGTH } = process.getBuiltinModule('node:buffer').constants;
    // Above it V8 ends the process.
    if (bytes <= Math.min(MAX_LENGTH, 2 ** 32) - 1) return this.#library.view(this.base + BigInt(address), bytes);
    throw new AtpcError('ATPC-502', `One array of ${bytes} bytes is more than JavaScript can reach at once.`, {
      hint: 'Compile the model with quantised weights, or with a smaller --max-seq.',
    });
  }
  /** Where the bytes from an address on lie, as a place. */
  place(address: number, bytes: number): PortPlace {
    return { memory: this.view(address, bytes), address: 0 };
  }
  readOften(bytes: number): void {
    this.#library.readOften(this.base, bytes);
  }
  clear(address: number, bytes: number): void {
    this.#library.clear(this.base + BigInt(address), bytes);
  }
  release(): void {
    this.#library.release(this.base, this.limit.bytes);
  }
}
