/** What a package for WebAssembly alone knows of its targets. */
import type { TargetSupport } from '../backends/targets.ts';
import { useWasm } from '../backends/wasm/use-wasm.ts';

export const targetSupport: TargetSupport = {
  uses: { wasm: useWasm },
  chooseTarget: null,
};
