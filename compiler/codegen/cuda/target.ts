import type { FinishedFiles, NamedKernel, Target, TargetFile } from '../target.ts';
import { compilePtx } from './compile-ptx.ts';
import { cudaDialect } from './dialect.ts';
import { gemmSchedule } from './gemm-schedules.ts';
import { cudaAttentionSchedule, tensorQueryTile } from './kernels/attention.ts';
import { intrinsics } from './intrinsics.ts';
import { cudaLeftNorm } from './left-norms.ts';
import { precisions, roundings, type Precision } from './precision.ts';
import { prelude } from './prelude.ts';
import { rendererOf } from './renderers.ts';

export { precisions, type Precision };

/**
 * Assumed, not measured, by what the roofline says of devices of a data centre (docs/roofline.md, 32,768 tokens): attention whose queries
 * choose computes what they choose by in f32, so that it reaches 0.76 of the rate of dense attention on tensor cores on an H100, and 0.3
 * on an A100.
 */
const rates = {
  cores: { flopsPerSecond: 1e13, gatheredFlopsPerSecond: 2e12 },
  tensorCores: { flopsPerSecond: 1e14, choosingFlopsPerSecond: 5e13, gatheredFlopsPerSecond: 2e12 },
} as const;

/**
 * From 1,024 tokens on, the second dispatch takes less time than one thread block for all keys of a head: a multiprocessor reads 64 bytes
 * a clock (docs/roofline.md), that is, the 512 KiB of 1,024 keys and values of 64 in 4 us on an H100. Two thread blocks for each of its
 * multiprocessors.
 */
const decodeParts = { atLeast: 1024, keys: 256, workgroups: 2 * 132 } as const;

/** CUDA, for devices of compute capability 8.0 and up. Blocks of threads are whole warps of 32. */
function createTarget(precision: Precision): Target {
  return {
    name: 'cuda',
    elementTypes: ['f32', 'i32', 'bool'],
    limits: { memoryBytes: 2 ** 40, lanes: 4 },
    features: [],
    memory: {
      kind: 'buffers',
      alignment: 256,
      storageBuffers: 32,
      halfWeights: true,
      // One pointer reaches all of the memory.
      weightBytes: 2 ** 40,
      vectorStrides: (kernel, integers) => rendererOf(kernel).vectorStrides?.(kernel, integers) ?? [],
    },
    gemmWeights: { kind: 'rows' },
    // A thread reads four or eight plain numbers of the right side at a time, or four words of quants: 16 elements or 32.
    gemmSchedule: (...shape) => gemmSchedule(precision, shape, { run: 8, depthTile: 16 }),
    blockGemmSchedule: (...shape) => gemmSchedule(precision, shape, { run: 32, depthTile: 32 }),
    leftNorm: cudaLeftNorm,
    ...rates[precision === 'f32' ? 'cores' : 'tensorCores'],
    queriesPerChoice: precision === 'f32' ? 16 : tensorQueryTile,
    refusedModes: { svd: 'the eigenvectors of literal ATP are not safe in float32, and CUDA has no kernel for them in float64' },
    attentionsPerLayer: 3,
    ...(precision === 'f32' ? {} : { rounding: roundings[precision] }),
    attentionSchedule: (headSize, valueSize, decodes = false, segments = [], most = []) =>
      cudaAttentionSchedule(precision === 'f32' ? null : precision, { headSize, valueSize, decodes, segments, most }),
    decodeParts,
    scoreKeysSchedule: () => ({ keyTile: 64 }),
    scratchBytes: (kernel, integers) => {
      const { scratch } = rendererOf(kernel);
      return scratch?.isUsed(kernel) ? scratch.bytes(kernel, integers) : 0;
    },
    itemsOf: ({ kernel, integers }) => rendererOf(kernel).items(kernel, integers),
    emit: (kernels) => Promise.resolve(emit(kernels, precision)),
    finish: withPtx,
  };
}
const targets: { readonly [P in Precision]: Target } = {
  f32: createTarget('f32'),
  f16: createTarget('f16'),
  bf16: createTarget('bf16'),
};
export function cudaTarget(precision: Precision): Target {
  return targets[precision];
}

/** One kernel as text. */
export function renderCuda({ name, kernel, pattern }: NamedKernel): string {
  if (pattern === undefined) throw new RangeError(`The operands of the kernel ${name} are not bound.`);
  const renderer = rendererOf(kernel);
  const scratch = renderer.scratch?.isUsed(kernel) ?? false;
  const features = { subgroups: 'device', half: false } as const;
  return renderer.render(kernel, { dialect: cudaDialect, name, pattern, scratch, features });
}

function emit(kernels: readonly NamedKernel[], precision: Precision): readonly TargetFile[] {
  const header = `// Kernels for CUDA, compute capability 8.0 and up; products of ${precision}, summed in f32.\n`;
  const texts = kernels.map((named) => `// === kernel ${named.name} ===\n${renderCuda(named)}`);
  return [{ path: 'kernels.cu', content: [header, intrinsics, prelude, ...texts].join('\n') }];
}

/** The text, which people read, and the PTX that drivers load. */
async function withPtx(files: readonly TargetFile[], options: { readonly signal?: AbortSignal }): Promise<FinishedFiles> {
  const source = files.map(({ content }) => String(content)).join('\n');
  const { files: ptx, notes } = await compilePtx(source, options);
  return { files: [...files, ...ptx], notes };
}
