import { goldenModels } from './golden-models.ts';
import { disposeExecutors, highestNativeBackend } from './native-backend.ts';

describe('machine code', () => {
  afterEach(disposeExecutors);
  goldenModels(highestNativeBackend);
});
