import { requires, requiresTime } from '../requirements.ts';
import { cudaCompilersAreThere } from '../cuda-compilers.ts';
import { cudaIsThere } from '../cuda-device.ts';
import { cudaAttention } from './cuda-attention.ts';
import { modeKernels } from './mode-kernels.ts';
import { runOnCuda } from './run-cuda-kernels.ts';

describe('CUDA', () => {
  before(function () {
    requires(this, 'cuda', cudaIsThere() && cudaCompilersAreThere());
    requiresTime(this);
  });
  modeKernels({
    name: 'cuda',
    tolerance: 2e-6,
    attention: cudaAttention('f32'),
    run: (kernel, inputs, results, integers) => runOnCuda({ kernel, reads: inputs, written: results, integers }, 2),
  });
});
