import { conformance } from './conformance.ts';
import { webgpuBackend } from './webgpu-backend.ts';

conformance(webgpuBackend);
