import type { Size } from '../../../ir/size.ts';
import type { KernelFeatures } from '../clike/kernel-builder.ts';
import type { EmitOptions, NamedKernel, Target, TargetFile } from '../target.ts';
import { wgslDialect } from './dialect.ts';
import { rendererOf } from './renderers.ts';

/** The limits that every WebGPU device has (WebGPU, section 3.6.2, the defaults). */
const storageBuffers = 8;
const maxStorageBufferBindingSize = 128 * 2 ** 20;

/** 128 threads, and at a depth of 32 less than the 16 KiB of workgroup memory that every device has. */
const tiles = { rowTile: 32, columnTile: 64, threadRows: 4, threadColumns: 4 } as const;
/** Few enough that reading the right side takes longer than multiplying: decoding. */
const hasFewRows = (rows: Size): rows is number => typeof rows === 'number' && rows <= 4;

/**
 * WebGPU. Kernels are WGSL text, which a device compiles at load. Builds differ in what they ask of the device: subgroups exchange
 * values without shared memory, and 16-bit floats halve the memory of weights that are stored in them; nothing else depends on them.
 */
export const webgpuTarget: Target = {
  name: 'webgpu',
  elementTypes: ['f32', 'i32', 'bool'],
  limits: { memoryBytes: 2 ** 40, lanes: 4 },
  features: [],
  memory: {
    kind: 'buffers',
    alignment: 256,
    storageBuffers,
    halfWeights: true,
    weightBytes: maxStorageBufferBindingSize,
    vectorStrides: (kernel, integers) => rendererOf(kernel).vectorStrides?.(kernel, integers) ?? [],
  },
  gemmWeights: { kind: 'rows' },
  gemmSchedule: (rows) => (hasFewRows(rows) ? { rowTile: rows, columnTile: 8, threads: 32 } : { ...tiles, depthTile: 16 }),
  // A thread reads four words of quants at a time: 16 elements or 32.
  blockGemmSchedule: (rows) => (hasFewRows(rows) ? { rowTile: rows, columnTile: 16, threads: 16 } : { ...tiles, depthTile: 32 }),
  flopsPerSecond: 1e12,
  gatheredFlopsPerSecond: 2e11,
  queriesPerChoice: 16,
  refusedModes: {
    svd: 'WebGPU has no float64 (WGSL, section 6.2.4), and the eigenvectors of literal ATP are not safe in float32',
  },
  // Few queries, as many as share a KV head: one group of rows has all threads.
  attentionsPerLayer: 3,
  attentionSchedule: (_headSize, _valueSize, decodes = false) =>
    decodes
      ? { queryTile: 4, keyTile: 128, threads: 128, fewQueries: false }
      : { queryTile: 16, keyTile: 64, threads: 64, fewQueries: false },
  scoreKeysSchedule: () => ({ keyTile: 64 }),
  scratchBytes: (kernel, integers) => {
    const { scratch } = rendererOf(kernel);
    return scratch?.isUsed(kernel) ? scratch.bytes(kernel, integers) : 0;
  },
  itemsOf: ({ kernel, integers }) => rendererOf(kernel).items(kernel, integers),
  emit,
};

/** What a build needs of a device, and how its kernels are written. The first that the device has all features of is taken. */
export const webgpuBuilds: readonly {
  readonly path: string;
  readonly features: readonly string[];
  readonly kernel: KernelFeatures;
}[] = [
  { path: 'kernels.wgsl', features: [], kernel: { subgroups: 'none', half: false } },
  { path: 'kernels-subgroups.wgsl', features: ['subgroups'], kernel: { subgroups: 'device', half: false } },
  { path: 'kernels-f16.wgsl', features: ['shader-f16'], kernel: { subgroups: 'none', half: true } },
  { path: 'kernels-f16-subgroups.wgsl', features: ['shader-f16', 'subgroups'], kernel: { subgroups: 'device', half: true } },
];

/** One kernel as text. */
export function renderWgsl({ name, kernel, pattern }: NamedKernel, features: KernelFeatures): string {
  if (pattern === undefined) throw new RangeError(`The operands of the kernel ${name} are not bound.`);
  const renderer = rendererOf(kernel);
  const scratch = renderer.scratch?.isUsed(kernel) ?? false;
  return renderer.render(kernel, { dialect: wgslDialect, name, pattern, scratch, features });
}

/** A line before each kernel, at which the runtime cuts the file. */
export const kernelHeader = (name: string): string => `// === kernel ${name} ===`;

function emit(kernels: readonly NamedKernel[], { build }: EmitOptions = {}): Promise<readonly TargetFile[]> {
  const files = webgpuBuilds
    .filter(({ features }) => build === undefined || String(features) === String(build))
    .map(({ path, features, kernel }): TargetFile => {
      const texts = kernels.map((named) => `${kernelHeader(named.name)}\n${renderWgsl(named, kernel)}`);
      return { path, content: texts.join('\n'), features };
    });
  // A model may have no use for a feature: then a build that asks for less has the same text.
  return Promise.resolve(files.filter(({ content }, index) => !files.slice(0, index).some((other) => other.content === content)));
}
