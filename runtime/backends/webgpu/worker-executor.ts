import { AtpcError } from '../../errors.ts';
import type { TargetFeatures } from '../../format/manifest.ts';
import type { ExecutorKind } from '../executor.ts';
import type { TargetKernels } from '../worker/protocol.ts';
import { describeAdapter, leaseDevice, requestAdapter } from './device.ts';
import { WebGpuExecutor } from './executor.ts';
import { checkLimits, neededLimits } from './preflight.ts';

type Build = TargetKernels['webgpu'][number];

/** WebGPU in a worker. Nothing of a package's weights is read before the adapter has been asked whether they fit. */
export const webgpuKind: ExecutorKind<'webgpu'> = {
  async open({ program, kernels, profile }, { pending, readFile, onKernels }) {
    const adapter = await requestAdapter(pending);
    const { file, features } = chooseBuild(kernels, adapter.features);
    checkLimits(program, adapter.limits);
    const text = new TextDecoder().decode(await readFile(file));
    const timestamps: readonly GPUFeatureName[] = profile && adapter.features.has('timestamp-query') ? ['timestamp-query'] : [];
    const needs = { features: [...features, ...timestamps], limits: neededLimits(program, adapter.limits) };
    const { device, release } = await leaseDevice(adapter, needs, pending);
    const description = [describeAdapter(adapter), ...features].join(', ');
    try {
      return await WebGpuExecutor.open(device, program, text, { description, pending, onKernels, release });
    } catch (error) {
      release();
      throw error;
    }
  },
};

/** The build that uses most of what an adapter has. Throws ATPC-501 where it can run none. */
export function chooseBuild(builds: readonly Build[], features: ReadonlySet<string>): Build {
  const [best] = builds
    .filter((build) => build.features.every((feature) => features.has(feature)))
    .sort((a, b) => b.features.length - a.features.length);
  if (best) return best;
  const missing: readonly (readonly TargetFeatures['webgpu'][])[] = builds.map((build) => build.features);
  throw new AtpcError(
    'ATPC-501',
    `This WebGPU adapter can run none of the package's kernels, which need ${missing.map((names) => names.join(' and ')).join('; or ')}.`,
  );
}
