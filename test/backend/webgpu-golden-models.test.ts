import { goldenModels } from './golden-models.ts';
import { webgpuBackend } from './webgpu-backend.ts';

goldenModels(webgpuBackend);
