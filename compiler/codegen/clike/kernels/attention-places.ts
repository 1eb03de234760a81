/** Which tile of queries of which head a workgroup of attention has: one by its number, or several where it keeps keys for all of them. */
import { ceilDivideSizes, floorDivideSizes, maxSize, minSize, multiplySizes, type Size } from '../../../../ir/size.ts';
import type { AttentionKernel, ResidentSegment } from '../../../kernel/kernel.ts';
import type { KernelBuilder } from '../kernel-builder.ts';
import { sizeExpression } from '../size-expression.ts';

/** Expressions, i32, the same for all threads. */
export interface TilePlace {
  /** batch * heads + head. */
  readonly head: string;
  readonly tile: string;
  /** Whether it is the first that the workgroup has. */
  readonly isFirst: string;
}

/** Tiles that a workgroup has, of so many in each of all heads. */
function tilesTogether({ tiles: most, workgroups }: ResidentSegment, heads: Size, tiles: Size): Size {
  return maxSize(1, minSize(most, floorDivideSizes(multiplySizes(heads, tiles), workgroups)));
}

export function attentionItems({ schedule }: AttentionKernel, integers: readonly Size[]): Size {
  const [batches = 0, heads = 0, , queries = 0] = integers;
  const tiles = ceilDivideSizes(queries, schedule.queryTile);
  const { resident } = schedule;
  const together = resident === undefined ? 1 : tilesTogether(resident, multiplySizes(batches, heads), tiles);
  return multiplySizes(batches, heads, ceilDivideSizes(tiles, together));
}

/** Writes `body` for each tile that the workgroup has. */
export function forEachTile(
  k: KernelBuilder,
  { queryTile, resident }: AttentionKernel['schedule'],
  body: (place: TilePlace) => void,
): void {
  const tiles = k.let('tiles', 'i32', k.ceilDivide(k.size('queries'), queryTile));
  if (resident === undefined)
    return body({ head: `${k.item} / ${tiles}`, tile: `${k.item} % ${tiles}`, isFirst: k.literal('bool', 1) });
  const heads = k.let('all_heads', 'i32', `${k.size('batches')} * ${k.size('heads')}`);
  const together = k.let('together', 'i32', sizeExpression(k, tilesTogether(resident, 'heads', 'tiles'), { heads, tiles }));
  const runs = k.let('runs', 'i32', `(${tiles} + ${together} - 1) / ${together}`);
  const head = k.let('own_head', 'i32', `${k.item} / ${runs}`);
  const first = k.let('first_tile', 'i32', `${k.item} % ${runs} * ${together}`);
  const end = k.let('end_tile', 'i32', k.call('min', tiles, `${first} + ${together}`));
  k.unrollAtMost(1);
  k.for('query_tile', first, end, '1', (tile) => body({ head, tile, isFirst: `${tile} == ${first}` }));
}
