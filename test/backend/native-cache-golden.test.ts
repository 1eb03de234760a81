import { nativeTarget } from '../../compiler/codegen/native/target.ts';
import { cacheGolden } from './cache-golden.ts';
import { nativeKernelBuilds } from './native-instance.ts';

for (const build of nativeKernelBuilds) cacheGolden(nativeTarget, build);
