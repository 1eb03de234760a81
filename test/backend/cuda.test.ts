import { requiresTime } from '../requirements.ts';
import { conformance } from './conformance.ts';
import { cudaBackend, disposeExecutors } from './cuda-backend.ts';
import { llamaConformance } from './llama-conformance.ts';
import { modelConformance } from './model-conformance.ts';

describe('CUDA', () => {
  afterEach(disposeExecutors);
  conformance(cudaBackend());
  modelConformance(cudaBackend());
  describe('Llama', () => {
    before(function () {
      requiresTime(this);
    });
    llamaConformance(cudaBackend());
  });
});
