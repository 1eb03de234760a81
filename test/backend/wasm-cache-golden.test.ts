import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { cacheGolden } from './cache-golden.ts';
import { wasmBuilds } from './wasm-instance.ts';

for (const build of wasmBuilds) cacheGolden(wasmTarget, build);
