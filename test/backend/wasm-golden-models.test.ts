import { goldenModels } from './golden-models.ts';
import { wasmBackend } from './wasm-backend.ts';

goldenModels(wasmBackend);
