import type { KernelBuilder, Operand } from './kernel-builder.ts';

/** Rows of `size` floats in a buffer. */
export interface Rows {
  readonly operand: Operand;
  readonly size: number;
  /** The element at which a row begins. */
  start(row: string): string;
}

/**
 * Four floats of a row from `column` on, a multiple of four; zeros where the row has ended. `within`: columns beyond the row are not
 * asked for, unless the row itself ends inside of a vector.
 */
export function rowVector(k: KernelBuilder, { operand, size }: Rows, start: string, column: string, within: boolean): string {
  if (size % 4 === 0) {
    if (within) return operand.vectorAt(`${start} + ${column}`);
    const inside = operand.vectorAt(`${start} + ${k.call('min', column, k.i32(size - 4))}`);
    return k.select(`${column} < ${size}`, inside, k.vector('vec4<f32>', k.f32(0)));
  }
  const lanes = [0, 1, 2, 3].map((lane) => {
    const own = lane === 0 ? column : `${column} + ${lane}`;
    return k.select(`${own} < ${size}`, operand.at(`${start} + ${k.call('min', own, k.i32(size - 1))}`), k.f32(0));
  });
  return k.vector('vec4<f32>', ...lanes);
}
