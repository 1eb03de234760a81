import { modesOf } from './mode-backend.ts';
import { modeKernels } from './mode-kernels.ts';
import { nativeAttention } from './native-attention.ts';
import { nativeBuilds } from './native-instance.ts';
import { principalRowKernels } from './principal-row-kernels.ts';

const highest = nativeBuilds.at(-1);
if (highest !== undefined) modeKernels(modesOf('native', nativeAttention, highest));
for (const build of nativeBuilds) principalRowKernels(build);
