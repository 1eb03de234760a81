/** What a thread block of a kernel takes of a multiprocessor: threads and shared memory as its text says, registers beside. */
import { renderCuda } from '../codegen/cuda/target.ts';
import type { NamedKernel } from '../codegen/target.ts';
import type { Kernel, KernelKind } from '../kernel/kernel.ts';

export interface Footprint {
  readonly threads: number;
  readonly sharedBytes: number;
  /** Whether its products are those of tensor cores. */
  readonly tensorCores: boolean;
}

const elementBytes: Readonly<Record<string, number>> = { f32: 4, i32: 4, u32: 4, f16: 2, u16: 2 };
const lanes: Readonly<Record<string, number>> = { vec2: 2, vec4: 4 };
/** `f32`, `vec4<u32>`. */
function typeBytes(type: string): number {
  const [, vector, element = type] = /^(\w+)<(\w+)>$/.exec(type) ?? [];
  const bytes = elementBytes[element];
  const count = vector === undefined ? 1 : lanes[vector];
  if (bytes === undefined || count === undefined) throw new RangeError(`A shared array has elements of the type '${type}'.`);
  return bytes * count;
}

/** From the text of one kernel. Throws a RangeError for one that does not say how many threads it has, or what it shares. */
export function footprintOfText(text: string): Omit<Footprint, 'tensorCores'> {
  const threads = /__launch_bounds__\((\d+)/.exec(text)?.[1];
  if (threads === undefined) throw new RangeError('A kernel does not say how many threads a block of it has.');
  const arrays = [...text.matchAll(/^\s*__shared__ (?:alignas\(\d+\) )?(\S+) \w+\[(\d+)\];/gm)];
  const declared = [...text.matchAll(/__shared__/g)].length;
  if (declared !== arrays.length)
    throw new RangeError(`A kernel has ${declared} shared arrays, of which ${arrays.length} are understood.`);
  const sharedBytes = arrays.reduce((sum, [, type = '', count]) => sum + typeBytes(type) * Number(count), 0);
  return { threads: Number(threads), sharedBytes };
}

/** Schedules of tensor cores say what they multiply. */
const usesTensorCores = (kernel: Kernel): boolean =>
  'schedule' in kernel && 'multiply' in kernel.schedule && kernel.schedule.multiply !== undefined;

export function footprintOf(named: NamedKernel): Footprint {
  return { ...footprintOfText(renderCuda(named)), tensorCores: usesTensorCores(named.kernel) };
}

/** Registers of a thread where no compiler has said: near what ptxas 13.0 gives for sm_90, for the kernels of small models. */
const registersOfKind: { readonly [K in KernelKind]: number } = {
  map: 32,
  maps: 40,
  norm: 40,
  gemm: 96,
  block_gemm: 96,
  block_lookup: 32,
  attention: 176,
  cluster: 64,
  segment_means: 32,
  principal_rows: 64,
  cluster_block: 64,
  evict: 40,
  score_keys: 64,
};

/** A tile of sums in every warp. */
const registersOfTensorCores = 240;
export function assumedRegisters(kernel: Kernel): number {
  return usesTensorCores(kernel) && kernel.kind !== 'attention' ? registersOfTensorCores : registersOfKind[kernel.kind];
}

/** Registers by kernel, from what `ptxas -v` prints. */
export function registersOfPtxas(text: string): ReadonlyMap<string, number> {
  const registers = new Map<string, number>();
  let kernel: string | undefined;
  for (const line of text.split('\n')) {
    kernel = /Compiling entry function '([^']+)'/.exec(line)?.[1] ?? kernel;
    const used = /Used (\d+) registers/.exec(line)?.[1];
    if (kernel !== undefined && used !== undefined) registers.set(kernel, Number(used));
  }
  return registers;
}
