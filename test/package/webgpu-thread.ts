/** WebGPU in this thread, so that a test can get at its devices: lose them, and count what they are given. */
import { globals } from 'webgpu';
import { useWebgpu } from '../../runtime/backends/webgpu/use-webgpu.ts';
import { webgpuKind } from '../../runtime/backends/webgpu/worker-executor.ts';
import type { LoadedModel } from '../../runtime/model.ts';
import { loadInThread, type HereOptions } from './load-here.ts';

/** The devices that are made in this thread while it is watched, in order. */
export class WatchedDevices {
  readonly devices: GPUDevice[] = [];
  submissions = 0;
  readonly #requestDevice: GPUAdapter['requestDevice'];
  readonly #prototype: GPUAdapter;

  /** `made` sees each device before anyone else; `without` is a feature that none of them has. */
  constructor(made: (device: GPUDevice) => void = () => undefined, without?: GPUFeatureName) {
    this.#prototype = (globals as { readonly GPUAdapter: { readonly prototype: GPUAdapter } }).GPUAdapter.prototype;
    const requestDevice = (this.#requestDevice = this.#prototype.requestDevice);
    const watch = (device: GPUDevice): GPUDevice => {
      const { queue } = device;
      const submit = queue.submit.bind(queue);
      queue.submit = (buffers) => {
        if ([...buffers].length > 0) this.submissions += 1;
        return submit(buffers);
      };
      this.devices.push(device);
      made(device);
      return device;
    };
    this.#prototype.requestDevice = async function (this: GPUAdapter, descriptor) {
      const requiredFeatures = [...(descriptor?.requiredFeatures ?? [])].filter((name) => name !== without);
      return watch(await requestDevice.call(this, { ...descriptor, requiredFeatures }));
    };
  }
  get last(): GPUDevice {
    const device = this.devices.at(-1);
    if (device === undefined) throw new Error('No device was made.');
    return device;
  }
  [Symbol.dispose](): void {
    this.#prototype.requestDevice = this.#requestDevice;
  }
}

/** Loads the package in a folder on WebGPU, in this thread. */
export function loadHere(folder: string, options?: HereOptions): Promise<LoadedModel> {
  return loadInThread({ name: 'webgpu', uses: { webgpu: useWebgpu }, kinds: { webgpu: webgpuKind } }, folder, options);
}
