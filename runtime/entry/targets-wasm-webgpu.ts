/** What a package for WebAssembly and WebGPU knows of its targets. */
import { chooseTarget } from '../backends/choose-target.ts';
import type { TargetSupport } from '../backends/targets.ts';
import { useWasm } from '../backends/wasm/use-wasm.ts';
import { useWebgpu } from '../backends/webgpu/use-webgpu.ts';

export const targetSupport: TargetSupport = {
  uses: { wasm: useWasm, webgpu: useWebgpu },
  chooseTarget,
};
