import type { Norm } from '../../../kernel/row-norm.ts';
import type { KernelBuilder } from '../kernel-builder.ts';

/** A part of a row of the result, of which several threads have values. */
export interface RowPart {
  readonly row: string;
  /** Of the part, a multiple of `width`. */
  readonly firstColumn: string;
  readonly width: number;
  /** Whether the thread writes what all of them have found. */
  readonly writes: string;
  /** Calls its body for the values of the thread that are columns of the result. */
  visit(body: (value: string) => void): void;
  /** Adds up a variable of all threads that have values of the part. All of them come here. */
  combine(variable: string): void;
}

/** Writes the statistics of a part (compiler/kernel/row-norm.ts, `partNumbers`). */
export function gatherStatistics(k: KernelBuilder, norm: Norm, part: RowPart): void {
  const { row, firstColumn, width, writes, visit, combine } = part;
  const columns = k.size('columns');
  const total = (wanted: string, term: (value: string) => string): string => {
    const sum = k.var(wanted, 'f32');
    visit((value) => k.add(sum, term(value)));
    combine(sum);
    return sum;
  };
  const numbers: string[] = [];
  if (norm === 'rms') numbers.push(total('squares', (value) => `${value} * ${value}`));
  else {
    const sum = total('total', (value) => value);
    const count = k.cast('f32', k.call('min', k.i32(width), `${columns} - ${firstColumn}`));
    const mean = k.let('mean', 'f32', `${sum} / ${count}`);
    numbers.push(
      sum,
      total('squares', (value) => `(${value} - ${mean}) * (${value} - ${mean})`),
    );
  }
  k.if(`${writes} && ${row} < ${k.size('rows')} && ${firstColumn} < ${columns}`, () => {
    const at = k.let('part_at', 'i32', `${row} * ${k.ceilDivide(columns, width)} + ${firstColumn} / ${width}`);
    numbers.forEach((number, index) =>
      k.operand('result_statistics').store(numbers.length === 1 ? at : `${at} * ${numbers.length} + ${index}`, number),
    );
  });
}
