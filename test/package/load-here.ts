/** Packages whose worker is this thread, so that a test can get at what they do with their device. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { formatValidators } from '../../compiler/package/validators.ts';
import type { TargetSupport } from '../../runtime/backends/targets.ts';
import { useTarget } from '../../runtime/backends/targets.ts';
import { WorkerBackend, type WorkerLoad } from '../../runtime/backends/worker/client.ts';
import type { TargetKernels } from '../../runtime/backends/worker/protocol.ts';
import { WorkerServer, type ExecutorKinds } from '../../runtime/backends/worker/server.ts';
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
function workerHere(kinds: ExecutorKinds): WorkerHandle {
  const { port1, port2 } = new MessageChannel();
  new WorkerServer(portOf(port2), currentPlatform(), kinds);
  return {
    ...portOf(port1),
    onDeath: () => undefined,
    onExit: () => undefined,
    keepAlive: () => undefined,
    terminate: () => Promise.resolve(port1.close()),
  };
}

/** The code of a target that a package may have. */
export interface TargetCode {
  readonly name: 'webgpu' | 'cuda' | 'native';
  readonly uses: TargetSupport['uses'];
  readonly kinds: ExecutorKinds;
}
export interface HereOptions extends Partial<WorkerLoad> {
  /** The files of the package come from the caller, as by the option `files`. */
  readonly handedOver?: boolean;
  /** Only the builds with these features, joined by commas. */
  readonly builds?: readonly string[];
}
/** Loads the package in a folder on a target, in this thread. */
export async function loadInThread(
  { name, uses, kinds }: TargetCode,
  folder: string,
  { handedOver = false, builds, ...options }: HereOptions = {},
): Promise<LoadedModel> {
  const read = async (file: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await readFile(path.join(folder, file)));
  const validators = formatValidators();
  const manifest = readManifest(await read('manifest.json'), validators);
  const target = manifest.targets.find((candidate) => candidate.name === name);
  if (target === undefined) throw new Error(`The package has no kernels for ${name}.`);
  const use = useTarget({ uses, chooseTarget: null }, manifest, target, { platform: currentPlatform(), threads: 1 });
  const kernels = use.kernels(() => new Uint8Array()) as TargetKernels[TargetCode['name']];
  const weightPaths = new Set(manifest.tensors.map(({ file }) => file));
  const paths = [...weightPaths, ...use.workerFiles.map((file) => file.path)];
  const urls = Object.fromEntries(paths.map((file) => [file, pathToFileURL(path.join(folder, file)).href]));
  const backend = new WorkerBackend(() => workerHere(kinds), { name, why: 'test', threads: use.threads });
  try {
    await backend.load({
      program: readProgram(await read(target.program), validators),
      kernels: kernels.filter(({ features }) => builds === undefined || builds.includes(String(features))) as typeof kernels,
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
