import { loopKernels } from './loop-kernels.ts';
import { nativeKernelBuilds } from './native-instance.ts';

for (const build of nativeKernelBuilds) loopKernels(build);
