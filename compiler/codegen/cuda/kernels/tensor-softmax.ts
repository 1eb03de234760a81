/**
 * The running softmax of the queries of a warp, spread over its lanes as the accumulators of mma.m16n8k16 are (PTX ISA, section
 * 9.7.15.5.8): lane l has the rows l / 4 and l / 4 + 8, and of every eight columns those from 2 (l % 4) on, two of them. Scores are
 * in units of log 2, so that their exponential is one instruction.
 */
import { leastMaximum } from '../../clike/kernels/attention-frame.ts';
import type { KernelBuilder } from '../../clike/kernel-builder.ts';
import { unrolled } from './shared-tile.ts';
import { mmaRows, type TensorLayout } from './tensor-layout.ts';

/** Of the two rows of a thread, by number from its first. */
export const rowOffsets = [0, mmaRows / 2] as const;

export class TensorSoftmax {
  readonly k: KernelBuilder;
  readonly layout: TensorLayout;
  /** i32: the thread's lane in its warp, and in the four that share rows; its warp among those with rows of their own, and keys. */
  readonly warpLane: string;
  readonly quadLane: string;
  readonly rowWarp: string;
  readonly keyWarp: string;
  /** i32: the first of the thread's rows in the tile. */
  readonly firstRow: string;
  /** f32, of each row of the thread: the largest score, equal in the four lanes, and the sum of the weights of its own keys. */
  readonly maxima: readonly [string, string];
  readonly totals: readonly [string, string];
  /** f32 [valueBlocks][4]: row 0, columns 0 and 1; row 1, columns 0 and 1. */
  readonly sums: string;

  constructor(k: KernelBuilder, layout: TensorLayout) {
    this.k = k;
    this.layout = layout;
    const { rowWarps, keyWarps } = layout;
    this.warpLane = k.let('warp_lane', 'i32', `${k.thread} & 31`);
    this.quadLane = k.let('quad_lane', 'i32', `${k.thread} & 3`);
    this.rowWarp =
      rowWarps === 1 ? '0' : k.let('row_warp', 'i32', keyWarps === 1 ? `${k.thread} / 32` : `${k.thread} / 32 % ${rowWarps}`);
    this.keyWarp = keyWarps === 1 ? '0' : k.let('key_warp', 'i32', `${k.thread} / ${32 * rowWarps}`);
    this.firstRow = k.let('own_row', 'i32', `${this.rowWarp} * ${mmaRows} + ${this.warpLane} / 4`);
    const variables = (wanted: string, value?: string): [string, string] => [
      k.var(`${wanted}_0`, 'f32', value),
      k.var(`${wanted}_1`, 'f32', value),
    ];
    this.maxima = variables('maximum', k.f32(leastMaximum));
    this.totals = variables('total');
    this.sums = k.name('sums');
    k.statement(`f32 ${this.sums}[${layout.valueBlocks}][4] = {}`);
  }

  /** The column of values that component 0 or 2 of a block stands for; the next stands for the next. */
  column(block: string): string {
    return `${block} * 8 + ${this.quadLane} * 2`;
  }
  /** Combines a variable of the four lanes that share rows. */
  overQuad(variable: string, combine: (a: string, b: string) => string): void {
    const { k } = this;
    for (const mask of ['1u', '2u']) k.assign(variable, combine(variable, k.dialect.subgroup.exchange(variable, mask)));
  }
  /** Raises the maximum of row 0 or 1 to at least `score`, and scales what was summed up so far to it. */
  raise(row: 0 | 1, score: string): void {
    const { k, sums } = this;
    const [maximum, total] = [this.maxima[row], this.totals[row]];
    const raised = k.let('raised', 'f32', k.call('max', maximum, score));
    const factor = k.let('factor', 'f32', `exp2_approximate(${maximum} - ${raised})`);
    k.assign(maximum, raised);
    k.assign(total, `${total} * ${factor}`);
    unrolled(k, 'block', this.layout.valueBlocks, (block) => {
      for (const column of [0, 1])
        k.assign(`${sums}[${block}][${2 * row + column}]`, `${sums}[${block}][${2 * row + column}] * ${factor}`);
    });
  }
  /** The totals of rows over the four lanes, as new variables. */
  rowTotals(): readonly [string, string] {
    const { k } = this;
    const totals = this.totals.map((total) => k.var('row_total', 'f32', total)) as [string, string];
    for (const total of totals) this.overQuad(total, (a, b) => `${a} + ${b}`);
    return totals;
  }

  /**
   * Shares the maxima and totals of all warps: gives the log 2 maximum and the total of row `row` of the tile over the warps that have
   * its keys, in the order of the warps. Holds a barrier.
   */
  shared(totals: readonly [string, string]): (row: string) => { readonly maximum: string; readonly total: string } {
    const { k, layout, keyWarp } = this;
    const { keyWarps, queryTile } = layout;
    const maxima = k.sharedOnce('warp_maxima', 'f32', keyWarps * queryTile);
    const allTotals = k.sharedOnce('warp_totals', 'f32', keyWarps * queryTile);
    k.if(`${this.quadLane} == 0`, () =>
      rowOffsets.forEach((offset, row) => {
        const place = k.let('place', 'i32', `${keyWarp} * ${queryTile} + ${this.firstRow} + ${offset}`);
        k.assign(`${maxima}[${place}]`, this.maxima[row] as string);
        k.assign(`${allTotals}[${place}]`, totals[row] as string);
      }),
    );
    k.barrier();
    return (row) => {
      const places = Array.from({ length: keyWarps }, (_, other) => `${other * queryTile} + ${row}`);
      const maximum = k.let(
        'all_maximum',
        'f32',
        places.map((place) => `${maxima}[${place}]`).reduce((a, b) => k.call('max', a, b)),
      );
      const parts = places.map((place) => `${allTotals}[${place}] * exp2_approximate(${maxima}[${place}] - ${maximum})`);
      return { maximum, total: k.let('all_total', 'f32', parts.join(' + ')) };
    };
  }
}
