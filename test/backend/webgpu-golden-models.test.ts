import { requiresTime } from '../requirements.ts';
import { goldenModels } from './golden-models.ts';
import { webgpuBackend } from './webgpu-backend.ts';

describe('WebGPU', () => {
  before(function () {
    requiresTime(this);
  });
  goldenModels(webgpuBackend);
});
