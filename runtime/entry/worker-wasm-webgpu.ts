/** What worker.js of a package is bundled from, if it has kernels for WebAssembly and WebGPU. */
import { wasmKind } from '../backends/wasm/worker-executor.ts';
import { webgpuKind } from '../backends/webgpu/worker-executor.ts';
import { serveParent } from './worker-serve.ts';

serveParent({ wasm: wasmKind, webgpu: webgpuKind });
