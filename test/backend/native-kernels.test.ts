import { loopKernels } from './loop-kernels.ts';
import { nativeBuilds } from './native-instance.ts';

for (const build of nativeBuilds) loopKernels(build);
