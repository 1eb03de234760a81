import { cacheConformance } from './cache-conformance.ts';
import { disposeExecutors, nativeBackends } from './native-backend.ts';

describe('machine code', () => {
  afterEach(disposeExecutors);
  for (const backend of nativeBackends) cacheConformance(backend);
});
