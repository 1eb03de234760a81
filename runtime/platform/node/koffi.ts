import { AtpcError } from '../../errors.ts';

/** What is used of the npm package `koffi`, which calls functions of native libraries. Pointers are bigints; typed arrays are passed in place. */
export interface Koffi {
  /** The process itself for null. */
  load(file: string | null): KoffiLibrary;
  /** Native memory as an ArrayBuffer, without a copy. */
  view(address: bigint, bytes: number): ArrayBuffer;
  /** Where the elements of a typed array lie. */
  address(array: ArrayBufferView): bigint;
  readonly decode: { string(address: bigint): string };
}
export interface KoffiLibrary {
  /** Throws where the library has no such function. */
  func(name: string, result: string, parameters: readonly string[]): KoffiFunction;
}
export interface KoffiFunction {
  (...values: readonly unknown[]): unknown;
  /** Calls it in a thread of Node's pool; the last value is told the result. What the others point at has to stay. */
  async(...values: readonly unknown[]): void;
}

/**
 * The npm package `koffi`, which users install beside the model's package or in their application. It is looked for from both. Throws
 * ATPC-501 where it is not installed; `what` needs it.
 */
export function loadKoffi(what: string): Koffi {
  const { createRequire } = process.getBuiltinModule('node:module');
  const here = import.meta.url;
  const application = `${process.cwd()}/`;
  // A package whose files were handed over runs from a data: URL.
  const places = here.startsWith('file:') ? [here, application] : [application];
  for (const place of places) {
    const requireFrom = createRequire(place);
    let file: string;
    try {
      file = requireFrom.resolve('koffi');
    } catch {
      continue;
    }
    try {
      return requireFrom(file) as Koffi;
    } catch (cause) {
      throw new AtpcError('ATPC-501', `The npm package koffi in ${file} cannot be loaded: ${String(cause)}.`, { cause });
    }
  }
  throw new AtpcError('ATPC-501', `${what} needs the npm package koffi, which is not installed for ${application}.`, {
    hint: 'Run npm install koffi.',
  });
}
