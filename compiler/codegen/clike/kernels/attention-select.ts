/**
 * For every query of a tile, the best of many candidates by a score that is cheap to compute: attention over those only. Nothing
 * of the size queries x candidates is kept: scores are computed again in every round, of which a first few find out, six bits at a
 * time from the top, what the score of the last one to be selected is (a radix select, with a histogram for each query), until the
 * candidates that agree with it so far are wanted as a whole; and a last one collects. What a score is compared with has its very
 * bits, since all rounds compute it in the same place of the code. Ties go to the lower candidate.
 */
import type { FunctionDefinition } from '../code.ts';
import type { Rows } from '../rows.ts';
import { leastMaximum, unseen, type AttentionFrame } from './attention-frame.ts';
import { groupRows } from './attention-layout.ts';

const digitBits = 6;
const digits = 2 ** digitBits;

export interface Selection {
  /** How many, and of how many: i32, the same for all threads. */
  readonly wanted: string;
  readonly count: string;
  /** Of the candidates, for exact attention. */
  readonly keys: Rows;
  readonly values: Rows;
  /** Writes code for the scores of the candidates from `tile` on, `inTile` of them, as AttentionFrame.scoreTile; `unseen` where there is none. */
  scores(tile: string, inTile: string): readonly string[];
  /** Shared f32 [queryTile], or null: gets the log sum exp of the scores of what was not selected, `unseen` where there is nothing. */
  readonly restScores: string | null;
}

/** Unsigned integers in the order of floats. */
const orderedBits: FunctionDefinition = {
  name: 'ordered_bits',
  parameters: [{ name: 'x', type: 'f32' }],
  result: 'u32',
  body(code) {
    const signBit = code.literal('u32', 0x80000000);
    const bits = code.let('bits', 'u32', code.bitcast('u32', 'x'));
    code.comment('-0 is 0');
    code.if('x == 0.0', () => code.return(signBit));
    code.return(code.select(`(${bits} & ${signBit}) != 0u`, `~${bits}`, `${bits} | ${signBit}`));
  },
};

