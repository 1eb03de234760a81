import { goldenModels } from './golden-models.ts';
import { wasmBackend } from './wasm-backend.ts';
import { webgpuBackend } from './webgpu-backend.ts';

goldenModels(wasmBackend);
goldenModels(webgpuBackend);
