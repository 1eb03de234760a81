import { requires, requiresTime } from '../requirements.ts';
import { webgpuIsThere } from '../webgpu-adapter.ts';
import { modeKernels } from './mode-kernels.ts';
import { webgpuAttention } from './webgpu-attention.ts';
import { runOnDevice } from './webgpu-kernels.ts';

describe('WebGPU', () => {
  before(function () {
    requires(this, 'webgpu', webgpuIsThere());
    requiresTime(this);
  });
  modeKernels({
    name: 'webgpu',
    tolerance: 2e-6,
    attention: webgpuAttention,
    async run(kernel, inputs, results, integers) {
      const once = (vectors: boolean) => runOnDevice(kernel, [...inputs, ...results], results.length, integers, { vectors });
      // By element and, where the sizes allow it, by four: what is computed is the same.
      return [await once(true), await once(true), await once(false)];
    },
  });
});
