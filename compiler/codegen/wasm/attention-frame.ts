/**
 * What the segments of an attention kernel share: the place of everything in scratch, and the item at hand (one tile of
 * queries of one batch row and head) with its running softmax.
 */
import type { AttentionKernel, TokenRange } from '../../kernel/kernel.ts';
import { accumulateFew, biasFew, fewKeys, fewRows, limitFew, scoreFew, softmaxFew, touchRows } from './attention-few.ts';
import type { FunctionBuilder } from './wat-builder.ts';
import { f32, f32x4, i32, select } from './wat-code.ts';
import type { Code, I32, Local } from './wat-code.ts';
import {
  accumulateValues,
  addBias,
  limitTile,
  lowest,
  packPanel,
  padTile,
  panelLanes,
  panelRowBytes,
  scoreTile,
  softmaxTile,
} from './attention-tile.ts';

/** The parameters of one segment as locals. */
export interface SegmentLocals {
  operand(name: string): Local<'i32'>;
  integer(name: string): Local<'i32'>;
}
/** Byte offsets from the lane's scratch; `segments` is the start of what a segment needs for itself. */
export interface ScratchLayout {
  /** i32 [8]: row addresses for packing. */
  readonly addresses: number;
  /** f32 [queryTile / 8][headSize][8]: the queries times the scale. */
  readonly panels: number;
  /** The same queries where they are few: f32 [headSize / 4][rows][4]. */
  readonly few: number;
  /** f32 [keyTile][queryTile], or [fewRows][fewKeys]. */
  readonly scores: number;
  /** f32 [keyTile] or [fewKeys]. */
  readonly bias: number;
  /** f32 [queryTile] each. */
  readonly maximum: number;
  readonly sum: number;
  readonly correction: number;
  /** f32 [queryTile][resultStride / 4]. */
  readonly result: number;
  /** Bytes. */
  readonly resultStride: number;
  readonly segments: number;
}
const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;
export function scratchLayout(kernel: AttentionKernel): ScratchLayout {
  const { headSize, valueSize, schedule } = kernel;
  const { queryTile, keyTile } = schedule;
  const few = schedule.fewQueries ? fewKeys : 0;
  const resultStride = Math.ceil(valueSize / 4) * 16;
  let used = 0;
  const place = (bytes: number): number => {
    const at = used;
    used += align(bytes);
    return at;
  };
  return {
    addresses: place(32),
    panels: place(queryTile * headSize * 4),
    few: place(few === 0 ? 0 : fewRows * headSize * 4),
    scores: place(Math.max(keyTile * queryTile, fewRows * few) * 4),
    bias: place(Math.max(keyTile, few) * 4),
    maximum: place(queryTile * 4),
    sum: place(queryTile * 4),
    correction: place(queryTile * 4),
    result: place(queryTile * resultStride),
    resultStride,
    segments: used,
  };
}

export interface AttentionFrame {
  readonly f: FunctionBuilder;
  readonly kernel: AttentionKernel;
  readonly layout: ScratchLayout;
  readonly scratch: Local<'i32'>;
  /** Index of the batch row, and those of the head and of its key/value head; how many heads there are of each. */
  readonly batch: Local<'i32'>;
  readonly head: Local<'i32'>;
  readonly keyHead: Local<'i32'>;
  readonly keyHeads: Local<'i32'>;
  /** All queries of the head; the first query of the tile, and how many it has. */
  readonly queries: Local<'i32'>;
  readonly firstQuery: Local<'i32'>;
  readonly rows: Local<'i32'>;
  /** ceil(rows / 8). */
  readonly groups: Local<'i32'>;
  /** Address of the tile's first query row, and bytes from row to row. */
  readonly query: Local<'i32'>;
  readonly queryStride: Local<'i32'>;
}

export function at({ scratch }: AttentionFrame, offset: number): Code<'i32'> {
  return i32.add(scratch, offset);
}

/** Byte address of tensor[batch, head, 0, 0] for strides in elements. */
export function headAddress(
  { batch }: AttentionFrame,
  base: I32,
  head: Local<'i32'>,
  batchStride: I32,
  headStride: I32,
): Code<'i32'> {
  return i32.add(base, i32.shl(i32.add(i32.mul(batch, batchStride), i32.mul(head, headStride)), 2));
}
/** The index of a row of the contiguous tensors of clusters: batch * G + key head. */
export function headIndex({ batch, keyHead, keyHeads }: AttentionFrame): Code<'i32'> {
  return i32.add(i32.mul(batch, keyHeads), keyHead);
}

