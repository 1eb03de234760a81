/** How long a dispatch takes at best on a device: the roofline, with the multiprocessors that the dispatch can keep busy. */
import { capabilities, type Device } from './devices.ts';
import type { Footprint } from './footprint.ts';
import { bytesOf, type KernelWork } from './work.ts';

/** How a dispatch comes to the device: one by one, or as a node of a graph that was captured before. */
export type Launch = 'stream' | 'graph';
/**
 * Between the end of a kernel and the beginning of the next. NVIDIA measured 0.9 us from a stream and 0.5 us in a graph for kernels of
 * 2.9 us (Gray, "Getting Started with CUDA Graphs", 2019); a launch through the driver takes a host 2 us and more, which short kernels wait for.
 */
export const launchSeconds: { readonly [K in Launch]: number } = { stream: 2.5e-6, graph: 1e-6 };

/** Warps that have to be there for a multiprocessor to reach its rate: two for each of its four schedulers. */
export const warpsForFullRate = 8;
/** Bytes a clock that one multiprocessor reads at most from the cache of the device. */
export const bytesPerClock = 64;
/** And all of them together: what NVIDIA says of the A100 (its white paper, "L2 cache"), taken for every device. */
export const cacheBytesPerClock = 5120;

export interface Occupancy {
  /** Workgroups that a multiprocessor holds at a time; 0 where one alone does not fit. */
  readonly resident: number;
  /** Threads of those, of all that it can hold. */
  readonly share: number;
  readonly limit: 'threads' | 'workgroups' | 'registers' | 'shared memory';
}
/** CUDA C++ Best Practices Guide, "Calculating Occupancy". */
export function occupancyOf(
  device: Device,
  { threads, sharedBytes }: Pick<Footprint, 'threads' | 'sharedBytes'>,
  registers: number,
): Occupancy {
  const capability = capabilities[device.capability];
  const warps = Math.ceil(threads / 32);
  const ofWarp = Math.ceil((registers * 32) / capability.registerUnit) * capability.registerUnit;
  const limits = [
    { limit: 'threads', resident: Math.floor(capability.threadsPerMultiprocessor / (warps * 32)) },
    { limit: 'workgroups', resident: capability.workgroupsPerMultiprocessor },
    { limit: 'registers', resident: Math.floor(capability.registersPerMultiprocessor / (ofWarp * warps)) },
    {
      limit: 'shared memory',
      resident: Math.floor(capability.sharedBytesPerMultiprocessor / (sharedBytes + capability.reservedSharedBytes)),
    },
  ] as const;
  const least = limits.reduce((a, b) => (b.resident < a.resident ? b : a));
  return { ...least, share: (least.resident * warps * 32) / capability.threadsPerMultiprocessor };
}

/** `cache`: what tiles read again takes longest. */
export const bounds = ['memory', 'cache', 'compute', 'launch'] as const;
export type Bound = (typeof bounds)[number];
export interface Prediction {
  readonly bound: Bound;
  readonly memorySeconds: number;
  readonly cacheSeconds: number;
  readonly computeSeconds: number;
  readonly launchSeconds: number;
  /** The launch, then the longest of the others: a kernel computes while it reads. */
  readonly seconds: number;
}
export interface PredictionOptions {
  readonly device: Device;
  readonly launch: Launch;
}
export function predict(
  work: KernelWork,
  workgroups: number,
  { threads, tensorCores }: Footprint,
  { resident }: Occupancy,
  { device, launch }: PredictionOptions,
): Prediction {
  const capability = capabilities[device.capability];
  const { multiprocessors, clockHertz } = device;
  const busy = Math.min(multiprocessors, workgroups);
  const perMultiprocessor = Math.ceil(workgroups / multiprocessors);
  const warps = (Math.max(1, Math.min(resident, perMultiprocessor)) * threads) / 32;
  const rate = Math.min(1, warps / warpsForFullRate);
  // The multiprocessor that has most workgroups is the last to be ready: how much of all of them is idle until then.
  const balance = workgroups === 0 ? 1 : workgroups / (perMultiprocessor * multiprocessors);
  const productRate = tensorCores ? device.halfFlopsPerSecond * capability.warpProductShare : device.f32FlopsPerSecond;
  const specialRate = capability.specialPerClock * multiprocessors * clockHertz;
  const products = work.productFlops / productRate;
  const scalars = work.scalarFlops / device.f32FlopsPerSecond;
  const specials = work.specialFlops / specialRate;
  // Tensor cores, f32 lanes and special function units work side by side; without the first, the lanes do the products too.
  const units = tensorCores ? Math.max(products, scalars, specials) : Math.max(products + scalars, specials);
  const computeSeconds = units / (work.tileFill * balance * rate);
  const reached = Math.max(1, busy) * bytesPerClock * clockHertz;
  const memorySeconds = bytesOf(work) / Math.min(device.bytesPerSecond, reached);
  const cacheSeconds = (bytesOf(work) + work.rereadBytes) / Math.min(cacheBytesPerClock * clockHertz, reached);
  const before = launchSeconds[launch];
  const seconds: Readonly<Record<Bound, number>> = {
    memory: memorySeconds,
    cache: cacheSeconds,
    compute: computeSeconds,
    launch: before,
  };
  const bound = bounds.reduce((most, other) => (seconds[other] > seconds[most] ? other : most));
  const longest = Math.max(memorySeconds, cacheSeconds, computeSeconds);
  return { bound, memorySeconds, cacheSeconds, computeSeconds, launchSeconds: before, seconds: before + longest };
}
