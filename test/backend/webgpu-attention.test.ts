import { requires, requiresTime } from '../requirements.ts';
import { webgpuIsThere } from '../webgpu-adapter.ts';
import { attentionKernels } from './attention-kernels.ts';
import { webgpuAttention } from './webgpu-attention.ts';

describe('WebGPU', () => {
  before(function () {
    requires(this, 'webgpu', webgpuIsThere());
    requiresTime(this);
  });
  attentionKernels(webgpuAttention);
});