/** Runs `body` where the sequence has a number of tokens inside the range. */
export function whereTokens(
  frame: AttentionFrame,
  range: TokenRange | null,
  tokens: Local<'i32'> | null,
  body: () => void,
): void {
  if (range === null || tokens === null) return body();
  const { f, batch } = frame;
  const count = f.let('tokens_here', i32.load(f.element(tokens, batch)));
  const atLeast = i32.ge_s(count, range.atLeast ?? 0);
  f.if(range.below === undefined ? atLeast : i32.and(atLeast, i32.lt_s(count, range.below)), body);
}

/** Empties the running softmax of the tile. */
export function emitReset(frame: AttentionFrame): void {
  const { f, layout, kernel, groups } = frame;
  const vector = f.local('vector', 'i32');
  f.for(vector, 0, i32.shl(groups, 5), 16, () => {
    f.store(i32.add(at(frame, layout.maximum), vector), f32x4.splat(lowest));
    f.store(i32.add(at(frame, layout.sum), vector), f32x4.splat(0));
  });
  f.fillMemory(at(frame, layout.result), 0, kernel.schedule.queryTile * layout.resultStride);
}

/** Keys and values as rows, and what limits them. Addresses; strides in bytes. */
export interface KeyRows {
  readonly key: Local<'i32'>;
  readonly keyStride: I32;
  readonly value: Local<'i32'>;
  readonly valueStride: I32;
  /** Keys [first, end). */
  readonly first: I32;
  readonly end: Local<'i32'>;
  /** Address of f32 [end]. */
  readonly bias: Local<'i32'> | null;
  /** Address of i32 [end]. */
  readonly mask: Local<'i32'> | null;
  /** Query i sees keys i + from <= j <= i + to. */
  readonly visible: { readonly from: Local<'i32'> | null; readonly to: Local<'i32'> | null } | null;
}

/** Online softmax of the tile's queries over rows of keys. */
export function emitKeyRows(frame: AttentionFrame, keys: KeyRows): void {
  const { f, rows, kernel } = frame;
  if (!kernel.schedule.fewQueries) return emitKeyTiles(frame, keys);
  f.if(
    i32.le_s(rows, fewRows),
    () => emitFewRows(frame, keys),
    () => emitKeyTiles(frame, keys),
  );
}
/** The same for at most four queries. */
function emitFewRows(frame: AttentionFrame, keys: KeyRows): void {
  const { f, kernel, layout, rows } = frame;
  const [start, count] = [f.local('few_start', 'i32'), f.local('few_count', 'i32')];
  const biased = f.local('few_biased', 'i32');
  const isBiased = keys.bias !== null || keys.mask !== null;
  const [scores, correction] = [at(frame, layout.scores), at(frame, layout.correction)];
  f.for(start, keys.first, keys.end, fewKeys, () => {
    f.set(count, f.minimum(fewKeys, i32.sub(keys.end, start)));
    if (isBiased) emitBiasTile(frame, keys, start, count, biased);
    f.if(i32.gt_s(count, 0), () => {
      const first = i32.add(keys.key, i32.mul(start, keys.keyStride));
      f.run(scoreFew, rows, at(frame, layout.few), kernel.headSize, first, keys.keyStride, count, scores);
      if (isBiased) f.if(biased, () => f.run(biasFew, rows, scores, count, at(frame, layout.bias)));
      if (keys.visible !== null) {
        emitLimits(frame, keys.visible, start, count, (low, high) => f.run(limitFew, rows, scores, count, low, high));
      }
      f.run(softmaxFew, rows, scores, count, at(frame, layout.maximum), at(frame, layout.sum), correction);
      const value = i32.add(keys.value, i32.mul(start, keys.valueStride));
      const result = at(frame, layout.result);
      const { valueSize } = kernel;
      f.run(
        accumulateFew,
        rows,
        scores,
        count,
        value,
        keys.valueStride,
        valueSize,
        result,
        layout.resultStride,
        correction,
        at(frame, layout.addresses),
      );
    });
  });
}

function emitKeyTiles(frame: AttentionFrame, keys: KeyRows): void {
  const { f, kernel, layout, groups } = frame;
  const { queryTile, keyTile } = kernel.schedule;
  const stride = queryTile * 4;
  const scores = at(frame, layout.scores);
  const isBiased = keys.bias !== null || keys.mask !== null;
  const start = f.local('start', 'i32');
  const count = f.local('count', 'i32');
  const biased = f.local('biased', 'i32');
  f.for(start, keys.first, keys.end, keyTile, () => {
    f.set(count, f.minimum(keyTile, i32.sub(keys.end, start)));
    if (isBiased) emitBiasTile(frame, keys, start, count, biased);
    f.if(i32.gt_s(count, 0), () => {
      const first = i32.add(keys.key, i32.mul(start, keys.keyStride));
      f.run(scoreTile, at(frame, layout.panels), groups, kernel.headSize, first, keys.keyStride, count, scores, stride);
      if (isBiased) f.if(biased, () => f.run(addBias, scores, stride, groups, count, at(frame, layout.bias)));
      if (keys.visible !== null) {
        emitLimits(frame, keys.visible, start, count, (low, high) => f.run(limitTile, scores, stride, groups, count, low, high));
      }
      f.run(padTile, scores, stride, groups, count);
      emitMerge(frame, scores, count, i32.add(keys.value, i32.mul(start, keys.valueStride)), keys.valueStride);
    });
  });
}

