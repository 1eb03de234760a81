/** What a package for WebGPU alone knows of its targets. */
import type { TargetSupport } from '../backends/targets.ts';
import { useWebgpu } from '../backends/webgpu/use-webgpu.ts';

export const targetSupport: TargetSupport = {
  uses: { webgpu: useWebgpu },
  chooseTarget: null,
};
