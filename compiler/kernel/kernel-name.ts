import { kernelKey, type AttentionKernelSegment, type GemmKernel, type Kernel, type KernelKind, type Scalar } from './kernel.ts';
import type { NamedKernel } from '../codegen/target.ts';
import type { BindingPattern } from './binding.ts';

function opsOf(scalar: Scalar): readonly string[] {
  if (scalar.kind === 'apply') return [...scalar.inputs.flatMap(opsOf), scalar.op];
  if (scalar.kind === 'load' && scalar.indirect) return [...opsOf(scalar.indirect), 'gather'];
  return [];
}
function body(scalar: Scalar): string {
  const ops = opsOf(scalar);
  return ops.length === 0 ? 'copy' : ops.slice(-3).join('_');
}
const segmentName: {
  readonly [K in AttentionKernelSegment['kind']]: (segment: Extract<AttentionKernelSegment, { kind: K }>) => string;
} = {
  keys: ({ causal, window, parts, biasRows }) =>
    ['keys', causal && 'causal', window !== null && 'window', parts && 'parts', biasRows && 'merged'].filter(Boolean).join('_'),
  clusters: (segment) => (segment.expand ? 'expand' : 'clusters'),
  ranked: () => 'ranked',
};
function epilogueWords({ epilogue }: Pick<GemmKernel, 'epilogue'>): readonly string[] {
  return epilogue.map((step) => (step.step === 'activation' ? step.op : step.step));
}
const names: { readonly [K in KernelKind]: (kernel: Extract<Kernel, { kind: K }>) => string } = {
  map: (kernel) => [kernel.reduction ?? 'map', body(kernel.body)].join('_'),
  maps: ({ parts }) => `maps_${[...new Set(parts.map((part) => opsOf(part.body).at(-1) ?? 'copy'))].join('_')}`,
  norm: (kernel) => `${kernel.norm}_norm`,
  gemm: (kernel) => ['gemm', ...epilogueWords(kernel)].join('_'),
  block_gemm: (kernel) => [`gemm_q${kernel.format.bits}`, ...epilogueWords(kernel)].join('_'),
  block_lookup: (kernel) => `lookup_q${kernel.format.bits}`,
  attention: (kernel) =>
    ['attention', ...kernel.segments.map((segment) => segmentName[segment.kind](segment as never))].join('_'),
  cluster: () => 'cluster',
  segment_means: () => 'segment_means',
  principal_rows: () => 'principal_rows',
  cluster_block: () => 'cluster_block',
  evict: () => 'evict',
  score_keys: () => 'score_keys',
};

/** A kernel with how its operands are bound, on targets that bind them. */
export interface BoundKernel {
  readonly kernel: Kernel;
  readonly pattern?: BindingPattern;
}
const boundKey = ({ kernel, pattern }: BoundKernel): string =>
  pattern === undefined ? kernelKey(kernel) : `${kernelKey(kernel)} ${JSON.stringify(pattern)}`;

/** One readable name for each different kernel, in order of first use. */
export function nameKernels(kernels: readonly BoundKernel[]): {
  readonly named: readonly NamedKernel[];
  nameOf(kernel: BoundKernel): string;
} {
  const byKey = new Map<string, NamedKernel>();
  const taken = new Set<string>();
  for (const bound of kernels) {
    const key = boundKey(bound);
    if (byKey.has(key)) continue;
    const base = names[bound.kernel.kind](bound.kernel as never);
    let name = base;
    for (let count = 2; taken.has(name); count += 1) name = `${base}_${count}`;
    taken.add(name);
    byKey.set(key, { name, ...bound });
  }
  return { named: [...byKey.values()], nameOf: (bound) => byKey.get(boundKey(bound))?.name ?? '' };
}
