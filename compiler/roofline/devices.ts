/**
 * GPUs that a roofline can be drawn for, as data. A row is what NVIDIA publishes of a product: its data sheet, and the white paper of
 * its architecture; what every chip of a compute capability shares is in a table of its own, after the CUDA C++ Programming Guide
 * (section "Compute Capabilities", table "Technical Specifications per Compute Capability").
 */
import { AtpcError } from '../../runtime/errors.ts';
import { didYouMean } from '../schema/did-you-mean.ts';

/** What all chips of a compute capability have. */
export interface Capability {
  readonly threadsPerMultiprocessor: number;
  readonly workgroupsPerMultiprocessor: number;
  /** Registers of 32 bits, and how many of them a warp is given at a time. */
  readonly registersPerMultiprocessor: number;
  readonly registerUnit: number;
  /** Bytes of shared memory, and those that every resident workgroup takes for the system. */
  readonly sharedBytesPerMultiprocessor: number;
  readonly reservedSharedBytes: number;
  /** Results of exp2, log2, reciprocals and roots a clock (the guide's table of arithmetic instructions). */
  readonly specialPerClock: number;
  /** The share of the tensor cores' peak that `mma.sync` reaches. */
  readonly warpProductShare: number;
}
const ampere = {
  registersPerMultiprocessor: 65536,
  registerUnit: 256,
  reservedSharedBytes: 1024,
  specialPerClock: 16,
  warpProductShare: 1,
} as const;
export const capabilities = {
  '8.0': {
    ...ampere,
    threadsPerMultiprocessor: 2048,
    workgroupsPerMultiprocessor: 32,
    sharedBytesPerMultiprocessor: 164 * 1024,
  },
  '8.6': {
    ...ampere,
    threadsPerMultiprocessor: 1536,
    workgroupsPerMultiprocessor: 16,
    sharedBytesPerMultiprocessor: 100 * 1024,
  },
  '8.9': {
    ...ampere,
    threadsPerMultiprocessor: 1536,
    workgroupsPerMultiprocessor: 24,
    sharedBytesPerMultiprocessor: 100 * 1024,
  },
  // The peak of Hopper's tensor cores is that of wgmma, which sm_80 code does not have; mma.sync was measured at 62 % of it on average
  // (Luo et al. 2024, arXiv 2402.13499).
  '9.0': {
    ...ampere,
    threadsPerMultiprocessor: 2048,
    workgroupsPerMultiprocessor: 32,
    sharedBytesPerMultiprocessor: 228 * 1024,
    warpProductShare: 0.62,
  },
  '12.0': {
    ...ampere,
    threadsPerMultiprocessor: 1536,
    workgroupsPerMultiprocessor: 24,
    sharedBytesPerMultiprocessor: 100 * 1024,
  },
} as const satisfies Readonly<Record<string, Capability>>;
export type CapabilityName = keyof typeof capabilities;

/** FLOPs count a multiply-add as two; rates are for dense matrices, at the boost clock. */
export interface Device {
  readonly title: string;
  readonly capability: CapabilityName;
  readonly multiprocessors: number;
  readonly memoryBytes: number;
  readonly bytesPerSecond: number;
  readonly cacheBytes: number;
  /** Outside of the tensor cores. */
  readonly f32FlopsPerSecond: number;
  /** Tensor cores, f16 or bf16 with sums in f32. */
  readonly halfFlopsPerSecond: number;
  readonly clockHertz: number;
  /** Where the numbers are from. */
  readonly source: string;
}

const hopper = 'NVIDIA H100 Tensor Core GPU Architecture (white paper)';
const amperePaper = 'NVIDIA A100 Tensor Core GPU Architecture (white paper)';
const ada = 'NVIDIA Ada GPU Architecture (white paper), appendix A';

