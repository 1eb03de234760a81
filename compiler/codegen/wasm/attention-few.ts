/**
 * Attention of at most four queries to many keys, as decoding has it. The lanes run over the head dimensions (scores) and over the
 * columns (values), so that none is idle, and scores lie as [query][key]; the panels of attention-tile.ts compute eight queries.
 */
import { emitExp, keyStep, roundUp } from './attention-tile.ts';
import { maxF32x4, sumF32x4 } from './math.ts';
import { defineFunction } from './wat-builder.ts';
import type { FunctionBuilder } from './wat-builder.ts';
import { f32, f32x4, i32, v128 } from './wat-code.ts';
import type { Local, V128 } from './wat-code.ts';

/** The most queries that this serves. */
export const fewRows = 4;
/** Keys of a tile: its values stay in a first-level cache. Bytes from the scores of one query to those of the next. */
export const fewKeys = 128;
export const fewStride = fewKeys * 4;
const lineBytes = 64;

const indices = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
/** Runs `emit` for the number of rows at hand, 1 to fewRows. */
function emitForRows(f: FunctionBuilder, rows: Local<'i32'>, emit: (count: number) => void): void {
  const chain = (count: number): void =>
    count === fewRows
      ? emit(count)
      : f.if(
          i32.eq(rows, count),
          () => emit(count),
          () => chain(count + 1),
        );
  chain(1);
}

/** packed[e / 4][row][4] = rows of floats times `factor`, `size` a multiple of 4; strides in bytes. */
export const packFew = defineFunction(
  'attention_pack_few',
  [
    ['from', 'i32'],
    ['stride', 'i32'],
    ['rows', 'i32'],
    ['size', 'i32'],
    ['factor', 'f32'],
    ['packed', 'i32'],
  ],
  null,
  (f, from, stride, rows, size, factor, packed) => {
    const [row, column] = [f.local('row', 'i32'), f.local('column', 'i32')];
    const to = f.let('to', packed);
    f.for(column, 0, size, 4, () => {
      const at = f.let('at', f.element(from, column));
      f.for(row, 0, rows, 1, () => {
        f.store(to, f32x4.mul(v128.load(at), f32x4.splat(factor)));
        f.increment(at, stride);
        f.increment(to, 16);
      });
    });
  },
);

/** Sums over the lanes of four vectors: fourSums(halfSums(a, b), halfSums(c, d)). */
function halfSums(a: V128, b: V128): V128 {
  return f32x4.add(f32x4.shuffle(a, b, [0, 4, 1, 5]), f32x4.shuffle(a, b, [2, 6, 3, 7]));
}
function fourSums(low: V128, high: V128): V128 {
  return f32x4.add(f32x4.shuffle(low, high, [0, 1, 4, 5]), f32x4.shuffle(low, high, [2, 3, 6, 7]));
}

const scoresOf = indices(fewRows).map((index) => {
  const rows = index + 1;
  // Four to eight sums at a time: an addition takes as long to be ready, and no more fit the registers.
  const keysAtOnce = rows <= 2 ? 4 : 2;
  return defineFunction(
    `attention_score_few_${rows}`,
    [
      ['packed', 'i32'],
      ['size', 'i32'],
      ['key', 'i32'],
      ['key_stride', 'i32'],
      ['count', 'i32'],
      ['scores', 'i32'],
    ],
    null,
    (f, packed, size, key, keyStride, count, scores) => {
      const [index, at] = [f.local('index', 'i32'), f.local('at', 'i32')];
      const last = f.let('last', i32.sub(count, 1));
      const end = f.let('end', i32.add(packed, i32.mul(size, rows * 4)));
      f.for(index, 0, count, 4, () => {
        const pairs = indices(4 / keysAtOnce).flatMap((part) => {
          const keys = indices(keysAtOnce).map((k) => {
            const row = f.minimum(i32.add(index, part * keysAtOnce + k), last);
            return f.let(`key${k}`, i32.add(key, i32.mul(row, keyStride)));
          });
          const sums = indices(rows).map((r) => keys.map((_, k) => f.let(`sum${r}_${k}`, f32x4.splat(0))));
          f.set(at, packed);
          f.doWhile(
            () => {
              const elements = indices(rows).map((r) => f.let(`element${r}`, v128.load(at, r * 16)));
              keys.forEach((address, k) => {
                const four = f.let('four', v128.load(address));
                elements.forEach((element, r) => {
                  const sum = sums[r]?.[k];
                  if (sum) f.set(sum, f32x4.multiplyAdd(element, four, sum));
                });
                f.increment(address, 16);
              });
              f.increment(at, rows * 16);
            },
            () => i32.ne(at, end),
          );
          return indices(keysAtOnce / 2).map((pair) =>
            sums.map((own) => {
              const [a, b] = own.slice(pair * 2, pair * 2 + 2);
              return f.let('half', halfSums(a ?? f32x4.splat(0), b ?? f32x4.splat(0)));
            }),
          );
        });
        const out = f.let('out', f.element(scores, index));
        indices(rows).forEach((r) => {
          const [low, high] = pairs.map((sums) => sums[r]);
          if (low && high) f.store(out, fourSums(low, high), r * fewStride);
        });
      });
    },
  );
});
/** scores[row][key] = packed[row] . key[key] for `count` keys; up to three more are written. Strides in bytes. */
export const scoreFew = defineFunction(
  'attention_score_few',
  [
    ['rows', 'i32'],
    ['packed', 'i32'],
    ['size', 'i32'],
    ['key', 'i32'],
    ['key_stride', 'i32'],
    ['count', 'i32'],
    ['scores', 'i32'],
  ],
  null,
  (f, rows, ...operands) =>
    emitForRows(f, rows, (count) => {
      const called = scoresOf[count - 1];
      if (called) f.run(called, ...operands);
    }),
);

