/** C text as a library of this process, for what tests of the native target run. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../../.cache/native/', import.meta.url));
const flags = [
  ...['-O3', '-std=gnu11', '-fPIC', '-fvisibility=hidden', '-w'],
  ...['-ffp-contract=fast', '-fno-math-errno', '-fno-trapping-math'],
];

/** Levels of x86-64, each by what Linux calls a part of it that the level before lacks. */
const levelFlags = { 'x86-64-v2': 'sse4_2', 'x86-64-v3': 'avx2', 'x86-64-v4': 'avx512bw' } as const;
export type NativeLevel = keyof typeof levelFlags;
const processor = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
/** Those that this machine can run, the highest last. */
export const nativeLevels = (Object.keys(levelFlags) as NativeLevel[]).filter((level) => processor.includes(levelFlags[level]));

function compile(name: string, text: string, options: readonly string[]): void {
  const own = path.join(cache, `${process.pid}-${name}`);
  const source = own.replace(/\.\w+$/, name.endsWith('.gch') ? '.h' : '.c');
  writeFileSync(source, text);
  execFileSync('cc', [...flags, ...options, '-o', own, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  renameSync(own, path.join(cache, name));
}
const hash = (...parts: readonly string[]): string => createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 24);

/** The headers of a text, compiled once: they are most of the time that a small text takes. */
function headersFor(text: string, level: NativeLevel): string {
  const headers = text
    .slice(0, text.indexOf('typedef'))
    .split('\n')
    .filter((line) => /^#(include|if|elif|endif)/.test(line))
    .join('\n');
  const name = `${hash(headers, level, ...flags)}.h`;
  if (!existsSync(path.join(cache, `${name}.gch`))) {
    writeFileSync(path.join(cache, name), headers);
    compile(`${name}.gch`, headers, [`-march=${level}`]);
  }
  return path.join(cache, name);
}

/** Runs one kernel by its place in the table; parameters as they are in C. */
export type KernelCall = (kernel: number, parameters: BigInt64Array, base: Uint8Array) => void;

/** Compiles the text of a target's file; what was compiled before is taken from .cache. */
export function loadLibrary(text: string, level: NativeLevel): KernelCall {
  const source = `${text}
__attribute__((visibility("default"))) void atpc_call(i64 kernel, const i64 *arguments, char *base) {
  atpc_kernels[kernel].run(arguments, base);
}
`;
  const name = `${hash(source, level, ...flags)}.so`;
  if (!existsSync(path.join(cache, name))) {
    mkdirSync(cache, { recursive: true });
    compile(name, source, ['-shared', `-march=${level}`, '-include', headersFor(text, level), '-lm']);
  }
  const koffi = createRequire(import.meta.url)('koffi') as { load(file: string): { func(declaration: string): KernelCall } };
  return koffi.load(path.join(cache, name)).func('void atpc_call(int64_t kernel, int64_t *arguments, uint8_t *base)');
}
