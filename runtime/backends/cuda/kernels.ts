import { AtpcError } from '../../errors.ts';
import { dispatchSteps, type Program } from '../../format/program.ts';
import { ignoringFailures } from './context.ts';
import type { Address, CudaDriver } from './driver.ts';
import { cudaCode, CudaFailure } from './failure.ts';
import type { PtxText } from './ptx.ts';

export interface CudaKernel {
  readonly function: Address;
  /** Of a block. */
  readonly threads: number;
}
export interface CudaKernels {
  readonly module: Address;
  readonly kernels: ReadonlyMap<string, CudaKernel>;
}

/** Codes that say that a driver cannot compile this PTX for this device, whoever asks. */
const unsupported: ReadonlySet<number> = new Set([
  cudaCode.noBinaryForGpu,
  cudaCode.unsupportedPtxVersion,
  cudaCode.jitCompilerNotFound,
]);

/**
 * Compiles the kernels of a program, all at once: it takes seconds where the driver has not kept them from an earlier time. Throws
 * ATPC-501 where the driver cannot compile such PTX, ATPC-505 where it refuses this one, with what it says, and ATPC-403 for a kernel
 * that is missing.
 */
export function loadKernels(driver: CudaDriver, program: Program, { bytes, threads }: PtxText): CudaKernels {
  const names = new Set(
    Object.values(program.entryPoints).flatMap(({ steps }) => dispatchSteps(steps).map(({ kernel }) => kernel)),
  );
  const module = moduleOf(driver, bytes);
  try {
    const kernels = [...names].map((name) => {
      const address = driver.functionOf(module, name);
      const count = threads.get(name);
      if (address === undefined || count === undefined)
        throw new AtpcError('ATPC-403', `The kernel '${name}' of program.json is not in the kernel file.`);
      return [name, { function: address, threads: count }] as const;
    });
    return { module, kernels: new Map(kernels) };
  } catch (error) {
    ignoringFailures(() => driver.unloadModule(module));
    throw error;
  }
}
function moduleOf(driver: CudaDriver, ptx: Uint8Array): Address {
  try {
    return driver.loadModule(ptx);
  } catch (error) {
    if (!(error instanceof CudaFailure) || error.losesContext || error.code === cudaCode.outOfMemory) throw error;
    if (unsupported.has(error.code)) {
      throw new AtpcError('ATPC-501', `The CUDA driver cannot compile the kernels: ${error.message}.`, {
        hint: 'Update the NVIDIA driver, or load with another backend.',
        cause: error,
      });
    }
    throw new AtpcError('ATPC-505', `The CUDA driver refuses the kernels: ${error.message}.`, {
      hint: 'Load with another backend, and tell the authors of atpc about it.',
      cause: error,
    });
  }
}
