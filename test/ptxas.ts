/** What ptxas, the assembler of CUDA's toolkit, says of kernels: no GPU is needed for it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { toolkitFolder } from './cuda-compilers.ts';

export interface KernelResources {
  /** Of a thread. */
  readonly registers: number;
  readonly spilledBytes: number;
  readonly stackBytes: number;
  /** Static, of a block. */
  readonly sharedBytes: number;
}
const file = path.join(toolkitFolder, 'bin/ptxas');
export const ptxasIsThere = (): boolean => existsSync(file);

/** Resources of each kernel of a PTX text on an architecture such as `sm_80`. */
export async function assemble(ptx: string, architecture: string): Promise<ReadonlyMap<string, KernelResources>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'atpc-ptxas-'));
  try {
    const source = path.join(folder, 'kernels.ptx');
    await writeFile(source, ptx);
    const parameters = ['--verbose', `--gpu-name=${architecture}`, source, '--output-file', path.join(folder, 'kernels.cubin')];
    const { stderr } = await promisify(execFile)(file, parameters, { maxBuffer: 2 ** 26 });
    return resourcesOf(stderr);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What ptxas prints of each kernel when it is asked to (`--verbose`). */
export function resourcesOf(log: string): ReadonlyMap<string, KernelResources> {
  const found = new Map<string, KernelResources>();
  for (const text of log.split("Compiling entry function '").slice(1)) {
    const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
    found.set(text.slice(0, text.indexOf("'")), {
      registers: number(/Used (\d+) registers/),
      spilledBytes: number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/),
      stackBytes: number(/(\d+) bytes stack frame/),
      sharedBytes: number(/(\d+) bytes smem/),
    });
  }
  return found;
}