/** Hides the keys of the tile [start, start + count) that a query may not see: query r of the tile sees low + r <= j <= high + r. */
function emitLimits(
  frame: AttentionFrame,
  visible: NonNullable<KeyRows['visible']>,
  start: Local<'i32'>,
  count: Local<'i32'>,
  hide: (low: Local<'i32'>, high: Local<'i32'>) => void,
): void {
  const { f, firstQuery, rows } = frame;
  const anywhere = 1 << 29;
  const low = f.let('low', visible.from === null ? i32.const(-anywhere) : i32.sub(i32.add(firstQuery, visible.from), start));
  const high = f.let('high', visible.to === null ? i32.const(anywhere) : i32.sub(i32.add(firstQuery, visible.to), start));
  f.comment('only where the first query does not see the last key, or the last query not the first key');
  const outside = i32.or(i32.lt_s(high, i32.sub(count, 1)), i32.gt_s(i32.add(low, rows, -1), 0));
  f.if(outside, () => hide(low, high));
}

/** Softmax of a finished tile of scores, and its values into the result. */
export function emitMerge(frame: AttentionFrame, scores: I32, count: I32, value: I32, valueStride: I32): void {
  const { f, layout, kernel, groups, rows } = frame;
  const stride = kernel.schedule.queryTile * 4;
  const [maximum, sum, correction] = [at(frame, layout.maximum), at(frame, layout.sum), at(frame, layout.correction)];
  f.run(softmaxTile, scores, stride, groups, count, maximum, sum, correction);
  const result = at(frame, layout.result);
  // Of one panel the product waits for memory where the keys are many (8 queries, 48 MB: 8.0 ms without, 6.0 with it).
  f.if(i32.eq(groups, 1), () => f.run(touchRows, value, valueStride, count, kernel.valueSize * 4, at(frame, layout.addresses)));
  f.run(
    accumulateValues,
    scores,
    stride,
    rows,
    count,
    value,
    valueStride,
    kernel.valueSize,
    result,
    layout.resultStride,
    correction,
  );
}

/** Fills the bias tile, shortens `count` to the last key that can be seen, and tells in `biased` whether any bias is not 0. */
function emitBiasTile(
  frame: AttentionFrame,
  keys: KeyRows,
  start: Local<'i32'>,
  count: Local<'i32'>,
  biased: Local<'i32'>,
): void {
  const { f, layout } = frame;
  const { bias, mask } = keys;
  const [key, seen] = [f.local('key', 'i32'), f.local('seen', 'i32')];
  const amount = f.local('amount', 'f32');
  f.set(biased, 0);
  f.set(seen, 0);
  f.for(key, 0, count, 1, () => {
    const index = i32.add(start, key);
    f.set(amount, bias === null ? 0 : f32.load(f.element(bias, index)));
    if (mask !== null) f.set(amount, select(i32.load(f.element(mask, index)), amount, f32.const(-Infinity)));
    f.store(f.element(at(frame, layout.bias), key), amount);
    f.set(biased, i32.or(biased, f32.ne(amount, 0)));
    f.set(seen, select(f32.gt(amount, -Infinity), i32.add(key, 1), seen));
  });
  f.set(count, seen);
}

/** Packs the tile's rows of `size` floats, times the scale, into panels of 8 rows. */
export function emitPanels(frame: AttentionFrame, rowsAt: Local<'i32'>, stride: I32, size: number, panels: I32): void {
  const { f, groups } = frame;
  const group = f.local('panel', 'i32');
  f.for(group, 0, groups, 1, () =>
    emitPanel(frame, rowsAt, stride, size, group, i32.add(panels, i32.mul(group, size * panelRowBytes))),
  );
}
/** Packs the rows of one group of 8 queries. */
export function emitPanel(
  { f, kernel, layout, scratch, rows }: AttentionFrame,
  rowsAt: Local<'i32'>,
  stride: I32,
  size: number,
  group: Local<'i32'>,
  panel: I32,
): void {
  const addresses = i32.add(scratch, layout.addresses);
  for (let lane = 0; lane < panelLanes; lane++) {
    const row = f.minimum(i32.add(i32.shl(group, 3), lane), i32.sub(rows, 1));
    f.store(addresses, i32.add(rowsAt, i32.mul(row, stride)), lane * 4);
  }
  f.run(packPanel, addresses, size, kernel.scale, panel);
}
