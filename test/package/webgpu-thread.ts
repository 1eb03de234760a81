/** Packages whose worker is this thread, so that a test can get at its devices: lose them, and count what they are given. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { globals } from 'webgpu';
import { formatValidators } from '../../compiler/package/validators.ts';
import { useWebgpu } from '../../runtime/backends/webgpu/use-webgpu.ts';
import { webgpuKind } from '../../runtime/backends/webgpu/worker-executor.ts';
import { WorkerBackend, type WorkerLoad } from '../../runtime/backends/worker/client.ts';
import type { TargetKernels } from '../../runtime/backends/worker/protocol.ts';
import { WorkerServer } from '../../runtime/backends/worker/server.ts';
import type { ManifestTarget } from '../../runtime/format/manifest.ts';
import { readManifest, readProgram } from '../../runtime/format/read.ts';
import { textGeneration } from '../../runtime/generate/text-generator.ts';
import { LoadedModel } from '../../runtime/model.ts';
import { currentPlatform, type Port, type WorkerHandle } from '../../runtime/platform/platform.ts';
import { givenFiles } from '../../runtime/source.ts';

function portOf(port: MessagePort): Port {
  return {
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    onMessage: (receive) => void port.on('message', receive),
  };
}
function workerHere(): WorkerHandle {
  const { port1, port2 } = new MessageChannel();
  new WorkerServer(portOf(port2), currentPlatform(), { webgpu: webgpuKind });
  return {
    ...portOf(port1),
    onDeath: () => undefined,
    onExit: () => undefined,
    keepAlive: () => undefined,
    terminate: () => Promise.resolve(port1.close()),
  };
}

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

export interface HereOptions extends Partial<WorkerLoad> {
  /** The files of the package come from the caller, as by the option `files`. */
  readonly handedOver?: boolean;
  /** Only the builds with these features, joined by commas. */
  readonly builds?: readonly string[];
}
/** Loads the package in a folder on WebGPU, in this thread. */
export async function loadHere(
  folder: string,
  { handedOver = false, builds, ...options }: HereOptions = {},
): Promise<LoadedModel> {
  const read = async (name: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await readFile(path.join(folder, name)));
  const validators = formatValidators();
  const manifest = readManifest(await read('manifest.json'), validators);
  const target = manifest.targets.find((candidate): candidate is ManifestTarget<'webgpu'> => candidate.name === 'webgpu');
  if (target === undefined) throw new Error('The package has no kernels for WebGPU.');
  const use = useWebgpu(manifest, target, { platform: currentPlatform(), threads: 1 });
  const kernels = use.kernels(() => new Uint8Array()) as TargetKernels['webgpu'];
  const weightPaths = new Set(manifest.tensors.map(({ file }) => file));
  const paths = [...weightPaths, ...use.workerFiles.map((file) => file.path)];
  const urls = Object.fromEntries(paths.map((name) => [name, pathToFileURL(path.join(folder, name)).href]));
  const backend = new WorkerBackend(workerHere, { name: 'webgpu', why: 'test', threads: use.threads });
  try {
    await backend.load({
      program: readProgram(await read(target.program), validators),
      kernels: kernels.filter(({ features }) => builds === undefined || builds.includes(String(features))),
      tensors: manifest.tensors,
      weightFiles: manifest.files.filter((file) => weightPaths.has(file.path)),
      urls: handedOver ? null : urls,
      source: givenFiles(read),
      onProgress: () => undefined,
      ...options,
    });
  } catch (error) {
    await backend.dispose();
    throw error;
  }
  const generation = manifest.task.kind === 'generate' ? textGeneration(null) : undefined;
  return new LoadedModel({ manifest, target, backend, tokenizer: undefined, generation });
}
