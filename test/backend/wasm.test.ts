import { conformance } from './conformance.ts';
import { llamaConformance } from './llama-conformance.ts';
import { modelConformance } from './model-conformance.ts';
import { relaxedWasmBackend, wasmBackend } from './wasm-backend.ts';

for (const backend of [wasmBackend, relaxedWasmBackend]) {
  conformance(backend);
  modelConformance(backend);
  llamaConformance(backend);
}
