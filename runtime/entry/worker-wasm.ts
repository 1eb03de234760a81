/** What worker.js of a package is bundled from, if it has kernels for WebAssembly alone. */
import { wasmKind } from '../backends/wasm/worker-executor.ts';
import { serveParent } from './worker-serve.ts';

serveParent({ wasm: wasmKind });
