import { AtpcError } from '../../../runtime/errors.ts';
import type { KernelKind } from '../../kernel/kernel.ts';
import { gpuRenderers, type Renderer } from '../clike/renderers.ts';

const renderers: { readonly [K in KernelKind]: Renderer<K> } = {
  ...gpuRenderers,
  principal_rows: {
    /** WebGPU has no float64 (WGSL, section 6.2.4), and the eigenvectors of literal ATP are not safe in f32. */
    render({ kind }) {
      throw new AtpcError('ATPC-307', `WebGPU has no kernel '${kind}'.`, {
        hint: 'Literal ATP (svd) needs float64: compile it for wasm.',
      });
    },
    items: () => 0,
  },
};
export function rendererOf<K extends KernelKind>(kernel: { readonly kind: K }): Renderer<K> {
  return renderers[kernel.kind];
}
