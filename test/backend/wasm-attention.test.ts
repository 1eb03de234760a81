import { attentionKernels } from './attention-kernels.ts';
import { wasmAttention } from './wasm-attention.ts';

attentionKernels(wasmAttention);