/** scores[row][*] += bias[*] for `count` keys. */
export const biasFew = defineFunction(
  'attention_bias_few',
  [
    ['rows', 'i32'],
    ['scores', 'i32'],
    ['count', 'i32'],
    ['bias', 'i32'],
  ],
  null,
  (f, rows, scores, count, bias) => {
    const [row, index, at] = [f.local('row', 'i32'), f.local('index', 'i32'), f.let('at', scores)];
    f.for(row, 0, rows, 1, () => {
      f.for(index, 0, count, 1, () => {
        const score = f.let('score', f.element(at, index));
        f.store(score, f32.add(f32.load(score), f32.load(f.element(bias, index))));
      });
      f.increment(at, fewStride);
    });
  },
);

/** Scores of keys that a row does not see become -inf: row r sees first + r <= j <= last + r. */
export const limitFew = defineFunction(
  'attention_limit_few',
  [
    ['rows', 'i32'],
    ['scores', 'i32'],
    ['count', 'i32'],
    ['first', 'i32'],
    ['last', 'i32'],
  ],
  null,
  (f, rows, scores, count, first, last) => {
    const [row, index, at] = [f.local('row', 'i32'), f.local('index', 'i32'), f.let('at', scores)];
    const hide = (): void => f.store(f.element(at, index), f32.const(-Infinity));
    f.for(row, 0, rows, 1, () => {
      f.for(index, 0, f.minimum(count, i32.add(first, row)), 1, hide);
      f.for(index, f.maximum(0, i32.add(last, row, 1)), count, 1, hide);
      f.increment(at, fewStride);
    });
  },
);

/** One step of online softmax, as softmaxTile does it. */
export const softmaxFew = defineFunction(
  'attention_softmax_few',
  [
    ['rows', 'i32'],
    ['scores', 'i32'],
    ['count', 'i32'],
    ['maximum', 'i32'],
    ['sum', 'i32'],
    ['correction', 'i32'],
  ],
  null,
  (f, rows, scores, count, maximum, sum, correction) => {
    const [row, index] = [f.local('row', 'i32'), f.local('index', 'i32')];
    const [at, from] = [f.local('at', 'i32'), f.let('from', scores)];
    const end = f.let('rounded', roundUp(count, keyStep));
    const overScores = (step: () => void): void => {
      f.set(at, from);
      f.for(index, 0, end, 4, () => {
        step();
        f.increment(at, 16);
      });
    };
    f.for(row, 0, rows, 1, () => {
      f.for(index, count, end, 1, () => f.store(f.element(from, index), f32.const(-Infinity)));
      const [ownMaximum, ownSum] = [f.let('own_maximum', f.element(maximum, row)), f.let('own_sum', f.element(sum, row))];
      const old = f.let('old', f32.load(ownMaximum));
      const top = f.let('top', f32x4.splat(old));
      overScores(() => f.set(top, f32x4.pmax(top, v128.load(at))));
      f.set(top, f32x4.splat(f.call(maxF32x4, top)));
      const total = f.let('total', f32x4.splat(0));
      overScores(() => {
        const exponential = emitExp(f, f32x4.sub(v128.load(at), top));
        f.store(at, exponential);
        f.set(total, f32x4.add(total, exponential));
      });
      const factor = f.let('factor', f32x4.extract_lane(emitExp(f, f32x4.sub(f32x4.splat(old), top)), 0));
      f.store(f.element(correction, row), factor);
      f.store(ownMaximum, f32x4.extract_lane(top, 0));
      f.store(ownSum, f32.add(f32.mul(f32.load(ownSum), factor), f.call(sumF32x4, total)));
      f.increment(from, fewStride);
    });
  },
);

