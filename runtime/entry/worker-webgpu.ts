/** What worker.js of a package is bundled from, if it has kernels for WebGPU alone. */
import { webgpuKind } from '../backends/webgpu/worker-executor.ts';
import { serveParent } from './worker-serve.ts';

serveParent({ webgpu: webgpuKind });
