import { requiresTime } from '../requirements.ts';
import { cudaBackend, disposeExecutors } from './cuda-backend.ts';
import { goldenModels } from './golden-models.ts';

describe('CUDA', () => {
  before(function () {
    requiresTime(this);
  });
  afterEach(disposeExecutors);
  goldenModels(cudaBackend());
});
