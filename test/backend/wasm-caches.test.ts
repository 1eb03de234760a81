import { cacheConformance } from './cache-conformance.ts';
import { relaxedWasmBackend, wasmBackend } from './wasm-backend.ts';

cacheConformance(wasmBackend);
cacheConformance(relaxedWasmBackend);
