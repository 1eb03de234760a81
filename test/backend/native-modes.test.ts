import { modesOf } from './mode-backend.ts';
import { modeKernels } from './mode-kernels.ts';
import { nativeAttention } from './native-attention.ts';
import { highestKernelBuild, nativeKernelBuilds } from './native-instance.ts';
import { skipWithoutNative } from './native-library.ts';
import { principalRowKernels } from './principal-row-kernels.ts';

describe('native', () => {
  before(function () {
    skipWithoutNative(this);
  });
  modeKernels(modesOf('native', nativeAttention, highestKernelBuild));
});
for (const build of nativeKernelBuilds) principalRowKernels(build);
