/** Compilers for CUDA on this machine: NVRTC (a library, called through the npm package koffi), else nvcc (a command). */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { formatCudaVersion, nvrtcVersions, NvrtcFault, type CudaVersion, type NvrtcLibrary } from './nvrtc.ts';

export type CudaCompiler =
  | ({ readonly kind: 'nvrtc'; readonly version: CudaVersion } & NvrtcLibrary)
  | { readonly kind: 'nvcc'; readonly version: CudaVersion; readonly command: string };

export interface FoundCompilers {
  /** One for each version of CUDA, the newest first. */
  readonly compilers: readonly CudaCompiler[];
  /** What was found and cannot be used, each as a sentence without paths. */
  readonly unusable: readonly string[];
}
type Environment = Readonly<Record<string, string | undefined>>;

/** The oldest CUDA whose compilers take C++20, in which kernels are written. */
const oldestMajorVersion = 12;

/** Names and places of NVRTC, newest first. pip's packages: nvidia-cuda-nvrtc (from 13 on) and nvidia-cuda-nvrtc-cu12. */
const libraries =
  process.platform === 'win32'
    ? {
        names: ['nvrtc64_130_0.dll', 'nvrtc64_120_0.dll'],
        toolkit: ['bin/x64', 'bin'],
        pip: ['nvidia/cu13/bin/x86_64', 'nvidia/cuda_nvrtc/bin'],
      }
    : {
        names: ['libnvrtc.so.13', 'libnvrtc.so.12'],
        toolkit: ['lib64', 'lib'],
        pip: ['nvidia/cu13/lib', 'nvidia/cuda_nvrtc/lib'],
      };

/**
 * Looks where a toolkit, the system and pip put compilers. `ATPC_NVRTC`, a list of files as PATH is one of folders, takes the place of
 * every search: what it does not name is not there.
 */
export async function findCompilers(env: Environment = process.env): Promise<FoundCompilers> {
  const named = env['ATPC_NVRTC'];
  const candidates = named === undefined ? await nvrtcCandidates(env) : named.split(path.delimiter).filter((file) => file !== '');
  const found = await usableNvrtc(candidates, named !== undefined);
  if (found.compilers.length > 0 || named !== undefined) return found;
  const nvcc = await findNvcc(env);
  return nvcc === undefined ? found : { compilers: [nvcc], unusable: found.unusable };
}

/** Names for the system's loader come first: it answers a name with what is loaded already, whatever file that was. */
async function nvrtcCandidates(env: Environment): Promise<readonly string[]> {
  const folders = [
    ...toolkits(env).flatMap((root) => libraries.toolkit.map((folder) => path.join(root, folder))),
    ...(await pythonPath(env)).flatMap((place) => libraries.pip.map((folder) => path.join(place, folder))),
  ];
  const files = folders.flatMap((folder) => libraries.names.map((name) => path.join(folder, name)));
  return [...libraries.names, ...new Set(files.filter(existsSync))];
}
const toolkits = ({ CUDA_HOME, CUDA_PATH }: Environment): readonly string[] =>
  [CUDA_HOME, CUDA_PATH].flatMap((root) => root || []);

/** Where Python looks for packages: those of a virtual environment, of the user and of the system. */
async function pythonPath(env: Environment): Promise<readonly string[]> {
  const command = process.platform === 'win32' ? 'python' : 'python3';
  const output = await outputOf(command, ['-c', "import sys; print('\\n'.join(sys.path))"], env);
  return (output ?? '').split(/\r?\n/).filter((place) => path.isAbsolute(place));
}

async function usableNvrtc(candidates: readonly string[], named: boolean): Promise<FoundCompilers> {
  const koffi = findKoffi();
  if (koffi === undefined) {
    // A name is no sign that the system has it.
    const there = candidates.some((file) => path.isAbsolute(file));
    return {
      compilers: [],
      unusable: there ? ['NVRTC is there, and calling it needs the npm package koffi: npm install koffi'] : [],
    };
  }
  let versions: Awaited<ReturnType<typeof nvrtcVersions>>;
  try {
    versions = await nvrtcVersions(koffi, candidates);
  } catch (error) {
    if (!(error instanceof NvrtcFault)) throw error;
    return { compilers: [], unusable: [`NVRTC cannot be loaded: ${error.message}`] };
  }
  const compilers = new Map<string, CudaCompiler>();
  const unusable = new Set<string>();
  for (const [index, library] of candidates.entries()) {
    const version = versions[index];
    if (version === undefined) continue;
    if ('fault' in version) {
      // That the loader knows no such name is what it says on most machines.
      if (named || path.isAbsolute(library))
        unusable.add(`${path.basename(library)} cannot be loaded: ${withoutFolders(version.fault)}`);
    } else if (version.major < oldestMajorVersion)
      unusable.add(`NVRTC of CUDA ${formatCudaVersion(version)} is too old: ${oldestMajorVersion}.0 or newer is needed`);
    else {
      const key = formatCudaVersion(version);
      if (!compilers.has(key)) compilers.set(key, { kind: 'nvrtc', version, koffi, library });
    }
  }
  return { compilers: [...compilers.values()].sort(newestFirst), unusable: [...unusable] };
}
const newestFirst = ({ version: a }: CudaCompiler, { version: b }: CudaCompiler): number =>
  b.major - a.major || b.minor - a.minor;
/** A report or a package's notes are passed on: nothing of this machine's folders. */
const withoutFolders = (text: string): string => text.replaceAll(/(?:[A-Za-z]:)?[\\/][^\s:]*[\\/]/g, '');

/** The npm package koffi: of the application in the working directory, or beside atpc. */
function findKoffi(): string | undefined {
  for (const place of [`${process.cwd()}/`, import.meta.url]) {
    try {
      return createRequire(place).resolve('koffi');
    } catch {
      continue;
    }
  }
  return undefined;
}

/** The command of a toolkit, or of PATH. */
export async function findNvcc(env: Environment = process.env): Promise<CudaCompiler | undefined> {
  const name = process.platform === 'win32' ? 'nvcc.exe' : 'nvcc';
  const folders = [...toolkits(env).map((root) => path.join(root, 'bin')), ...(env['PATH'] ?? '').split(path.delimiter)];
  for (const command of folders.map((folder) => path.join(folder, name)).filter(existsSync)) {
    const [, major, minor] = /release (\d+)\.(\d+)/.exec((await outputOf(command, ['--version'], env)) ?? '') ?? [];
    if (major === undefined || minor === undefined || Number(major) < oldestMajorVersion) continue;
    return { kind: 'nvcc', version: { major: Number(major), minor: Number(minor) }, command };
  }
  return undefined;
}

/** What a command prints; undefined for one that is not there or fails. */
function outputOf(command: string, parameters: readonly string[], env: Environment): Promise<string | undefined> {
  const options = { env: { ...env }, timeout: 10_000, windowsHide: true };
  return new Promise((resolve) => {
    execFile(command, [...parameters], options, (error, stdout) => resolve(error ? undefined : stdout));
  });
}
