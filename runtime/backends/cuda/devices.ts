import { AtpcError } from '../../errors.ts';
import { noDevice, type CudaDriver } from './driver.ts';
import { CudaFailure } from './failure.ts';

/** A compute capability as one number, 80 for 8.0, as PTX names it (`.target sm_80`). */
export type Capability = number;
export interface CudaDevice {
  /** The handle. */
  readonly device: number;
  readonly name: string;
  readonly capability: Capability;
  readonly bytes: number;
  readonly multiprocessors: number;
}

/** The devices that the driver shows, which obeys CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER; the fastest first without them. */
export function cudaDevices(driver: CudaDriver): readonly CudaDevice[] {
  return Array.from({ length: driver.deviceCount() }, (_, ordinal) => {
    const device = driver.deviceAt(ordinal);
    return {
      device,
      name: driver.deviceName(device),
      capability: 10 * driver.attribute('capabilityMajor', device) + driver.attribute('capabilityMinor', device),
      bytes: driver.deviceBytes(device),
      multiprocessors: driver.attribute('multiprocessors', device),
    };
  });
}
export const formatCapability = (capability: Capability): string => (capability / 10).toFixed(1);

/** The first device that can run kernels for a compute capability. Throws ATPC-501 where there is none. */
export function chooseDevice(driver: CudaDriver, needed: Capability): CudaDevice {
  const devices = devicesOf(driver);
  const [first] = devices;
  if (!first) throw noDevice();
  const able = devices.find(({ capability }) => capability >= needed);
  if (able) return able;
  throw new AtpcError(
    'ATPC-501',
    `The device ${first.name} has compute capability ${formatCapability(first.capability)}; the kernels need ${formatCapability(needed)}.`,
    { hint: 'Load with another backend.' },
  );
}
function devicesOf(driver: CudaDriver): readonly CudaDevice[] {
  try {
    return cudaDevices(driver);
  } catch (error) {
    if (!(error instanceof CudaFailure)) throw error;
    throw new AtpcError('ATPC-501', `The devices cannot be listed: ${error.message}.`, { cause: error });
  }
}
