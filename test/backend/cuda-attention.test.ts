import { precisions } from '../../compiler/codegen/cuda/precision.ts';
import { cudaIsThere } from '../cuda-device.ts';
import { requires, requiresTime } from '../requirements.ts';
import { attentionKernels } from './attention-kernels.ts';
import { cudaAttention } from './cuda-attention.ts';

describe('CUDA', function () {
  this.timeout(60_000);
  before(function () {
    requires(this, 'cuda', cudaIsThere());
    requiresTime(this);
  });
  for (const precision of precisions) attentionKernels(cudaAttention(precision));
});