export const devices = {
  h100: {
    title: 'NVIDIA H100 SXM5 80 GB',
    capability: '9.0',
    multiprocessors: 132,
    memoryBytes: 80e9,
    bytesPerSecond: 3.35e12,
    cacheBytes: 50 * 2 ** 20,
    f32FlopsPerSecond: 66.9e12,
    halfFlopsPerSecond: 989.4e12,
    clockHertz: 1.98e9,
    source: `H100 data sheet; ${hopper}`,
  },
  'h100-pcie': {
    title: 'NVIDIA H100 PCIe 80 GB',
    capability: '9.0',
    multiprocessors: 114,
    memoryBytes: 80e9,
    bytesPerSecond: 2.0e12,
    cacheBytes: 50 * 2 ** 20,
    f32FlopsPerSecond: 51.2e12,
    halfFlopsPerSecond: 756.4e12,
    clockHertz: 1.755e9,
    source: `H100 data sheet; ${hopper}`,
  },
  h200: {
    title: 'NVIDIA H200 SXM 141 GB',
    capability: '9.0',
    multiprocessors: 132,
    memoryBytes: 141e9,
    bytesPerSecond: 4.8e12,
    cacheBytes: 50 * 2 ** 20,
    f32FlopsPerSecond: 66.9e12,
    halfFlopsPerSecond: 989.4e12,
    clockHertz: 1.98e9,
    source: `H200 data sheet; ${hopper}`,
  },
  a100: {
    title: 'NVIDIA A100 SXM4 80 GB',
    capability: '8.0',
    multiprocessors: 108,
    memoryBytes: 80e9,
    bytesPerSecond: 2.039e12,
    cacheBytes: 40 * 2 ** 20,
    f32FlopsPerSecond: 19.5e12,
    halfFlopsPerSecond: 312e12,
    clockHertz: 1.41e9,
    source: `A100 data sheet; ${amperePaper}`,
  },
  'a100-40gb': {
    title: 'NVIDIA A100 SXM4 40 GB',
    capability: '8.0',
    multiprocessors: 108,
    memoryBytes: 40e9,
    bytesPerSecond: 1.555e12,
    cacheBytes: 40 * 2 ** 20,
    f32FlopsPerSecond: 19.5e12,
    halfFlopsPerSecond: 312e12,
    clockHertz: 1.41e9,
    source: `A100 data sheet; ${amperePaper}`,
  },
  a10: {
    title: 'NVIDIA A10 24 GB',
    capability: '8.6',
    multiprocessors: 72,
    memoryBytes: 24e9,
    bytesPerSecond: 0.6e12,
    cacheBytes: 6 * 2 ** 20,
    f32FlopsPerSecond: 31.2e12,
    halfFlopsPerSecond: 125e12,
    clockHertz: 1.695e9,
    source: 'A10 data sheet; NVIDIA Ampere GA102 GPU Architecture (white paper)',
  },
  l4: {
    title: 'NVIDIA L4 24 GB',
    capability: '8.9',
    multiprocessors: 58,
    memoryBytes: 24e9,
    bytesPerSecond: 0.3e12,
    cacheBytes: 48 * 2 ** 20,
    f32FlopsPerSecond: 30.3e12,
    halfFlopsPerSecond: 121e12,
    clockHertz: 2.04e9,
    source: 'L4 data sheet (rates with sparsity, halved); NVIDIA Ada GPU Architecture (white paper)',
  },
  l40s: {
    title: 'NVIDIA L40S 48 GB',
    capability: '8.9',
    multiprocessors: 142,
    memoryBytes: 48e9,
    bytesPerSecond: 0.864e12,
    cacheBytes: 96 * 2 ** 20,
    f32FlopsPerSecond: 91.6e12,
    halfFlopsPerSecond: 362e12,
    clockHertz: 2.52e9,
    source: 'L40S data sheet; NVIDIA Ada GPU Architecture (white paper)',
  },
  rtx3090: {
    title: 'NVIDIA GeForce RTX 3090 24 GB',
    capability: '8.6',
    multiprocessors: 82,
    memoryBytes: 24e9,
    bytesPerSecond: 0.936e12,
    cacheBytes: 6 * 2 ** 20,
    f32FlopsPerSecond: 35.6e12,
    halfFlopsPerSecond: 71.2e12,
    clockHertz: 1.695e9,
    source: 'NVIDIA Ampere GA102 GPU Architecture (white paper), appendix A; f16 with sums in f32',
  },
  rtx4090: {
    title: 'NVIDIA GeForce RTX 4090 24 GB',
    capability: '8.9',
    multiprocessors: 128,
    memoryBytes: 24e9,
    bytesPerSecond: 1.008e12,
    cacheBytes: 72 * 2 ** 20,
    f32FlopsPerSecond: 82.6e12,
    halfFlopsPerSecond: 165.2e12,
    clockHertz: 2.52e9,
    source: `${ada}; f16 with sums in f32`,
  },
  rtx5090: {
    title: 'NVIDIA GeForce RTX 5090 32 GB',
    capability: '12.0',
    multiprocessors: 170,
    memoryBytes: 32e9,
    bytesPerSecond: 1.792e12,
    cacheBytes: 96 * 2 ** 20,
    f32FlopsPerSecond: 104.8e12,
    halfFlopsPerSecond: 209.5e12,
    clockHertz: 2.407e9,
    source: 'NVIDIA RTX Blackwell GPU Architecture (white paper), appendix; f16 with sums in f32',
  },
} as const satisfies Readonly<Record<string, Device>>;
export type DeviceName = keyof typeof devices;
export const deviceNames = Object.keys(devices) as readonly DeviceName[];

/** Throws ATPC-307 for a name that is none of them. */
export function deviceNamed(name: string): DeviceName {
  const found = deviceNames.find((device) => device === name.toLowerCase());
  if (found !== undefined) return found;
  const near = didYouMean(name.toLowerCase(), deviceNames).hint;
  const list = `Devices: ${deviceNames.join(', ')}.`;
  throw new AtpcError('ATPC-307', `'${name}' is not a device that a roofline can be drawn for.`, {
    hint: near === undefined ? list : `${near} ${list}`,
  });
}
