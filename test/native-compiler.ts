/** What machine code needs here: a C compiler for a system that libraries are made for, and the npm package koffi. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { CCompiler } from '../compiler/codegen/native/find-c-compiler.ts';

export interface NativeMachine {
  readonly compiler: CCompiler | null;
  /** Features of the processor, of those that builds need. */
  readonly features: readonly string[];
}

let machine: NativeMachine | undefined;
/**
 * At once, since test files must not await at their top: mocha loads such a file, and all that it imports, a second time, and then there
 * are two of each module.
 */
export function nativeMachine(): NativeMachine {
  const script = fileURLToPath(new URL('print-native-machine.ts', import.meta.url));
  const flags = ['--import=tsx', '--conditions=atpc-source'];
  return (machine ??= JSON.parse(execFileSync(process.execPath, [...flags, script], { encoding: 'utf8' })) as NativeMachine);
}

export function nativeIsThere(): boolean {
  if (nativeMachine().compiler?.platform !== `${process.platform}-${process.arch}`) return false;
  try {
    createRequire(import.meta.url).resolve('koffi');
    return true;
  } catch {
    return false;
  }
}
