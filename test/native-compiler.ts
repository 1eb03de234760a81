/** What machine code needs here: a C compiler for a system that libraries are made for, and the npm package koffi. */
import { createRequire } from 'node:module';
import { findCCompiler } from '../compiler/codegen/native/find-c-compiler.ts';

export async function nativeIsThere(): Promise<boolean> {
  const compiler = await findCCompiler();
  if (compiler?.platform !== `${process.platform}-${process.arch}`) return false;
  try {
    createRequire(import.meta.url).resolve('koffi');
    return true;
  } catch {
    return false;
  }
}
