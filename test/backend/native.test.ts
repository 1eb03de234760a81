import { conformance } from './conformance.ts';
import { llamaConformance } from './llama-conformance.ts';
import { modelConformance } from './model-conformance.ts';
import { nativeBackends } from './native-backend.ts';

for (const backend of nativeBackends) {
  conformance(backend);
  modelConformance(backend);
  llamaConformance(backend);
}
