import { nativeTarget } from '../../compiler/codegen/native/target.ts';
import { cacheGolden } from './cache-golden.ts';
import { nativeBuilds } from './native-instance.ts';

for (const build of nativeBuilds) cacheGolden(nativeTarget, build);
