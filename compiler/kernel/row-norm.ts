/**
 * Norms of rows that products take in. A product normalises the rows of its left side, or of a residual, while it reads them; their statistics it computes
 * itself, or has from the product that wrote the rows, whose tiles gather those of the parts of rows that they hold.
 */
import { ceilDivideSizes, multiplySizes, type Size } from '../../ir/size.ts';
import type { BlockGemmKernel, GemmKernel } from './kernel.ts';

export type Norm = 'layer' | 'rms';
export interface AppliedNorm {
  readonly norm: Norm;
  readonly epsilon: number;
}
export interface LeftNorm extends AppliedNorm {
  /** computed: by every workgroup, from the rows that it reads. gathered: by the product before, of parts of rows. */
  readonly statistics: 'computed' | 'gathered';
}

/**
 * f32 numbers of a part of a row: the sum of its squares; for layer_norm its sum, and the sum of squares around its own mean, of which
 * those of the row follow without cancellation (Chan et al. 1983, "Algorithms for computing the sample variance", equation 1.5).
 */
export const partNumbers: { readonly [N in Norm]: number } = { rms: 1, layer: 2 };

/** Columns of a part of a row of the result: those that neighbouring threads have. */
export function partColumns(schedule: (GemmKernel | BlockGemmKernel)['schedule']): number {
  return 'warpColumns' in schedule ? schedule.columnTile / schedule.warpColumns : schedule.columnTile;
}
/** Shape of the statistics of [rows, columns]: rows, parts, numbers of a part. */
export function statisticsShape(norm: Norm, rows: Size, columns: Size, ofPart: number): readonly Size[] {
  return [rows, ceilDivideSizes(columns, ofPart), partNumbers[norm]];
}
export function statisticsCount(norm: Norm, rows: Size, columns: Size, ofPart: number): Size {
  return multiplySizes(...statisticsShape(norm, rows, columns, ofPart));
}