export function selectBest(frame: AttentionFrame, selection: Selection): void {
  const { k, layout } = frame;
  const { wanted, count, restScores } = selection;
  const { queryTile, keyTile, threads } = layout;
  const { atomic } = k.dialect;
  const order = k.use(orderedBits);
  // Histograms first, and when they are done with, lists.
  const bins = k.sharedOnce('bins', 'atomic<u32>', queryTile * Math.max(digits, keyTile));
  // Of the score of the last candidate to be selected: the bits that are known, and which those are.
  const prefixes = k.sharedOnce('prefixes', 'u32', queryTile);
  const masks = k.sharedOnce('masks', 'u32', queryTile);
  // How many of those that agree with them are wanted, and how many more there are.
  const budgets = k.sharedOnce('budgets', 'i32', queryTile);
  const spares = k.sharedOnce('spares', 'i32', queryTile);
  const lengths = k.sharedOnce('lengths', 'i32', queryTile);
  const unfinished = k.sharedOnce('unfinished', 'i32', queryTile);
  const scores = frame.stagedKeys();
  const scoreAt = (row: string, candidate: string): string =>
    k.lane(`${scores}[${row} / ${groupRows} * ${keyTile} + ${candidate}]`, `${row} % ${groupRows}`);
  const isRowThread = `${k.thread} < ${queryTile}`;
  /** Whether any row has something above 0 in a shared array: 1 or 0, the same for all threads. */
  const anyAboveZero = (array: string): string => {
    const any = k.var('any', 'i32');
    k.barrier();
    k.if(`${k.thread} == 0`, () =>
      k.for('row', '0', k.i32(queryTile), '1', (row) => k.if(`${array}[${row}] > 0`, () => k.assign(any, k.i32(1)))),
    );
    return frame.uniform('any_here', any);
  };

  k.barrier();
  k.if(isRowThread, () => {
    const isWanted = k.let('is_wanted', 'bool', `${wanted} > 0 && ${k.thread} < ${frame.rows}`);
    const all = k.literal('u32', 0xffffffff);
    k.comment('no float has all bits set in this order but a NaN: nothing is selected');
    k.assign(`${prefixes}[${k.thread}]`, k.select(isWanted, '0u', all));
    k.assign(`${masks}[${k.thread}]`, k.select(isWanted, '0u', all));
    k.assign(`${budgets}[${k.thread}]`, k.select(isWanted, wanted, '0'));
    k.assign(`${spares}[${k.thread}]`, k.select(isWanted, '1', '0'));
  });
  k.comment('of a row thread: its list, the ties that it has taken, and the softmax of the rest');
  const length = k.var('list_length', 'i32');
  const ties = k.var('ties', 'i32');
  const restMaximum = k.var('rest_maximum', 'f32', k.f32(leastMaximum));
  const restTotal = k.var('rest_total', 'f32');
  const shift = k.var('shift', 'i32', k.i32(32 - digitBits));
  const isCounting = k.var('is_counting', 'i32', anyAboveZero(spares));
  const isGoing = k.var('is_going', 'i32', k.i32(1));
  k.while(`${isGoing} != 0`, () => {
    k.for('bin', k.thread, k.i32(queryTile * digits), k.i32(threads), (bin) =>
      k.statement(atomic.store(`${bins}[${bin}]`, '0u')),
    );
    k.for('tile', '0', count, k.i32(keyTile), (tile) => {
      const inTile = k.let('in_tile', 'i32', k.call('min', k.i32(keyTile), `${count} - ${tile}`));
      const own = selection.scores(tile, inTile);
      k.barrier();
      own.forEach((score, index) => k.assign(`${scores}[${frame.rowGroup} * ${keyTile} + ${frame.keyInTile(index)}]`, score));
      k.barrier();
      k.if(
        `${isCounting} != 0`,
        () => countDigits(inTile),
        () => collect(tile, inTile),
      );
    });
    k.assign(isGoing, isCounting);
    k.if(`${isCounting} != 0`, () => {
      k.barrier();
      k.if(`${isRowThread} && ${spares}[${k.thread} % ${queryTile}] > 0`, chooseDigit);
      const open = anyAboveZero(spares);
      k.assign(isCounting, k.select(`${shift} > 0`, open, '0'));
      k.assign(shift, k.call('max', `${shift} - ${digitBits}`, '0'));
    });
  });
  if (restScores !== null) {
    k.if(isRowThread, () => {
      const logarithm = `${restMaximum} + ${k.call('log', restTotal)}`;
      k.assign(`${restScores}[${k.thread}]`, k.select(`${restTotal} > 0.0`, logarithm, k.f32(unseen)));
    });
    k.barrier();
  }

  function countDigits(inTile: string): void {
    k.for('slot', k.thread, k.i32(queryTile * keyTile), k.i32(threads), (slot) => {
      const row = k.let('row', 'i32', `${slot} / ${keyTile}`);
      const candidate = k.let('candidate', 'i32', `${slot} % ${keyTile}`);
      k.if(`${candidate} < ${inTile} && ${spares}[${row}] > 0`, () => {
        const score = k.let('candidate_score', 'f32', scoreAt(row, candidate));
        const bits = k.let('bits', 'u32', `${order}(${score})`);
        k.if(`${score} > ${k.f32(leastMaximum)} && (${bits} & ${masks}[${row}]) == ${prefixes}[${row}]`, () => {
          const digit = `${k.cast('i32', `(${bits} >> ${k.cast('u32', shift)}) & ${digits - 1}u`)}`;
          k.statement(atomic.add(`${bins}[${row} * ${digits} + ${digit}]`, '1u'));
        });
      });
    });
  }
  function chooseDigit(): void {
    const remaining = k.var('remaining', 'i32', `${budgets}[${k.thread}]`);
    const digit = k.var('digit', 'i32', k.i32(digits - 1));
    const binOf = (): string => k.cast('i32', atomic.load(`${bins}[${k.thread} * ${digits} + ${digit}]`));
    const here = k.var('here', 'i32', binOf());
    k.while(`${digit} > 0 && ${here} < ${remaining}`, () => {
      k.assign(remaining, `${remaining} - ${here}`);
      k.assign(digit, `${digit} - 1`);
      k.assign(here, binOf());
    });
    const by = k.let('by', 'u32', k.cast('u32', shift));
    const known = `${prefixes}[${k.thread}] & ~(${digits - 1}u << ${by})`;
    k.assign(`${prefixes}[${k.thread}]`, `(${known}) | (${k.cast('u32', digit)} << ${by})`);
    k.assign(`${masks}[${k.thread}]`, `${k.literal('u32', 0xffffffff)} << ${by}`);
    k.assign(`${budgets}[${k.thread}]`, remaining);
    k.assign(`${spares}[${k.thread}]`, `${here} - ${remaining}`);
  }
  function collect(tile: string, inTile: string): void {
    const cursor = k.var('cursor', 'i32');
    const isOpen = k.var('is_open', 'i32', k.i32(1));
    k.while(`${isOpen} != 0`, () => {
      k.if(isRowThread, () => {
        k.while(`${cursor} < ${inTile} && ${length} < ${keyTile}`, () => {
          const score = k.let('candidate_score', 'f32', scoreAt(k.thread, cursor));
          k.if(`${score} > ${k.f32(leastMaximum)}`, () => take(score, `${tile} + ${cursor}`));
          k.add(cursor, '1');
        });
        k.assign(`${lengths}[${k.thread}]`, length);
        k.assign(`${unfinished}[${k.thread}]`, `${inTile} - ${cursor}`);
      });
      k.assign(isOpen, anyAboveZero(unfinished));
      k.comment('a list is full, or this is the end');
      k.if(`${isOpen} != 0 || ${tile} + ${keyTile} >= ${count}`, () => {
        frame.attendLists({
          length: (row) => `${lengths}[${row}]`,
          key: (row, number) => k.cast('i32', atomic.load(`${bins}[${row} * ${keyTile} + ${number}]`)),
          keys: selection.keys,
          values: selection.values,
        });
        k.assign(length, '0');
      });
    });
  }
  function take(score: string, candidate: string): void {
    const bits = k.let('bits', 'u32', `${order}(${score}) & ${masks}[${k.thread}]`);
    const prefix = k.let('prefix', 'u32', `${prefixes}[${k.thread}]`);
    const isTaken = `${bits} > ${prefix} || (${bits} == ${prefix} && ${ties} < ${budgets}[${k.thread}])`;
    k.if(
      isTaken,
      () => {
        k.statement(atomic.store(`${bins}[${k.thread} * ${keyTile} + ${length}]`, k.cast('u32', candidate)));
        k.add(length, '1');
        k.add(ties, k.select(`${bits} == ${prefix}`, '1', '0'));
      },
      restScores === null
        ? undefined
        : () => {
            const raised = k.let('raised', 'f32', k.call('max', restMaximum, score));
            const before = `${restTotal} * ${k.call('exp', `${restMaximum} - ${raised}`)}`;
            k.assign(restTotal, `${before} + ${k.call('exp', `${score} - ${raised}`)}`);
            k.assign(restMaximum, raised);
          },
    );
  }
}
