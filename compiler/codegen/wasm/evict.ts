/**
 * Eviction from a cache of mode stream (ir/cache.ts): of the atoms and the tokens that leave the window, those of the largest scores
 * stay, in order of position; what stays in the window moves up behind them.
 */
import type { Size } from '../../../ir/size.ts';
import type { EvictKernel } from '../../kernel/kernel.ts';
import { defineFunction } from './wat-builder.ts';
import type { KernelContext } from './wat-builder.ts';
import { f32, i32, i32x4, v128 } from './wat-code.ts';
import type { Code, I32, Local } from './wat-code.ts';

/** Keys of the candidates, i32 [atoms + blockTokens up to 4]. */
export function evictScratch({ atoms, blockTokens }: EvictKernel): Size {
  return Math.ceil((atoms + blockTokens) / 4) * 16;
}

/** keys[i] = the bits of scores[i] as an integer in the order of the floats (0 and -0 alike). */
const orderedKeys = defineFunction(
  'evict_ordered_keys',
  [
    ['scores', 'i32'],
    ['count', 'i32'],
    ['keys', 'i32'],
  ],
  null,
  (f, scores, count, keys) => {
    const index = f.local('index', 'i32');
    f.for(index, 0, count, 1, () => {
      const bits = f.let('bits', i32.reinterpret_f32(f32.add(f32.load(f.element(scores, index)), 0)));
      f.store(f.element(keys, index), i32.xor(bits, i32.and(i32.shr_s(bits, 31), 0x7fffffff)));
    });
  },
);

/** The largest integer that `wanted` or more of keys[count] reach; 0 < wanted < count. The keys up to a multiple of 4 are the least integer. */
const thresholdOf = defineFunction(
  'evict_threshold',
  [
    ['keys', 'i32'],
    ['count', 'i32'],
    ['wanted', 'i32'],
  ],
  'i32',
  (f, keys, count, wanted) => {
    const low = f.let('low', i32.const(-0x80000000));
    const high = f.let('high', i32.const(0x7fffffff));
    const [index, middle] = [f.local('index', 'i32'), f.local('middle', 'i32')];
    f.comment('low is reached by enough keys; the answer is in [low, high]');
    f.while(
      () => i32.lt_s(low, high),
      () => {
        f.comment('the mean, rounded up, without overflow');
        f.set(middle, i32.sub(i32.or(low, high), i32.shr_s(i32.xor(low, high), 1)));
        const reached = f.let('reached', i32x4.splat(0));
        f.for(index, 0, count, 4, () =>
          f.set(reached, i32x4.sub(reached, i32x4.ge_s(v128.load(f.element(keys, index)), i32x4.splat(middle)))),
        );
        const total = f.let('total', i32.add(...[0, 1, 2, 3].map((lane) => i32x4.extract_lane(reached, lane))));
        f.if(
          i32.ge_s(total, wanted),
          () => f.set(low, middle),
          () => f.set(high, i32.sub(middle, 1)),
        );
      },
    );
    return low;
  },
);

export function renderEvict(kernel: EvictKernel, { module, name }: KernelContext): void {
  const { headSize, valueSize, atoms, sinks } = kernel;
  const parameters = {
    operands: ['key', 'value', 'score', 'position'],
    integers: ['key_heads', 'rows', 'atoms_before', 'leaving', 'staying'],
  };
  const firstLeaving = atoms + sinks;
  module.kernel(name, parameters, (f, k) => {
    const [before, leaving] = [k.integer('atoms_before'), k.integer('leaving')];
    const [item, candidate, kept] = [f.local('item', 'i32'), f.local('candidate', 'i32'), f.local('kept', 'i32')];
    const candidates = f.let('candidates', i32.add(before, leaving));
    const keys = k.scratch;
    f.comment('where no token leaves, nothing changes');
    f.if(i32.gt_s(leaving, 0), () =>
      f.for(item, k.begin, k.end, 1, () => {
        const tensors = [
          { name: 'key', bytes: headSize * 4 },
          { name: 'value', bytes: valueSize * 4 },
          { name: 'score', bytes: 4 },
          { name: 'position', bytes: 4 },
        ].map(({ name, bytes }) => {
          const start = i32.add(k.operand(name), i32.mul(i32.mul(item, k.integer('rows')), bytes));
          return { name, bytes, rows: f.let(`${name}_rows`, start) };
        });
        const moveRows = (to: I32, from: Local<'i32'> | Code<'i32'>, count: I32): void => {
          for (const { rows, bytes } of tensors) {
            const [target, source] = [to, from].map((row) => i32.add(rows, i32.mul(row, bytes))) as [Code<'i32'>, Code<'i32'>];
            f.copyMemory(target, source, i32.mul(count, bytes));
          }
        };
        const scores = tensors.find((tensor) => tensor.name === 'score')?.rows ?? keys;
        f.comment('a key beyond the last counts as the least');
        f.store(f.element(keys, i32.and(i32.sub(candidates, 1), -4)), i32x4.splat(-0x80000000));
        f.run(orderedKeys, scores, before, keys);
        f.run(orderedKeys, f.element(scores, firstLeaving), leaving, f.element(keys, before));
        f.comment('all keys above the threshold stay, and the first that equal it');
        const threshold = f.let('threshold', i32.const(-0x80000000));
        const equals = f.let('equals', i32.const(0x7fffffff));
        f.if(i32.gt_s(candidates, atoms), () => {
          f.set(threshold, f.call(thresholdOf, keys, candidates, atoms));
          f.set(equals, atoms);
          f.for(candidate, 0, candidates, 1, () =>
            f.set(equals, i32.sub(equals, i32.gt_s(i32.load(f.element(keys, candidate)), threshold))),
          );
        });
        f.comment('a row moves to a row at or before its own, so none is lost');
        f.set(kept, 0);
        f.for(candidate, 0, candidates, 1, () =>
          f.block((leave) => {
            const own = f.let('own', i32.load(f.element(keys, candidate)));
            leave(i32.lt_s(own, threshold));
            f.if(i32.eq(own, threshold), () => {
              leave(i32.le_s(equals, 0));
              f.increment(equals, -1);
            });
            const offset = i32.mul(i32.ge_s(candidate, before), i32.sub(firstLeaving, before));
            const row = f.let('row', i32.add(candidate, offset));
            f.if(i32.ne(row, kept), () => moveRows(kept, row, 1));
            f.increment(kept, 1);
          }),
        );
        moveRows(firstLeaving, i32.add(firstLeaving, leaving), k.integer('staying'));
      }),
    );
  });
}
