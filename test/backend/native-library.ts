/** C text as a library of this process: what tests of the native target run. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../../.cache/native/', import.meta.url));
const flags = ['-O3', '-std=gnu11', '-fPIC', '-shared', '-ffp-contract=fast', '-fno-math-errno', '-fno-trapping-math', '-w'];

/** Levels of x86-64 by what /proc/cpuinfo calls a part of each that the level before lacks. */
const levelFlags = { 'x86-64-v2': 'sse4_2', 'x86-64-v3': 'avx2', 'x86-64-v4': 'avx512bw' } as const;
export type NativeLevel = keyof typeof levelFlags;
const processor = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
export const nativeLevels = (Object.keys(levelFlags) as NativeLevel[]).filter((level) => processor.includes(levelFlags[level]));

/** Runs one kernel of the library by its place in the table; arguments as they are in C. */
export type KernelCall = (kernel: number, parameters: BigInt64Array, base: Uint8Array) => void;

/** Compiles the text once; what was compiled before is taken from .cache. */
export function loadLibrary(text: string, level: NativeLevel): KernelCall {
  const source = `${text}
__attribute__((visibility("default"))) void atpc_call(i64 kernel, const i64 *arguments, char *base) {
  atpc_kernels[kernel].run(arguments, base);
}
`;
  const command = [...flags, `-march=${level}`];
  const key = createHash('sha256')
    .update([source, ...command].join('\n'))
    .digest('hex')
    .slice(0, 32);
  const library = path.join(cache, `${key}.so`);
  if (!existsSync(library)) {
    mkdirSync(cache, { recursive: true });
    const own = path.join(cache, `${key}.${process.pid}`);
    writeFileSync(`${own}.c`, source);
    execFileSync('cc', [...command, '-o', `${own}.so`, `${own}.c`, '-lm'], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(`${own}.so`, library);
  }
  const koffi = createRequire(import.meta.url)('koffi') as { load(file: string): { func(declaration: string): KernelCall } };
  return koffi.load(library).func('void atpc_call(int64_t kernel, int64_t *arguments, uint8_t *base)');
}
