import { elementCount, type Size } from '../../../../ir/size.ts';
import type { NormKernel } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import { evaluate, integerNames, operandNames, type LoopNest } from '../loop-nest.ts';
import { reduceOverWorkgroup, sumOf } from '../reduce.ts';
import { rowStatistics } from './product-norms.ts';

const workgroupSize = 64;
export function normItems({ rank }: NormKernel, integers: readonly Size[]): Size {
  return elementCount(integers.slice(0, rank - 1));
}

/**
 * One row a workgroup. The expression is evaluated once, into the result, and each thread meets its own elements again: the mean
 * first and then the squares around it, so that nothing cancels. With gathered statistics it is evaluated and finished at once.
 */
export function renderNorm(kernel: NormKernel, context: KernelContext): string {
  const { rank, norm, epsilon, operands, body, gathered } = kernel;
  const layer = norm === 'layer';
  const nest: LoopNest = { rank, operands, reduces: false };
  const k = new KernelBuilder(context, {
    operands: [...operandNames(nest), 'weight', ...(layer ? ['bias'] : []), ...(gathered ? ['statistics'] : []), 'result'],
    integers: [...integerNames(nest), ...(gathered ? ['part_columns'] : [])],
    workgroupSize,
    comment: `${norm}_norm of one row a workgroup.`,
  });
  const width = k.size(`extent_${rank - 1}`);
  const indices: string[] = [];
  let rest = k.item;
  for (let axis = rank - 2; axis >= 0; axis -= 1) {
    const extent = k.size(`extent_${axis}`);
    indices.unshift(k.let(`index_${axis}`, 'i32', axis === 0 ? rest : `${rest} % ${extent}`));
    if (axis > 0) rest = k.let('rest', 'i32', `${rest} / ${extent}`);
  }
  const row = k.let('row', 'i32', `${k.item} * ${width}`);
  const result = k.operand('result');
  const each = (body_: (column: string) => void): void => k.for('column', k.thread, width, k.i32(workgroupSize), body_);

  const valueAt = (column: string): string =>
    k.let('value', 'f32', evaluate(k, body, { nest, indices: [...indices, column], reduced: null }));
  const finished = (stored: string, mean: string | null, scale: string, column: string): string => {
    const centred = mean === null ? stored : `(${stored} - ${mean})`;
    const scaled = `${centred} * ${scale} * ${k.operand('weight').at(column)}`;
    return layer ? `${scaled} + ${k.operand('bias').at(column)}` : scaled;
  };
  if (gathered) {
    const names = { statistics: 'statistics', partColumns: 'part_columns' };
    const { mean, scale } = rowStatistics(k, { norm, epsilon }, names, width, k.item);
    each((column) => result.store(`${row} + ${column}`, finished(valueAt(column), mean, scale, column)));
    return k.print();
  }
  const partial = k.var('partial', 'f32');
  each((column) => {
    const value = valueAt(column);
    result.store(`${row} + ${column}`, value);
    k.add(partial, layer ? value : `${value} * ${value}`);
  });
  const count = k.cast('f32', width);
  let mean: string | null = null;
  if (layer) {
    mean = k.let('mean', 'f32', `${reduceOverWorkgroup(k, 'sum', partial, sumOf)} / ${count}`);
    k.assign(partial, k.f32(0));
    each((column) => {
      const distance = k.let('distance', 'f32', `${result.at(`${row} + ${column}`)} - ${mean ?? ''}`);
      k.add(partial, `${distance} * ${distance}`);
    });
  }
  const squares = reduceOverWorkgroup(k, 'squares', partial, sumOf);
  const scale = k.let('scale', 'f32', `1.0 / ${k.call('sqrt', `${squares} / ${count} + ${k.f32(epsilon)}`)}`);
  each((column) => result.store(`${row} + ${column}`, finished(result.at(`${row} + ${column}`), mean, scale, column)));
  return k.print();
}
