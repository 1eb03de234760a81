import { scoreKeysSchedule } from '../../compiler/codegen/native/score-keys.ts';
import { cacheKernels } from './cache-kernels.ts';
import { nativeBuilds } from './native-instance.ts';

for (const build of nativeBuilds) cacheKernels(build, [scoreKeysSchedule().keyTile, 16]);
