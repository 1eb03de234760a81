/** What a package for WebAssembly and WebGPU knows of its targets. */
import { chooseFaster } from '../backends/choose-backend.ts';
import type { TargetSupport } from '../backends/targets.ts';
import { useWasm } from '../backends/wasm/use-wasm.ts';
import { useWebgpu } from '../backends/webgpu/use-webgpu.ts';

export const targetSupport: TargetSupport = {
  uses: { wasm: useWasm, webgpu: useWebgpu },
  chooseFaster,
};
