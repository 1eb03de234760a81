import type { MemoryLimit } from '../one-memory/layout.ts';

/** A wasm32 memory has at most 65,536 pages of 64 KiB (WebAssembly core specification, 4.5.9 and the 32-bit address type). */
export const pageBytes = 65536;
export const wasmLimit: MemoryLimit = { bytes: 65536 * pageBytes, owner: 'WebAssembly' };
