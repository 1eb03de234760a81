import { attentionKernels } from './attention-kernels.ts';
import { nativeAttention } from './native-attention.ts';

attentionKernels(nativeAttention);
