import { AtpcError } from '../../../runtime/errors.ts';
import type { KernelKind } from '../../kernel/kernel.ts';
import { gpuRenderers, type Renderer } from '../clike/renderers.ts';
import { renderCudaAttention } from './kernels/attention.ts';
import { cudaBlockGemmVectorStrides, cudaGemmVectorStrides, renderCudaBlockGemm, renderCudaGemm } from './kernels/gemm.ts';

const renderers: { readonly [K in KernelKind]: Renderer<K> } = {
  ...gpuRenderers,
  attention: { ...gpuRenderers.attention, render: renderCudaAttention },
  gemm: { ...gpuRenderers.gemm, render: renderCudaGemm, vectorStrides: cudaGemmVectorStrides },
  block_gemm: { ...gpuRenderers.block_gemm, render: renderCudaBlockGemm, vectorStrides: cudaBlockGemmVectorStrides },
  principal_rows: {
    render({ kind }) {
      throw new AtpcError('ATPC-307', `CUDA has no kernel '${kind}'.`, {
        hint: 'Literal ATP (svd) needs eigenvectors in float64: compile it for wasm.',
      });
    },
    items: () => 0,
  },
};
export function rendererOf<K extends KernelKind>(kernel: { readonly kind: K }): Renderer<K> {
  return renderers[kernel.kind];
}
