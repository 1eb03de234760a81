/**
 * What tensor cores have no part in: keys that every query has for itself, and keys whose scores are known. In f32, into the softmax of
 * the warp.
 */
import { leastMaximum, unseen, type AttentionFrame, type KeyLists } from '../../clike/kernels/attention-frame.ts';
import { rowVector, type Rows } from '../../clike/rows.ts';
import { unrolled } from './shared-tile.ts';
import { mmaRows } from './tensor-layout.ts';
import { rowOffsets, type TensorSoftmax } from './tensor-softmax.ts';

/** A warp takes its rows one by one, its lanes the keys of the list and then the columns of the values; the lanes of the row get the sums. */
export function attendLists(frame: AttentionFrame, softmax: TensorSoftmax, lists: KeyLists): void {
  const { k, kernel, queries } = frame;
  const { layout, warpLane, rowWarp, keyWarp, maxima, totals, sums } = softmax;
  const { keyTile, keyWarps, paddedValue, threads, valueBlocks } = layout;
  const columns = Math.ceil(kernel.valueSize / 4);
  const columnLanes = 2 ** Math.ceil(Math.log2(columns));
  const warps = threads / 32;
  const weights = k.sharedOnce('list_weights', 'f32', warps * keyTile);
  const listValues = k.sharedOnce('list_values', 'f32', warps * paddedValue);
  const warp = k.let('warp', 'i32', `${k.thread} / 32`);
  const overWarp = (variable: string, from: number, combine: (a: string, b: string) => string): void => {
    for (let mask = from; mask < 32; mask *= 2)
      k.assign(variable, combine(variable, k.dialect.subgroup.exchange(variable, k.literal('u32', mask))));
  };
  const sum = (a: string, b: string): string => `${a} + ${b}`;
  rowOffsets.forEach((offset, own) => {
    k.for('turn', keyWarp, k.i32(mmaRows / 2), k.i32(keyWarps), (turn) => {
      const row = k.let('row', 'i32', `${rowWarp} * ${mmaRows} + ${offset} + ${turn}`);
      const length = k.let('length', 'i32', lists.length(row));
      const queryStart = k.let('query_start', 'i32', queries.start(row));
      const numbers = Array.from({ length: Math.ceil(keyTile / 32) }, (_, index) => `(${warpLane} + ${index * 32})`);
      const scores = numbers.map((number) => {
        const key = k.let('key', 'i32', k.select(`${number} < ${length}`, lists.key(row, number), '0'));
        const start = k.let('key_start', 'i32', lists.keys.start(key));
        const product = k.var('product', 'f32');
        k.unrollAtMost(2);
        k.for('column', '0', k.i32(kernel.headSize), '4', (column) => {
          const vectors = [
            rowVector(k, queries, queryStart, column, true),
            rowVector(k, lists.keys, start, column, true),
          ] as const;
          k.add(product, k.call('dot', ...vectors));
        });
        const scaled = `${product} * ${k.f32(kernel.scale * Math.LOG2E)}`;
        return k.let('score', 'f32', k.select(`${number} < ${length}`, scaled, k.f32(unseen)));
      });
      const most = k.var(
        'list_maximum',
        'f32',
        [...scores, k.f32(leastMaximum)].reduce((a, b) => k.call('max', a, b)),
      );
      overWarp(most, 1, (a, b) => k.call('max', a, b));
      const total = k.var('list_total', 'f32');
      scores.forEach((score, index) => {
        const weight = k.let('weight', 'f32', `exp2_approximate(${score} - ${most})`);
        k.add(total, weight);
        k.if(`${numbers[index] ?? ''} < ${keyTile}`, () =>
          k.assign(`${weights}[${warp} * ${keyTile} + ${numbers[index] ?? ''}]`, weight),
        );
      });
      overWarp(total, 1, sum);
      k.barrier();
      const value = k.var('list_value', 'vec4<f32>');
      const column = k.let('value_column', 'i32', `${warpLane} % ${columnLanes} * 4`);
      k.for('number', `${warpLane} / ${columnLanes}`, length, k.i32(32 / columnLanes), (number) => {
        const from = k.let('from', 'i32', lists.values.start(lists.key(row, number)));
        const vector = rowVector(k, lists.values, from, column, columns === columnLanes);
        k.add(value, `${weights}[${warp} * ${keyTile} + ${number}] * ${vector}`);
      });
      for (const lane of [0, 1, 2, 3]) overWarp(k.lane(value, lane), columnLanes, sum);
      k.if(`${warpLane} < ${columns}`, () => {
        for (const lane of [0, 1, 2, 3])
          k.assign(`${listValues}[${warp} * ${paddedValue} + ${column} + ${lane}]`, k.lane(value, lane));
      });
      k.barrier();
      k.if(`${warpLane} / 4 == ${turn}`, () => {
        const [maximum, ownTotal] = [maxima[own] as string, totals[own] as string];
        softmax.raise(own as 0 | 1, most);
        const factor = k.let('list_factor', 'f32', `exp2_approximate(${most} - ${maximum})`);
        k.add(ownTotal, k.select(`${softmax.quadLane} == 0`, `${total} * ${factor}`, k.f32(0)));
        unrolled(k, 'block', valueBlocks, (block) => {
          for (const second of [0, 1]) {
            const at = k.let('at', 'i32', `${softmax.column(block)} + ${second}`);
            const part = `${listValues}[${warp} * ${paddedValue} + ${k.call('min', at, k.i32(columns * 4 - 1))}]`;
            k.add(`${sums}[${block}][${2 * own + second}]`, `${factor} * ${part}`);
          }
        });
      });
      k.barrier();
    });
  });
}

/** One key that all queries see: `scores` is a shared array with one for each. */
export function attendScored({ k, kernel }: AttentionFrame, softmax: TensorSoftmax, scores: string, value: Rows): void {
  const { layout, keyWarp, maxima, totals, sums } = softmax;
  const { valueSize } = kernel;
  const add = (): void => {
    const start = k.let('rest_start', 'i32', value.start('0'));
    ([0, 1] as const).forEach((row) => {
      const score = k.let('rest_score', 'f32', `${scores}[${softmax.firstRow} + ${rowOffsets[row]}] * ${k.f32(Math.LOG2E)}`);
      softmax.raise(row, score);
      const weight = k.let('rest_weight', 'f32', `exp2_approximate(${score} - ${maxima[row]})`);
      k.add(totals[row], k.select(`${softmax.quadLane} == 0`, weight, k.f32(0)));
      unrolled(k, 'block', layout.valueBlocks, (block) => {
        for (const second of [0, 1]) {
          const column = k.let('at', 'i32', k.call('min', `${softmax.column(block)} + ${second}`, k.i32(valueSize - 1)));
          k.add(`${sums}[${block}][${2 * row + second}]`, `${weight} * ${value.operand.at(`${start} + ${column}`)}`);
        }
      });
    });
  };
  if (layout.keyWarps === 1) add();
  else k.if(`${keyWarp} == 0`, add);
  k.barrier();
}
