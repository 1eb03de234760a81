/** From the accumulators of the warps to the results of a tile of queries. */
import type { AttentionFrame } from '../../clike/kernels/attention-frame.ts';
import { unrolled } from './shared-tile.ts';
import { rowOffsets, type TensorSoftmax } from './tensor-softmax.ts';

/** `merged` is a shared array vec4<u32> of at least [queryTile][paddedValue] words, where several warps have keys of the same rows. */
export function finishTile(frame: AttentionFrame, softmax: TensorSoftmax, merged: string): void {
  const { k, kernel } = frame;
  const { keyWarps } = softmax.layout;
  k.barrier();
  const own = softmax.rowTotals();
  const rows = rowOffsets.map((offset) => `(${softmax.firstRow} + ${offset})`);
  const rowOf = keyWarps === 1 ? null : softmax.shared(own);
  const all = rows.map((row, index) => rowOf?.(row) ?? { maximum: softmax.maxima[index] as string, total: own[index] as string });
  k.comment('a query that sees no key has a total of 0: zeros');
  all.forEach(({ maximum, total }, row) => {
    const inverse = k.let('inverse', 'f32', k.select(`${total} > 0.0`, `1.0 / ${total}`, k.f32(0)));
    const scaled = keyWarps === 1 ? inverse : `${inverse} * exp2_approximate(${softmax.maxima[row] as string} - ${maximum})`;
    const factor = k.let('factor', 'f32', scaled);
    unrolled(k, 'block', softmax.layout.valueBlocks, (block) => {
      for (const column of [0, 1]) {
        const sum = `${softmax.sums}[${block}][${2 * row + column}]`;
        k.assign(sum, `${sum} * ${factor}`);
      }
    });
  });
  if (keyWarps === 1) storeOwn(frame, softmax);
  else storeMerged(frame, softmax, merged);
  if (!kernel.logSumExp) return;
  const start = frame.headPlace('log_sum_exp', frame.head);
  k.if([`${softmax.quadLane} == 0`, ...(keyWarps === 1 ? [] : [`${softmax.keyWarp} == 0`])].join(' && '), () =>
    all.forEach(({ maximum, total }, index) =>
      k.if(`${rows[index] ?? ''} < ${frame.rows}`, () => {
        const value = `${maximum} * ${k.f32(Math.LN2)} + ${k.call('log', total)}`;
        k.operand('log_sum_exp').store(
          `${start} + ${frame.firstQuery} + ${rows[index] ?? ''}`,
          k.select(`${total} > 0.0`, value, k.f32(-Infinity)),
        );
      }),
    ),
  );
}

/** Stores four columns of a row, from a multiple of four on; what is beyond the tile or the row is left out. */
function storeVector(frame: AttentionFrame, start: string, row: string, column: string, vector: string): void {
  const { k, kernel, firstQuery, rows } = frame;
  k.if(`${row} < ${rows} && ${column} < ${kernel.valueSize}`, () => {
    const place = k.let('place', 'i32', `${start} + (${firstQuery} + ${row}) * ${k.size('result_row')} + ${column}`);
    frame.storeResult(place, vector, column);
  });
}

/** Two lanes side by side have the same two rows, and each two columns of four: each gets all four columns of one row. */
function storeOwn(frame: AttentionFrame, { k, layout, sums, warpLane, firstRow }: TensorSoftmax): void {
  const start = frame.headPlace('result', frame.head);
  const isEven = k.let('is_even', 'bool', `(${warpLane} & 1) == 0`);
  const row = k.let('stored_row', 'i32', `${firstRow} + (${warpLane} & 1) * 8`);
  unrolled(k, 'block', layout.valueBlocks, (block) => {
    const parts = [0, 1, 2, 3].map((part) => `${sums}[${block}][${part}]`) as [string, string, string, string];
    const others = [0, 1].map((column) => {
      const given = k.let('given', 'f32', k.select(isEven, parts[2 + column] as string, parts[column] as string));
      return k.let('taken', 'f32', k.dialect.subgroup.exchange(given, '1u'));
    }) as [string, string];
    const [even, odd] = [
      k.vector('vec4<f32>', parts[0], parts[1], ...others),
      k.vector('vec4<f32>', ...others, parts[2], parts[3]),
    ];
    const vector = k.let('row_part', 'vec4<f32>', k.select(isEven, even, odd));
    storeVector(frame, start, row, k.let('column', 'i32', `${block} * 8 + (${warpLane} & 2) * 2`), vector);
  });
}

/** Warps with keys of the same rows add up what they have in their order. */
function storeMerged(frame: AttentionFrame, softmax: TensorSoftmax, merged: string): void {
  const { k, layout, sums } = softmax;
  const { keyWarps, paddedValue, queryTile, valueBlocks, threads } = layout;
  const start = frame.headPlace('result', frame.head);
  const wordAt = (place: string): string => k.lane(`${merged}[(${place}) / 4]`, `(${place}) & 3`);
  const addOwn = (isFirst: boolean): void =>
    unrolled(k, 'block', valueBlocks, (block) =>
      rowOffsets.forEach((offset, row) => {
        for (const column of [0, 1]) {
          const at = `(${softmax.firstRow} + ${offset}) * ${paddedValue} + ${softmax.column(block)} + ${column}`;
          const word = wordAt(k.let('at', 'i32', at));
          const own = `${sums}[${block}][${2 * row + column}]`;
          k.assign(word, k.bitcast('u32', isFirst ? own : `${k.bitcast('f32', word)} + ${own}`));
        }
      }),
    );
  for (let turn = 0; turn < keyWarps; turn += 1) {
    k.if(`${softmax.keyWarp} == ${turn}`, () => addOwn(turn === 0));
    k.barrier();
  }
  const parts = paddedValue / 4;
  k.for('slot', k.thread, k.i32(queryTile * parts), k.i32(threads), (slot) => {
    const words = [0, 1, 2, 3].map((lane) => k.bitcast('f32', k.lane(`${merged}[${slot}]`, lane)));
    const vector = k.let('row_part', 'vec4<f32>', k.vector('vec4<f32>', ...words));
    const [row, column] = [k.let('row', 'i32', `${slot} / ${parts}`), k.let('column', 'i32', `${slot} % ${parts} * 4`)];
    storeVector(frame, start, row, column, vector);
  });
}
