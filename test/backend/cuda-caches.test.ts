import { cacheConformance } from './cache-conformance.ts';
import { cudaBackend, disposeExecutors } from './cuda-backend.ts';

describe('CUDA', () => {
  afterEach(disposeExecutors);
  cacheConformance(cudaBackend());
});
