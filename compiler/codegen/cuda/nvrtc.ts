/** NVRTC by way of its process. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface CudaVersion {
  readonly major: number;
  readonly minor: number;
}
export const formatCudaVersion = ({ major, minor }: CudaVersion): string => `${major}.${minor}`;

/** A library and the npm package koffi that calls it: files, or for `library` also a name that the system's loader knows. */
export interface NvrtcLibrary {
  readonly koffi: string;
  readonly library: string;
}
/** The outcome of a compilation. `status` 0 is success; `reason` is NVRTC's word for it and `log` what it printed. */
export interface NvrtcResult {
  readonly status: number;
  readonly reason: string;
  readonly log: string;
  /** PTX text, where the options ask for a virtual architecture (compute_80); for a real one NVRTC gives both. */
  readonly ptx: string;
  /** Machine code for a real architecture (sm_80); empty for a virtual one. */
  readonly cubin: Uint8Array;
}
/** An NVRTC that cannot be used here: its library does not load, or its process died. */
export class NvrtcFault extends Error {}

/** The version of each library, or the sentence of the loader that refuses it. Throws NvrtcFault. */
export async function nvrtcVersions(
  koffi: string,
  libraries: readonly string[],
): Promise<readonly (CudaVersion | { readonly fault: string })[]> {
  if (libraries.length === 0) return [];
  const { versions } = (await ask({ koffi, libraries })) as { versions: (CudaVersion | { fault: string })[] };
  return versions;
}

/** Compiles a source text that includes nothing. Throws NvrtcFault, and the reason of an abort. */
export async function compileWithNvrtc(
  nvrtc: NvrtcLibrary,
  source: string,
  options: readonly string[],
  signal?: AbortSignal,
): Promise<NvrtcResult> {
  const { cubin, ...result } = (await ask({ ...nvrtc, source, options }, signal)) as Omit<NvrtcResult, 'cubin'> & {
    readonly cubin: string;
  };
  return { ...result, cubin: Buffer.from(cubin, 'base64') };
}

async function ask(request: object, signal?: AbortSignal): Promise<unknown> {
  signal?.throwIfAborted();
  // Options of this process, such as a TypeScript loader, are none of its business: it is plain JavaScript.
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const file = fileURLToPath(new URL('./nvrtc-process.mjs', import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', file], { env, stdio: 'pipe', windowsHide: true });
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop);
  let output = '';
  let message = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (output += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (message += part));
  try {
    const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      child.on('error', reject).on('close', (status, ended) => resolve(status ?? ended));
      // Whether the request was read to its end shows in how the process ends. It stays open: what closes it is the end of this process.
      child.stdin.on('error', () => undefined).write(`${JSON.stringify(request)}\n`);
    });
    signal?.throwIfAborted();
    if (code === 0) return JSON.parse(output) as unknown;
    const line = message.split('\n').find((text) => /^\w*Error: /.test(text)) ?? `its process ended with ${code}`;
    throw new NvrtcFault(line.replace(/^\w*Error: /, ''));
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
