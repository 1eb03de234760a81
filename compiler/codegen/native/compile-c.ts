/** From the text of all kernels to shared libraries, one for each level of instructions, by the C compiler of this machine. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { AtpcError } from '../../../runtime/errors.ts';
import type { FinishedFiles, TargetFile } from '../target.ts';
import { findCCompiler, type CCompiler, type NativePlatform } from './find-c-compiler.ts';

/** One way to compile the kernels. */
export interface NativeBuild {
  /** The last part of the file's name; empty where a platform has one build. */
  readonly suffix: string;
  readonly parameters: readonly string[];
  /** What a processor has to have, beside the platform. */
  readonly features: readonly string[];
  /** The build is made where the kernels ask for this macro; always, without one. */
  readonly macro?: string;
}

/**
 * Levels of the x86-64 psABI: v2 has SSE4.2, v3 AVX2 and FMA, v4 AVX-512. Every 64-bit ARM has NEON and FMA, and is compiled for what the
 * compiler takes unasked, which is Apple's M1 on macOS and ARMv8.0 on Linux.
 */
const x64: readonly NativeBuild[] = [
  { suffix: '-v2', parameters: ['-march=x86-64-v2'], features: ['x86-64-v2'] },
  { suffix: '-v3', parameters: ['-march=x86-64-v3'], features: ['x86-64-v3'] },
  {
    suffix: '-v3-vnni',
    parameters: ['-march=x86-64-v3', '-mavxvnni'],
    features: ['x86-64-v3', 'avx-vnni'],
    macro: '__AVXVNNI__',
  },
  { suffix: '-v4', parameters: ['-march=x86-64-v4'], features: ['x86-64-v4'] },
  {
    suffix: '-v4-vnni',
    parameters: ['-march=x86-64-v4', '-mavx512vnni'],
    features: ['x86-64-v4', 'avx512-vnni'],
    macro: '__AVX512VNNI__',
  },
];
const arm64: NativeBuild = { suffix: '', parameters: [], features: [] };
export const nativeBuilds: { readonly [P in NativePlatform]: readonly NativeBuild[] } = {
  'linux-x64': x64,
  'linux-arm64': [
    arm64,
    {
      suffix: '-dotprod',
      parameters: ['-march=armv8.2-a+dotprod'],
      features: ['arm-dotprod'],
      macro: '__ARM_FEATURE_DOTPROD',
    },
  ],
  'darwin-x64': x64,
  'darwin-arm64': [arm64],
};

/**
 * Multiplies and adds may be fused, and neither error numbers nor floating-point traps are looked at; else the rules of IEEE 754 hold:
 * kernels count on infinities. GNU's C11 declares mmap and clocks.
 */
export const compilerOptions: readonly string[] = [
  '-O3',
  '-std=gnu11',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-ffp-contract=fast',
  '-fno-math-errno',
  '-fno-trapping-math',
];
const linkerOptions: { readonly [P in NativePlatform]: readonly string[] } = {
  'linux-x64': ['-s', '-lm', '-lpthread'],
  'linux-arm64': ['-s', '-lm', '-lpthread'],
  'darwin-x64': [],
  'darwin-arm64': [],
};

export interface CompileCOptions {
  /** Default: that of this machine; null for none. */
  readonly compiler?: CCompiler | null;
  readonly signal?: AbortSignal;
}

/** What `finish` of the target does. */
export async function withLibraries(files: readonly TargetFile[], options: CompileCOptions = {}): Promise<FinishedFiles> {
  const source = files.map(({ content }) => String(content)).join('\n');
  const { files: libraries, notes } = await compileC(source, options);
  return { files: [...files, ...libraries], notes };
}

/**
 * Compiles for every level that the compiler knows, several at once. Where no compiler is, no file is given and a note says so. Throws
 * ATPC-314 with the first lines of what the compiler says, and the reason of an abort.
 */
