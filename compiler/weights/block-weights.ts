/** A matrix in blocks as the tensors of a package that hold it: `NAME.quants`, `NAME.scales` and, where it has them, `NAME.minima`. */
import { AtpcError } from '../../runtime/errors.ts';
import type { BlockFormat, BlockMatrix } from './block-format.ts';
import { quantBytes } from './block-matrix.ts';
import { float16ToFloat32, float32ToFloat16 } from './float16.ts';
import type { WeightTensor } from './write.ts';

export type BlockPart = 'quants' | 'scales' | 'minima';
export type ScaleStorage = 'F16' | 'F32';

/** The parts that a format has, in the order in which they are written. */
export function blockParts(format: BlockFormat): readonly BlockPart[] {
  return format.minima ? ['quants', 'scales', 'minima'] : ['quants', 'scales'];
}

/** Shape of a part of a matrix of this shape; of quants, in bytes. */
export function blockPartShape(
  format: BlockFormat,
  [rows, columns]: readonly [rows: number, columns: number],
  part: BlockPart,
): readonly [number, number] {
  return [rows, part === 'quants' ? quantBytes(format, columns) : columns / format.block];
}

export interface BlockWeight {
  readonly name: string;
  readonly format: BlockFormat;
  readonly shape: readonly [rows: number, columns: number];
  /** Of scales and minima: F16 only where each of them is an F16 exactly. */
  readonly storage: ScaleStorage;
  /** Called once, when the first part is written. */
  read(): Promise<BlockMatrix>;
}

/** Throws ATPC-399 while it is read for a scale that its storage does not hold exactly. */
export function blockWeights({ name, format, shape, storage, read }: BlockWeight): readonly WeightTensor[] {
  const parts = blockParts(format);
  let matrix: Promise<BlockMatrix> | undefined;
  let left = parts.length;
  return parts.map((part) => ({
    name: `${name}.${part}`,
    shape: blockPartShape(format, shape, part),
    storage: part === 'quants' ? 'U8' : storage,
    read: async () => {
      matrix ??= read();
      const values = (await matrix)[part];
      // Parts are written one after the other; the matrix goes with the last.
      left -= 1;
      if (left === 0) matrix = undefined;
      if (values === null) throw new AtpcError('ATPC-399', `The matrix '${name}' was to have ${part}, and has none.`);
      if (storage === 'F16' && values instanceof Float32Array) requireFloat16(`${name}.${part}`, values);
      return values;
    },
  }));
}

function requireFloat16(name: string, values: Float32Array): void {
  if (isFloat16(values)) return;
  throw new AtpcError('ATPC-399', `'${name}' was to be stored as F16, which does not hold all of its values exactly.`);
}

/** Whether every value is an F16 exactly. */
export function isFloat16(values: Float32Array): boolean {
  const back = float16ToFloat32(float32ToFloat16(values).halves);
  return values.every((value, index) => value === back[index]);
}
