import { conformance } from './conformance.ts';
import { llamaConformance } from './llama-conformance.ts';
import { modelConformance } from './model-conformance.ts';
import { disposeExecutors, highestNativeBackend, nativeBackends } from './native-backend.ts';

describe('machine code', () => {
  afterEach(disposeExecutors);
  // Random graphs are a library each, which takes a compiler longer than anything else here.
  conformance(highestNativeBackend);
  for (const backend of nativeBackends) {
    modelConformance(backend);
    llamaConformance(backend);
  }
});
