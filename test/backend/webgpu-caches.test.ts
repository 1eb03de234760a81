import { cacheConformance } from './cache-conformance.ts';
import { webgpuBackend } from './webgpu-backend.ts';

cacheConformance(webgpuBackend);
