import { cacheConformance } from './cache-conformance.ts';
import { requiresTime } from '../requirements.ts';
import { cudaBackend, disposeExecutors } from './cuda-backend.ts';

describe('CUDA', () => {
  before(function () {
    requiresTime(this);
  });
  afterEach(disposeExecutors);
  cacheConformance(cudaBackend());
});
