import { moduleOf } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { instantiateProgram } from '../../compiler/program/run-program.ts';
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import type { Backend } from './conformance.ts';

function backendOf(build: readonly string[]): Pick<Backend, 'target' | 'build' | 'instantiate'> {
  return {
    target: wasmTarget,
    build,
    instantiate: (program, files, tensor) => instantiateProgram(program, moduleOf(files, build), tensor),
  };
}
export const wasmBackend: Backend = { name: 'wasm', ...backendOf(['simd128']) };
export const relaxedWasmBackend: Backend = {
  name: 'wasm with relaxed SIMD',
  ...backendOf(['simd128', 'relaxed-simd']),
  needs: { requirement: 'relaxed-simd', isThere: () => hasFeature('relaxed-simd') },
};
