import { precisions } from '../../compiler/codegen/cuda/precision.ts';
import { requiresTime } from '../requirements.ts';
import { cudaBackend, disposeExecutors } from './cuda-backend.ts';
import { goldenModels } from './golden-models.ts';

describe('CUDA', () => {
  before(function () {
    requiresTime(this);
  });
  afterEach(disposeExecutors);
  for (const precision of precisions) goldenModels(cudaBackend(precision), { promptTokens: 64 });
});
