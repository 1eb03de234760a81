import { scoreKeysSchedule } from '../../compiler/codegen/native/score-keys.ts';
import { cacheKernels } from './cache-kernels.ts';
import { nativeKernelBuilds } from './native-instance.ts';

for (const build of nativeKernelBuilds) cacheKernels(build, [scoreKeysSchedule().keyTile, 16]);
