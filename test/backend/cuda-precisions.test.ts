/** Kernels of CUDA that multiply on tensor cores, as close to the interpreter as 16 bits let them be. */
import { requiresTime } from '../requirements.ts';
import { conformance } from './conformance.ts';
import { cudaBackend, disposeExecutors } from './cuda-backend.ts';
import { llamaConformance } from './llama-conformance.ts';

describe('CUDA', () => {
  before(function () {
    requiresTime(this);
  });
  afterEach(disposeExecutors);
  for (const precision of ['f16', 'bf16'] as const) {
    conformance(cudaBackend(precision));
    llamaConformance(cudaBackend(precision));
  }
});