export async function compileC(source: string, { compiler, signal }: CompileCOptions = {}): Promise<FinishedFiles> {
  const found = compiler === undefined ? await findCCompiler() : compiler;
  if (!found) return { files: [], notes: [withoutCompiler] };
  const { platform } = found;
  if (platform === null) return { files: [], notes: [`The C compiler is for ${found.machine}, and ${onPlatforms}.`] };
  const wanted = nativeBuilds[platform].filter(({ macro }) => macro === undefined || source.includes(macro));
  const folder = await mkdtemp(path.join(tmpdir(), 'atpc-cc-'));
  const stop = new AbortController();
  const every = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  try {
    await writeFile(path.join(folder, 'kernels.c'), source);
    const results: { readonly build: NativeBuild; readonly library: TargetFile | null }[] = [];
    const waiting = [...wanted.entries()];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [at, build] = next;
        results[at] = { build, library: await libraryOf(found, platform, build, folder, every) };
      }
    };
    const workers = Array.from({ length: Math.min(wanted.length, availableParallelism()) }, work);
    try {
      await Promise.all(workers);
    } catch (error) {
      // What else is being compiled ends before the folder goes.
      stop.abort(error);
      await Promise.allSettled(workers);
      throw signal?.aborted ? signal.reason : error;
    }
    const lacking = results.filter(({ library }) => library === null).map(({ build }) => build.features.join(' with '));
    return {
      files: results.flatMap(({ library }) => library ?? []),
      notes:
        lacking.length === 0 ? [] : [`The C compiler (${found.version}) does not know ${lacking.join(', ')}: a newer one does.`],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Null where the compiler does not know the level. */
async function libraryOf(
  compiler: CCompiler,
  platform: NativePlatform,
  { suffix, parameters, features }: NativeBuild,
  folder: string,
  signal: AbortSignal,
): Promise<TargetFile | null> {
  const file = `kernels-${platform}${suffix}.${platform.startsWith('darwin') ? 'dylib' : 'so'}`;
  if ((await run(compiler, ['-E', ...parameters, '-x', 'c', '/dev/null'], folder, signal)) !== undefined) {
    signal.throwIfAborted();
    return null;
  }
  // Relative names: what is in a package names no folder of this machine.
  const all = [...compilerOptions, ...parameters, '-o', file, 'kernels.c', ...linkerOptions[platform]];
  const message = await run(compiler, all, folder, signal);
  signal.throwIfAborted();
  if (message !== undefined) throw refusal(compiler, message);
  return { path: file, content: new Uint8Array(await readFile(path.join(folder, file))), features: [platform, ...features] };
}

/** What the compiler says where it fails; undefined where it does not. */
function run(
  { command, parameters: first }: CCompiler,
  parameters: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { cwd, signal, windowsHide: true, maxBuffer: 2 ** 26 };
    execFile(command, [...first, ...parameters], options, (error, _stdout, stderr) =>
      resolve(error ? stderr || error.message : undefined),
    );
  });
}

const shownLines = 12;
function refusal({ version }: CCompiler, log: string): AtpcError {
  const lines = log.split(/\r?\n/).filter((line) => line.trim() !== '');
  const more = lines.length > shownLines ? `\n... and ${lines.length - shownLines} more lines` : '';
  return new AtpcError('ATPC-314', `${version} does not compile the kernels:\n${lines.slice(0, shownLines).join('\n')}${more}`, {
    hint: 'This is a fault of atpc or of the C compiler: report it with the output of atpc doctor, or name another compiler by CC.',
  });
}

const onPlatforms = `libraries are made for ${Object.keys(nativeBuilds).join(', ')}`;
/** How a compiler is installed, for hints. */
export const installCCompiler = 'apt-get install gcc libc6-dev, or xcode-select --install';
const withoutCompiler =
  'No C compiler was found on this machine (CC, cc, gcc, clang): the package has the kernels as text (kernels/native/kernels.c) and no ' +
  `library of them, and so does not load on native. Install one and compile again: ${installCCompiler}`;
