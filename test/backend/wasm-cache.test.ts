import { scoreKeysSchedule } from '../../compiler/codegen/wasm/score-keys.ts';
import { cacheKernels } from './cache-kernels.ts';
import { wasmBuilds } from './wasm-instance.ts';

for (const build of wasmBuilds) cacheKernels(build, [scoreKeysSchedule().keyTile, 8]);
