/** From the text of all kernels to PTX, one file for each version of CUDA whose compiler this machine has. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AtpcError } from '../../../runtime/errors.ts';
import type { TargetFile } from '../target.ts';
import { findCompilers, type CudaCompiler } from './find-compilers.ts';
import { compileWithNvrtc, formatCudaVersion } from './nvrtc.ts';
import { cudaVersionOf } from './ptx-version.ts';

/** The oldest devices that kernels are for: those with bf16 products and asynchronous copies into shared memory. */
export const virtualArchitecture = 'compute_80';
/** What kernels are written in. NVRTC and nvcc know both options. */
export const compilerOptions = (architecture: string): readonly string[] => [`--gpu-architecture=${architecture}`, '--std=c++20'];

export interface CompiledPtx {
  /** The newest first. Each has the one feature `cuda-MAJOR.MINOR`: what the driver has to support. */
  readonly files: readonly TargetFile[];
  /** What is missing on this machine and how it is installed, as sentences. */
  readonly notes: readonly string[];
}
export interface CompilePtxOptions {
  /** Default: those of this machine. */
  readonly compilers?: Awaited<ReturnType<typeof findCompilers>>;
  readonly signal?: AbortSignal;
}

/**
 * Compiles with every compiler that is there, at the same time. Where none is, no file is given and a note says so. Throws ATPC-313
 * with the first lines of what a compiler says, and the reason of an abort.
 */
export async function compilePtx(source: string, { compilers: found, signal }: CompilePtxOptions = {}): Promise<CompiledPtx> {
  const { compilers, unusable } = found ?? (await findCompilers());
  const texts = await Promise.all(compilers.map((compiler) => ptxOf(compiler, source, signal)));
  const files = new Map<string, TargetFile>();
  for (const ptx of texts) {
    const version = formatCudaVersion(cudaVersionOf(ptx));
    // Two releases may write one version of PTX: the newer compiler's stays.
    if (!files.has(version)) files.set(version, { path: `kernels-${version}.ptx`, content: ptx, features: [`cuda-${version}`] });
  }
  return { files: [...files.values()], notes: notesOf([...files.keys()], unusable) };
}

/** PTX text of one compiler, the same every time. */
async function ptxOf(compiler: CudaCompiler, source: string, signal: AbortSignal | undefined): Promise<string> {
  const options = compilerOptions(virtualArchitecture);
  if (compiler.kind === 'nvcc') return ptxOfNvcc(compiler, source, options, signal);
  const { status, reason, log, ptx } = await compileWithNvrtc(compiler, source, options, signal);
  if (status === 0) return ptx;
  throw refusal(`NVRTC ${formatCudaVersion(compiler.version)}`, log.trim() === '' ? reason : log);
}

async function ptxOfNvcc(
  { command, version }: Extract<CudaCompiler, { readonly kind: 'nvcc' }>,
  source: string,
  options: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'atpc-nvcc-'));
  try {
    await writeFile(path.join(folder, 'kernels.cu'), source);
    const parameters = ['--ptx', ...options, '--output-file', 'kernels.ptx', 'kernels.cu'];
    const message = await new Promise<string | undefined>((resolve) => {
      // Relative names: what is in a package names no folder of this machine.
      execFile(command, parameters, { cwd: folder, windowsHide: true, ...(signal ? { signal } : {}) }, (error, _stdout, stderr) =>
        resolve(error ? stderr || error.message : undefined),
      );
    });
    signal?.throwIfAborted();
    if (message !== undefined) throw refusal(`nvcc ${formatCudaVersion(version)}`, message);
    return await readFile(path.join(folder, 'kernels.ptx'), 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const shownLines = 12;
function refusal(compiler: string, log: string): AtpcError {
  const lines = log.split(/\r?\n/).filter((line) => line.trim() !== '');
  const more = lines.length > shownLines ? `\n... and ${lines.length - shownLines} more lines` : '';
  return new AtpcError('ATPC-313', `${compiler} does not compile the kernels:\n${lines.slice(0, shownLines).join('\n')}${more}`, {
    hint: 'This is a fault of atpc or of the installation of CUDA: report it with the output of atpc doctor.',
  });
}

/** What `pip` installs for each generation of drivers. */
const installCurrent = 'pip install "nvidia-cuda-nvrtc==13.0.*"';
const installOlder = 'pip install "nvidia-cuda-nvrtc-cu12==12.4.127"';
/** How the compilers are installed, for hints. */
export const installCompiler = `${installCurrent} && npm install koffi`;

function notesOf(versions: readonly string[], unusable: readonly string[]): readonly string[] {
  const remarks = unusable.map((sentence) => `${sentence}.`);
  const [oldest] = versions.slice(-1);
  if (oldest === undefined) {
    return [
      'No CUDA compiler was found on this machine: the package has the kernels as text (kernels/cuda/kernels.cu) and nothing that a ' +
        `driver loads, and so does not load on cuda. Install NVRTC (no GPU is needed for it) and compile again: ${installCompiler}`,
      ...remarks,
    ];
  }
  if (Number(oldest) < 13) return remarks;
  return [
    `The kernels for cuda need a driver for CUDA ${oldest} or newer. For older drivers, install a second compiler and compile again: ${installOlder}`,
    ...remarks,
  ];
}
