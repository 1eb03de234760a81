import type { ExecutorKind } from '../executor.ts';
import { leaseContext } from './context.ts';
import { chooseDevice, formatCapability } from './devices.ts';
import { openCudaDriver } from './driver.ts';
import { CudaExecutor } from './executor.ts';
import { checkMemory } from './preflight.ts';
import { chooseBuild, formatVersion, readPtx } from './ptx.ts';
import { meaningOf } from './failure.ts';

/** CUDA in a worker. Nothing of a package's weights is read before the device has been asked whether they fit. */
export const cudaKind: ExecutorKind<'cuda'> = {
  async open({ program, kernels }, { readFile, onKernels }) {
    const driver = openCudaDriver();
    const version = driver.version();
    const { file, features } = chooseBuild(kernels, version);
    const ptx = readPtx(await readFile(file));
    const { device, name, capability } = chooseDevice(driver, ptx.capability);
    const context = leaseContext(driver, device);
    try {
      checkMemory(program, driver.memory());
    } catch (error) {
      context.release();
      throw meaningOf(error);
    }
    const description = [
      name,
      `compute capability ${formatCapability(capability)}`,
      `driver for CUDA ${formatVersion(version)}`,
      ...features,
    ].join(', ');
    return CudaExecutor.create(driver, context, program, ptx, { description, onKernels });
  },
};
