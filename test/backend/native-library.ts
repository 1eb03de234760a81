/** The kernels of the native target as libraries of this process, and the builds that this machine can run. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compilerOptions, nativeBuilds, type NativeBuild } from '../../compiler/codegen/native/compile-c.ts';
import { nativeIsThere, nativeMachine } from '../native-compiler.ts';
import { requires } from '../requirements.ts';

const cache = fileURLToPath(new URL('../../.cache/native/', import.meta.url));
const { compiler, features } = nativeMachine();

/** Skips a suite where nothing can be compiled and run. */
export const skipWithoutNative = (context: Mocha.Context): void => requires(context, 'native', nativeIsThere());
export const titleOf = (build: NativeBuild): string => build.features.join(' with ') || 'every processor';
/** Builds that this processor can run, the highest level last; at least one, which is skipped where nothing runs. */
export const testedBuilds: readonly [NativeBuild, ...NativeBuild[]] = ((): [NativeBuild, ...NativeBuild[]] => {
  const [least, ...higher] = nativeBuilds[compiler?.platform ?? 'linux-x64'];
  if (least === undefined) throw new RangeError('There are no builds.');
  return [least, ...higher.filter(({ macro, features: needed }) => !macro && needed.every((name) => features.includes(name)))];
})();
const platform = compiler?.platform ?? 'linux-x64';
const integerBits: Readonly<Record<string, 4 | 8 | undefined>> =
  platform === 'darwin-arm64' ? { '': 8 } : { '-v3': 8, '-v3-vnni': 8, '-v4': 4, '-v4-vnni': 8, '-dotprod': 8 };
/**
 * Builds that multiply in integers, the lowest level first, with weights of how many bits they do that at most. Those that are for integers
 * alone are among them whether this processor `runs` them or not.
 */
export const integerBuilds = nativeBuilds[platform].flatMap((build) => {
  const [bits, runs] = [integerBits[build.suffix], build.features.every((name) => features.includes(name))];
  return bits && (runs || build.macro) ? [{ build, bits, runs }] : [];
});
export const highestBuild = testedBuilds.at(-1) ?? testedBuilds[0];

const hash = (...parts: readonly string[]): string => createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 24);
/** Writes the file `name` of the cache from a text, whoever else does the same. */
function compile(name: string, text: string, options: readonly string[]): void {
  const own = path.join(cache, `${process.pid}-${name}`);
  const source = own.replace(/\.\w+$/, name.endsWith('.gch') ? '.h' : '.c');
  writeFileSync(source, text);
  const { command, parameters } = compiler ?? { command: 'cc', parameters: [] };
  execFileSync(command, [...parameters, ...options, '-w', '-o', own, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  renameSync(own, path.join(cache, name));
}

/** The headers of a text, compiled once: they are most of the time that a small text takes. */
function headersFor(text: string, options: readonly string[]): string {
  const lines = text.slice(0, text.indexOf('typedef')).split('\n');
  const headers = lines.filter((line) => /^#(include|if|elif|endif)/.test(line)).join('\n');
  const name = `${hash(headers, ...options)}.h`;
  if (!existsSync(path.join(cache, `${name}.gch`))) {
    writeFileSync(path.join(cache, name), headers);
    compile(`${name}.gch`, headers, options);
  }
  return path.join(cache, name);
}

/** The file of the library that a build makes of a text; what was compiled before is taken from .cache. */
export function libraryFile(text: string, { parameters }: NativeBuild): string {
  const options = [...compilerOptions.filter((option) => option !== '-shared'), ...parameters];
  const name = `${hash(text, compiler?.version ?? '', ...options)}.so`;
  const file = path.join(cache, name);
  if (!existsSync(file)) {
    mkdirSync(cache, { recursive: true });
    compile(name, text, ['-shared', ...options, '-include', headersFor(text, options), '-lm', '-lpthread']);
  }
  return file;
}

/** Runs one kernel by its place in the table; parameters as they are in C. */
export type KernelCall = (kernel: number, parameters: BigInt64Array, base: Uint8Array) => void;
export function loadKernels(text: string, build: NativeBuild): KernelCall {
  const file = libraryFile(
    `${text}
__attribute__((visibility("default"))) void atpc_call(i64 kernel, const i64 *arguments, char *base) {
  atpc_kernels[kernel].run(arguments, base);
}
`,
    build,
  );
  const koffi = createRequire(import.meta.url)('koffi') as { load(file: string): { func(declaration: string): KernelCall } };
  return koffi.load(file).func('void atpc_call(int64_t kernel, int64_t *arguments, uint8_t *base)');
}
