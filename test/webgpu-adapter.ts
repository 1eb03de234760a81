/**
 * WebGPU in Node for tests: Dawn (npm `webgpu`) over a Vulkan driver. Where the environment names no driver, it is SwiftShader, a
 * driver in software that Debian's chromium package ships beside the browser, with a libvulkan.
 */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';

const chromiumFolder = '/usr/lib/chromium';
const softwareDriver = `${chromiumFolder}/vk_swiftshader_icd.json`;
const bundledLoader = `${chromiumFolder}/libvulkan.so.1`;

/** Before Dawn is loaded: names the driver, and loads libvulkan where the system has none of its own. In the main thread, for workers too. */
function prepareVulkan(): void {
  if (process.env['VK_ICD_FILENAMES'] === undefined && existsSync(softwareDriver))
    process.env['VK_ICD_FILENAMES'] = softwareDriver;
  if (!existsSync(bundledLoader)) return;
  try {
    // A loaded library is found by its name. It is no addon, which Node says after it was loaded; 0x1000 (RTLD_NODELETE) keeps it.
    process.dlopen({ exports: {} }, bundledLoader, constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | 0x1000);
  } catch {
    // Dawn says what is missing.
  }
}
prepareVulkan();

/** For a process that does not import this file. */
export function vulkanEnvironment(): Readonly<Record<string, string>> {
  const driver = process.env['VK_ICD_FILENAMES'];
  return {
    ...(driver === undefined ? {} : { VK_ICD_FILENAMES: driver }),
    ...(existsSync(bundledLoader) ? { LD_LIBRARY_PATH: chromiumFolder } : {}),
  };
}

export function webgpuIsThere(): boolean {
  return process.env['VK_ICD_FILENAMES'] !== undefined;
}

/**
 * The driver's compiler unrolls this extension into a store for every word of workgroup memory: 0.6 s for a pipeline with 4 KiB of it,
 * 3 s with 16 KiB. Without the extension Dawn zeroes the same memory in a loop: 0.02 s.
 */
const dawnFlags = ['disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension'];

let gpu: Promise<GPU> | undefined;
/** Held for ever: Dawn crashes when it is collected before its devices. */
export function testGpu(): Promise<GPU> {
  gpu ??= import('webgpu').then(({ create }) => create(dawnFlags));
  return gpu;
}
let device: Promise<GPUDevice> | undefined;
/** The device that tests share, with the default limits. */
export function testDevice(): Promise<GPUDevice> {
  device ??= testGpu().then(async (found) => {
    const adapter = await found.requestAdapter();
    if (adapter === null) throw new Error('Dawn finds no adapter.');
    return adapter.requestDevice({
      requiredFeatures: (['subgroups', 'timestamp-query'] as const).filter((name) => adapter.features.has(name)),
    });
  });
  return device;
}
