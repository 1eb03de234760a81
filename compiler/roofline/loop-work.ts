/** Work of loop nests: an expression at every index, and of each operand the elements that its strides tell apart. */
import type { Kernel, LoopOperand, Scalar } from '../kernel/kernel.ts';
import { partNumbers } from '../kernel/row-norm.ts';
import { expressionWork } from './elementwise-work.ts';
import { partsOf } from '../kernel/map-parts.ts';
import type { DispatchNumbers } from './kernel-work.ts';
import { addWork, noWork, type KernelWork } from './work.ts';

const product = (sizes: readonly number[]): number => sizes.reduce((whole, size) => whole * size, 1);

/** Operands that the index of a gather is made of. */
function operandsOf(expression: Scalar): readonly number[] {
  if (expression.kind === 'load') return [expression.operand, ...(expression.indirect ? operandsOf(expression.indirect) : [])];
  return expression.kind === 'apply' ? expression.inputs.flatMap(operandsOf) : [];
}
function indexOf(body: Scalar, operand: number): Scalar | undefined {
  if (body.kind === 'load') return body.operand === operand ? body.indirect : body.indirect && indexOf(body.indirect, operand);
  if (body.kind !== 'apply') return undefined;
  return body.inputs.map((input) => indexOf(input, operand)).find((found) => found !== undefined);
}
/** Axes along which an expression changes by an index of its own. */
function ownAxes(expression: Scalar): readonly number[] {
  if (expression.kind === 'index') return [expression.axis];
  return expression.kind === 'apply' ? expression.inputs.flatMap(ownAxes) : [];
}

/** Bytes that the operands of a nest are read from: an axis of stride 0 reads the same element again. */
function operandBytes(
  operands: readonly LoopOperand[],
  body: Scalar,
  extents: readonly number[],
  integers: readonly number[],
  elementBytes: readonly number[],
): number {
  let at = extents.length;
  const axesOf: ReadonlySet<number>[] = [];
  for (const { indirect } of operands) {
    const strides = integers.slice(at, at + extents.length);
    axesOf.push(new Set(strides.flatMap((stride, axis) => (stride === 0 ? [] : [axis]))));
    at += extents.length + (indirect ? 1 : 0);
  }
  const read = operands.map(({ indirect }, operand) => {
    const index = indirect ? indexOf(body, operand) : undefined;
    const through = index ? [...operandsOf(index).flatMap((other) => [...(axesOf[other] ?? [])]), ...ownAxes(index)] : [];
    const axes = new Set([...(axesOf[operand] ?? []), ...through]);
    return (elementBytes[operand] ?? 4) * product(extents.filter((_, axis) => axes.has(axis)));
  });
  return read.reduce((sum, own) => sum + own, 0);
}

export function mapWork(
  { rank, operands, reduction, body, epilogue }: Extract<Kernel, { kind: 'map' }>,
  { integers, elementBytes }: DispatchNumbers,
): KernelWork {
  const extents = integers.slice(0, rank + (reduction ? 1 : 0));
  const visited = product(extents);
  const results = product(extents.slice(0, rank));
  const each = expressionWork(body);
  const last = epilogue ? expressionWork(epilogue) : { scalar: 0, special: 0 };
  return {
    ...noWork,
    scalarFlops: visited * (each.scalar + (reduction ? 1 : 0)) + results * last.scalar,
    specialFlops: visited * each.special + results * last.special,
    readBytes: operandBytes(operands, body, extents, integers, elementBytes),
    writtenBytes: 4 * results,
  };
}

export function mapsWork(kernel: Extract<Kernel, { kind: 'maps' }>, { integers, elementBytes }: DispatchNumbers): KernelWork {
  let first = 0;
  const works = partsOf(kernel, integers).map(({ part, integers: own }) => {
    const bytes = elementBytes.slice(first, first + part.operands.length);
    first += part.operands.length;
    return mapWork(part, { integers: own, elementBytes: bytes });
  });
  return works.reduce(addWork, noWork);
}

/** FLOPs a value, as the ops say (ir/ops/norm.ts). */
const normFlops = { layer: 8, rms: 5 } as const;

export function normWork(
  { norm, rank, operands, body, gathered }: Extract<Kernel, { kind: 'norm' }>,
  { integers, elementBytes }: DispatchNumbers,
): KernelWork {
  const extents = integers.slice(0, rank);
  const values = product(extents);
  const width = extents.at(-1) ?? 1;
  const each = expressionWork(body);
  const affine = 4 * width * (norm === 'layer' ? 2 : 1);
  const parts = gathered ? Math.ceil(width / (integers.at(-1) ?? width)) : 0;
  const statistics = 4 * parts * partNumbers[norm] * (values / width);
  return {
    ...noWork,
    scalarFlops: values * (each.scalar + normFlops[norm]),
    specialFlops: values * each.special + values / width,
    readBytes: operandBytes(operands, body, extents, integers, elementBytes) + affine + statistics,
    writtenBytes: 4 * values,
  };
}
