import { AtpcError } from '../../errors.ts';
import { dawnGpu } from '../../platform/node/dawn.ts';
import type { PendingWork } from '../worker/pending-work.ts';

/** What a device is made for. Limits that are not named are the defaults, which every adapter has (WebGPU, section 3.6.2). */
export interface DeviceNeeds {
  readonly features: readonly GPUFeatureName[];
  readonly limits: DeviceLimits;
}
export type DeviceLimits = Pick<GPUSupportedLimits, 'maxBufferSize' | 'maxStorageBufferBindingSize'>;

/** Every bundle of this runtime in a thread finds the same object here. */
const key: unique symbol = Symbol.for('atpc.webgpu');
const threadGlobals = globalThis as { [key]?: Promise<GPU> };

/** The entry to WebGPU of this thread, held for ever: Dawn crashes when it is collected before its devices. Rejects with ATPC-501. */
function gpuOfThread(): Promise<GPU> {
  threadGlobals[key] ??= findGpu().catch((error: unknown) => {
    // Whoever installs what is missing may try again.
    delete threadGlobals[key];
    throw error;
  });
  return threadGlobals[key];
}
async function findGpu(): Promise<GPU> {
  const own = typeof navigator === 'object' ? navigator.gpu : undefined;
  if (own) return own;
  if (typeof process === 'object' && typeof process.getBuiltinModule === 'function') return dawnGpu();
  const insecure = typeof isSecureContext === 'boolean' && !isSecureContext;
  throw new AtpcError(
    'ATPC-501',
    insecure ? 'Browsers give WebGPU to pages from https and localhost alone.' : 'This browser has no WebGPU.',
    { hint: "Load with backend: 'wasm'." },
  );
}

/** The adapter that the host prefers. Rejects with ATPC-501 where there is none. */
export async function requestAdapter(pending: PendingWork): Promise<GPUAdapter> {
  const gpu = await gpuOfThread();
  const adapter = await pending.track(() => gpu.requestAdapter({ powerPreference: 'high-performance' }));
  if (adapter) return adapter;
  throw new AtpcError('ATPC-501', 'There is no WebGPU adapter here: no graphics driver that WebGPU takes.', {
    hint: "Load with backend: 'wasm', or install a driver; on Linux Vulkan and libvulkan1.",
  });
}
export function describeAdapter({ info }: GPUAdapter): string {
  const words = [info.vendor, info.architecture, info.description].filter((word) => word !== '');
  const name = words.length === 0 ? 'an unnamed adapter' : words.join(' ');
  return info.isFallbackAdapter ? `${name}, in software` : name;
}

interface SharedDevice {
  readonly device: GPUDevice;
  users: number;
  isLost: boolean;
}
/** A model's hold on a device. */
export interface DeviceLease {
  readonly device: GPUDevice;
  /** The last one to release a device destroys it. */
  release(): void;
}
const devices = new Set<SharedDevice>();
let last: Promise<unknown> = Promise.resolve();

/**
 * A device of this thread that has what is needed: one that other models use already, or a new one from the adapter, which is used up
 * then. Rejects with ATPC-501 where the adapter gives none.
 */
export function leaseDevice(adapter: GPUAdapter, needs: DeviceNeeds, pending: PendingWork): Promise<DeviceLease> {
  // One after the other, so that two models that load at the same time come to the same device.
  const lease = last.then(async () => {
    const shared = [...devices].find((candidate) => !candidate.isLost && fits(candidate.device, needs));
    return leaseOf(shared ?? (await createDevice(adapter, needs, pending)));
  });
  last = lease.catch(() => undefined);
  return lease;
}
function fits(device: GPUDevice, { features, limits }: DeviceNeeds): boolean {
  const names = Object.keys(limits) as (keyof DeviceLimits)[];
  return features.every((name) => device.features.has(name)) && names.every((name) => device.limits[name] >= limits[name]);
}
async function createDevice(adapter: GPUAdapter, { features, limits }: DeviceNeeds, pending: PendingWork): Promise<SharedDevice> {
  let device: GPUDevice;
  try {
    device = await pending.track(() => adapter.requestDevice({ requiredFeatures: features, requiredLimits: { ...limits } }));
  } catch (cause) {
    throw new AtpcError('ATPC-501', `The WebGPU adapter gives no device: ${String(cause)}.`, { cause });
  }
  const shared: SharedDevice = { device, users: 0, isLost: false };
  devices.add(shared);
  // Not tracked: it is pending as long as the device lives.
  void device.lost.then(() => {
    shared.isLost = true;
    devices.delete(shared);
  });
  return shared;
}
function leaseOf(shared: SharedDevice): DeviceLease {
  shared.users += 1;
  let released = false;
  return {
    device: shared.device,
    release: () => {
      if (released) return;
      released = true;
      shared.users -= 1;
      if (shared.users > 0) return;
      devices.delete(shared);
      shared.device.destroy();
    },
  };
}
