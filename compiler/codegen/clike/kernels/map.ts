import type { Size } from '../../../../ir/size.ts';
import { addSizes, ceilDivideSizes, elementCount } from '../../../../ir/size.ts';
import type { MapKernel, MapsKernel } from '../../../kernel/kernel.ts';
import { partsOf } from '../../../kernel/map-parts.ts';
import { evaluate, integerNames, operandNames, strided, type LoopNest } from '../loop-nest.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';

const workgroupSize = 64;
export function mapItems({ rank }: MapKernel, integers: readonly Size[]): Size {
  return ceilDivideSizes(elementCount(integers.slice(0, rank)), workgroupSize);
}
export function mapsItems(kernel: MapsKernel, integers: readonly Size[]): Size {
  return addSizes(0, ...partsOf(kernel, integers).map(({ part, integers: own }) => mapItems(part, own)));
}

const nestOf = ({ rank, operands, reduction }: MapKernel, prefix = ''): LoopNest => ({
  rank,
  operands,
  reduces: reduction !== null,
  prefix,
});
const allIntegers = (kernel: MapKernel, prefix = ''): readonly string[] => [
  ...integerNames(nestOf(kernel, prefix)),
  ...Array.from({ length: kernel.rank }, (_, axis) => `${prefix}result_stride_${axis}`),
];

/** A loop nest: every thread computes one element, and goes over the reduction in order where there is one. */
export function renderMap(kernel: MapKernel, context: KernelContext): string {
  const { reduction } = kernel;
  const k = new KernelBuilder(context, {
    operands: [...operandNames(nestOf(kernel)), 'result'],
    integers: allIntegers(kernel),
    workgroupSize,
    comment: reduction === null ? 'One element a thread.' : `One ${reduction} over the last axis of the nest a thread.`,
  });
  computeElement(k, kernel, k.let('element', 'i32', `${k.item} * ${workgroupSize} + ${k.thread}`));
  return k.print();
}

/** Several nests: each has workgroups of its own, those of one after those of the other. */
export function renderMaps({ parts }: MapsKernel, context: KernelContext): string {
  const prefixOf = (index: number): string => `part_${index}_`;
  const k = new KernelBuilder(context, {
    operands: [
      ...parts.flatMap((part, index) => operandNames(nestOf(part, prefixOf(index)))),
      ...parts.map((_, index) => `${prefixOf(index)}result`),
    ],
    integers: parts.flatMap((part, index) => allIntegers(part, prefixOf(index))),
    workgroupSize,
    comment: `One element a thread, of one of ${parts.length} loops.`,
  });
  let first: string | null = null;
  parts.forEach((part, index) => {
    const prefix = prefixOf(index);
    const count = Array.from({ length: part.rank }, (_, axis) => k.size(`${prefix}extent_${axis}`)).join(' * ');
    const groups = `(${count} + ${workgroupSize - 1}) / ${workgroupSize}`;
    const end = k.let(`${prefix}end`, 'i32', first === null ? groups : `${first} + ${groups}`);
    const item = first === null ? k.item : `(${k.item} - ${first})`;
    k.if(first === null ? `${k.item} < ${end}` : `${k.item} >= ${first} && ${k.item} < ${end}`, () => {
      computeElement(k, part, k.let('element', 'i32', `${item} * ${workgroupSize} + ${k.thread}`), prefix);
    });
    first = end;
  });
  return k.print();
}

/** Computes the element of that number and stores it, if there is one. */
function computeElement(k: KernelBuilder, kernel: MapKernel, element: string, prefix = ''): void {
  const { rank, reduction, body, epilogue, result } = kernel;
  const nest = nestOf(kernel, prefix);
  const indices: string[] = [];
  let rest = element;
  for (let axis = rank - 1; axis > 0; axis -= 1) {
    const extent = k.size(`${prefix}extent_${axis}`);
    indices.unshift(k.let(`index_${axis}`, 'i32', `${rest} % ${extent}`));
    rest = k.let('rest', 'i32', `${rest} / ${extent}`);
  }
  indices.unshift(k.let('index_0', 'i32', rest));
  k.if(`${indices[0] ?? ''} < ${k.size(`${prefix}extent_0`)}`, () => {
    let value: string;
    if (reduction === null) value = evaluate(k, body, { nest, indices, reduced: null });
    else {
      const type = body.type === 'f32' ? 'f32' : 'i32';
      const sum = k.var('reduced', type, k.literal(type, reduction === 'sum' ? 0 : type === 'f32' ? -Infinity : -(2 ** 31)));
      k.for('r', '0', k.size('extent_r'), '1', (r) => {
        const term = evaluate(k, body, { nest, indices: [...indices, r], reduced: null });
        k.assign(sum, reduction === 'sum' ? `${sum} + ${term}` : k.call('max', sum, term));
      });
      value = epilogue === null ? sum : evaluate(k, epilogue, { nest, indices, reduced: sum });
    }
    k.operand(`${prefix}result`).store(strided(k, `${prefix}result`, indices, result.lastStride), value);
  });
}
