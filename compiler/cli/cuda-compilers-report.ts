/** The compilers for CUDA that `atpc compile -t cuda` would use, for `atpc doctor`. */
import { installCompiler } from '../codegen/cuda/compile-ptx.ts';
import { findCompilers } from '../codegen/cuda/find-compilers.ts';
import { formatCudaVersion } from '../codegen/cuda/nvrtc.ts';

export interface CudaCompilersReport {
  /** Versions of CUDA, the newest first: one PTX each. */
  readonly compilers: readonly { readonly kind: 'nvrtc' | 'nvcc'; readonly version: string }[];
  /** Why there are none, or not more. */
  readonly remarks: readonly string[];
}

export async function cudaCompilersReport(): Promise<CudaCompilersReport> {
  const { compilers, unusable } = await findCompilers();
  return {
    compilers: compilers.map(({ kind, version }) => ({ kind, version: formatCudaVersion(version) })),
    remarks: [...unusable, ...(compilers.length === 0 ? [`none found; no GPU is needed for one: ${installCompiler}`] : [])],
  };
}

const names = { nvrtc: 'NVRTC', nvcc: 'nvcc' } as const;
export function cudaCompilerLines({ compilers, remarks }: CudaCompilersReport): readonly (readonly [string, string])[] {
  const found = compilers.map(({ kind, version }) => `${names[kind]} ${version}`);
  return [
    ...(found.length === 0 ? [] : [['compilers', found.join(', ')] as const]),
    ...remarks.map((sentence) => [found.length === 0 ? 'compilers' : 'not used', sentence] as const),
  ];
}
