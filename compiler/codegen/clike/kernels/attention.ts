import { addSizes, multiplySizes, type Size } from '../../../../ir/size.ts';
import type { AttentionKernel, AttentionKernelSegment } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import type { AttentionFrame } from './attention-frame.ts';
import { clustersSegment } from './attention-clusters.ts';
import { headStrides, keysSegment } from './attention-keys.ts';
import { attentionLayout } from './attention-layout.ts';
import { attentionItems, forEachTile, type TilePlace } from './attention-places.ts';
import { rankedSegment } from './attention-ranked.ts';
import { RowGroupFrame } from './attention-row-groups.ts';
import type { SegmentRenderer } from './attention-segment.ts';

type SegmentOf<K extends AttentionKernelSegment['kind']> = Extract<AttentionKernelSegment, { kind: K }>;

const segmentRenderers: { readonly [K in AttentionKernelSegment['kind']]: SegmentRenderer<SegmentOf<K>> } = {
  keys: keysSegment,
  clusters: clustersSegment,
  ranked: rankedSegment,
};
function rendererOf<K extends AttentionKernelSegment['kind']>(segment: { readonly kind: K }): SegmentRenderer<SegmentOf<K>> {
  return segmentRenderers[segment.kind];
}

/** Names of the operands and integers of a segment in the whole kernel: its number tells segments apart. */
const namesOf =
  ({ segments }: AttentionKernel, index: number) =>
  (name: string): string =>
    segments.length === 1 ? name : `segment_${index}_${name}`;

function operandNames(kernel: AttentionKernel): readonly string[] {
  const segments = kernel.segments.flatMap((segment, index) => rendererOf(segment).operands(segment).map(namesOf(kernel, index)));
  return ['query', ...segments, 'result', ...(kernel.logSumExp ? ['log_sum_exp'] : [])];
}
function integerNames(kernel: AttentionKernel): readonly string[] {
  const segments = kernel.segments.flatMap((segment, index) => rendererOf(segment).integers(segment).map(namesOf(kernel, index)));
  const own = ['batches', 'heads', 'key_heads', 'queries', ...headStrides('query'), ...headStrides('result')];
  return [...own, ...(kernel.logSumExp ? ['log_sum_exp_batch', 'log_sum_exp_head'] : []), ...segments];
}

export function attentionVectorStrides(kernel: AttentionKernel, integers: readonly Size[]): readonly (readonly Size[] | null)[] {
  const { headSize, valueSize, segments } = kernel;
  const names = integerNames(kernel);
  const needed = new Map<string, readonly string[]>();
  if (headSize % 4 === 0) needed.set('query', headStrides('query'));
  if (valueSize % 4 === 0) needed.set('result', headStrides('result'));
  segments.forEach((segment, index) => {
    const nameOf = namesOf(kernel, index);
    for (const [operand, strides] of Object.entries(rendererOf(segment).vectors(segment, kernel)))
      needed.set(nameOf(operand), strides.map(nameOf));
  });
  return operandNames(kernel).map((operand) => {
    const strides = needed.get(operand);
    return strides ? strides.map((name) => integers[names.indexOf(name)] as Size) : null;
  });
}

/** Scratch of a workgroup: what each segment takes, as the name of an integer and elements for each that it counts. */
function scratchParts(kernel: AttentionKernel): readonly ({ readonly integer: string; readonly elements: number } | null)[] {
  return kernel.segments.map((segment, index) => {
    const part = rendererOf(segment).scratch?.(segment, kernel) ?? null;
    return part && { ...part, integer: namesOf(kernel, index)(part.integer) };
  });
}
export const attentionScratch = {
  isUsed: (kernel: AttentionKernel): boolean => scratchParts(kernel).some((part) => part !== null),
  bytes(kernel: AttentionKernel, integers: readonly Size[]): Size {
    const names = integerNames(kernel);
    const parts = scratchParts(kernel).flatMap((part) =>
      part ? [multiplySizes(integers[names.indexOf(part.integer)] as Size, part.elements)] : [],
    );
    return multiplySizes(attentionItems(kernel, integers), addSizes(...parts), 4);
  },
};

export type FrameOf = (k: KernelBuilder, kernel: AttentionKernel, place: TilePlace) => AttentionFrame;
const rowGroups: FrameOf = (k, kernel, place) => new RowGroupFrame(k, kernel, place);

/** Flash attention: tiles of queries of one head a workgroup, mostly one, over its segments one after the other. */
export function renderAttention(kernel: AttentionKernel, context: KernelContext, frameOf = rowGroups): string {
  const { queryTile, keyTile, threads } = attentionLayout(kernel);
  const k = new KernelBuilder(context, {
    operands: operandNames(kernel),
    integers: integerNames(kernel),
    workgroupSize: threads,
    comment: `Attention of ${queryTile} queries of one head a workgroup, ${keyTile} keys at a time.`,
  });
  const parts = scratchParts(kernel).map((part) => (part ? `${k.size(part.integer)} * ${part.elements}` : null));
  const own = parts.filter((part) => part !== null);
  const scratch = own.length === 0 ? '0' : k.let('scratch_start', 'i32', `${k.item} * (${own.join(' + ')})`);
  forEachTile(k, kernel.schedule, (place) => {
    const frame = frameOf(k, kernel, place);
    kernel.segments.forEach((segment, index) => {
      const { kind } = segment;
      k.comment(kernel.segments.length === 1 ? `Segment of ${kind}` : `Segment ${index}: ${kind}`);
      const before = parts.slice(0, index).filter((part) => part !== null);
      frame.begin(index);
      rendererOf(segment).write(frame, segment, namesOf(kernel, index), `(${[scratch, ...before].join(' + ')})`);
    });
    frame.finish();
  });
  return k.print();
}