/** Vectors of columns at a time: eight sums, where a row has as many. */
const vectorsOf: readonly number[] = [8, 4, 2, 2];
const accumulationsOf = indices(fewRows).map((index) => {
  const rows = index + 1;
  return defineFunction(
    `attention_accumulate_few_${rows}`,
    [
      ['weights', 'i32'],
      ['count', 'i32'],
      ['value', 'i32'],
      ['value_stride', 'i32'],
      ['size', 'i32'],
      ['result', 'i32'],
      ['result_stride', 'i32'],
      ['correction', 'i32'],
    ],
    null,
    (f, weights, count, value, valueStride, size, result, resultStride, correction) => {
      const column = f.local('column', 'i32');
      const [from, weight, end] = [f.local('from', 'i32'), f.local('weight', 'i32'), f.local('end', 'i32')];
      const block = (vectors: number): void => {
        const base = f.let('base', f.element(result, column));
        const out = indices(rows).map((r) => (r === 0 ? base : f.let(`out${r}`, i32.add(base, i32.mul(resultStride, r)))));
        const sums = out.map((address, r) => {
          const factor = f.let('factor', v128.load32_splat(correction, r * 4));
          return indices(vectors).map((v) => f.let(`sum${r}`, f32x4.mul(v128.load(address, v * 16), factor)));
        });
        f.set(from, f.element(value, column));
        f.set(weight, weights);
        f.set(end, f.element(weights, count));
        f.doWhile(
          () => {
            const splats = out.map((_, r) => f.let('splat', v128.load32_splat(weight, r * fewStride)));
            indices(vectors).forEach((v) => {
              const four = f.let('four', v128.load(from, v * 16));
              splats.forEach((splat, r) => {
                const sum = sums[r]?.[v];
                if (sum) f.set(sum, f32x4.multiplyAdd(splat, four, sum));
              });
            });
            f.increment(from, valueStride);
            f.increment(weight, 4);
          },
          () => i32.ne(weight, end),
        );
        sums.forEach((own, r) => own.forEach((sum, v) => f.store(out[r] ?? base, sum, v * 16)));
      };
      const most = vectorsOf[index] ?? 1;
      f.for(column, 0, i32.and(size, -4 * most), 4 * most, () => block(most));
      for (let vectors = most / 2; vectors >= 1; vectors /= 2) {
        f.if(i32.and(size, vectors * 4), () => {
          block(vectors);
          f.increment(column, vectors * 4);
        });
      }
    },
  );
});
/**
 * Reads one element of every cache line of `count` rows in order, so that what reads them by columns finds them. `into` has room
 * for what keeps the loads from being left out.
 */
export const touchRows = defineFunction(
  'attention_touch_rows',
  [
    ['rows', 'i32'],
    ['stride', 'i32'],
    ['count', 'i32'],
    ['bytes', 'i32'],
    ['into', 'i32'],
  ],
  null,
  (f, rows, stride, count, bytes, into) => {
    const [index, offset] = [f.local('index', 'i32'), f.local('offset', 'i32')];
    const row = f.let('row', rows);
    const seen = f.let('seen', i32.const(0));
    f.for(index, 0, count, 1, () => {
      f.for(offset, 0, bytes, lineBytes, () => f.set(seen, i32.or(seen, i32.load(i32.add(row, offset)))));
      f.increment(row, stride);
    });
    f.store(into, seen);
  },
);
/**
 * result[row][c] = result[row][c] * correction[row] + sum over `count` keys of weights[row][key] * value[key][c]; count >= 1, size
 * a multiple of 4. Strides in bytes.
 */
export const accumulateFew = defineFunction(
  'attention_accumulate_few',
  [
    ['rows', 'i32'],
    ['weights', 'i32'],
    ['count', 'i32'],
    ['value', 'i32'],
    ['value_stride', 'i32'],
    ['size', 'i32'],
    ['result', 'i32'],
    ['result_stride', 'i32'],
    ['correction', 'i32'],
    ['addresses', 'i32'],
  ],
  null,
  (f, rows, weights, count, value, valueStride, size, result, resultStride, correction, addresses) => {
    f.run(touchRows, value, valueStride, count, i32.shl(size, 2), addresses);
    emitForRows(f, rows, (own) => {
      const called = accumulationsOf[own - 1];
      if (called) f.run(called, weights, count, value, valueStride, size, result, resultStride, correction);
    });
  },
);
