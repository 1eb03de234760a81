import { conformance } from './conformance.ts';
import { llamaConformance } from './llama-conformance.ts';
import { modelConformance } from './model-conformance.ts';
import { webgpuBackend } from './webgpu-backend.ts';

conformance(webgpuBackend);
modelConformance(webgpuBackend);
llamaConformance(webgpuBackend);
