/**
 * The exact choice of the largest of many ranked clusters by some threads, for each of the queries that they score or for queries that
 * choose together: a threshold is searched by bisection of the integers that order as floats do, so that it takes at most 32 rounds.
 */
import type { FunctionDefinition } from '../code.ts';
import type { AttentionFrame } from './attention-frame.ts';

/** The ranking of what cannot be chosen; less than all others. */
export const absent = -3e38;

/** The bits of a float as an integer that orders as floats do, and back. */
const orderedInteger: FunctionDefinition = {
  name: 'ordered_integer',
  parameters: [{ name: 'x', type: 'f32' }],
  result: 'i32',
  body(code) {
    const bits = code.let('bits', 'i32', code.bitcast('i32', 'x'));
    code.return(`${bits} ^ ((${bits} >> 31u) & ${code.i32(0x7fffffff)})`);
  },
};
const orderedFloat: FunctionDefinition = {
  name: 'ordered_float',
  parameters: [{ name: 'key', type: 'i32' }],
  result: 'f32',
  body: (code) => code.return(code.bitcast('f32', `key ^ ((key >> 31u) & ${code.i32(0x7fffffff)})`)),
};

export interface Candidates {
  /** The ranking of candidate `index` for a chooser. */
  ranking(index: string, chooser: number): string;
  readonly count: string;
  /** i32: how many to choose at most. */
  readonly goal: string;
  /** Only those above it, for each chooser; f32. */
  readonly bounds: readonly string[];
  /** At least every ranking, for each chooser; f32. */
  readonly largest: readonly string[];
  /** Threads side by side that share out the candidates of the same choosers. */
  readonly lanes: number;
}
/** Chosen are those above the threshold, and those equal to it whose number is less than `end`. */
export interface Choice {
  /** f32. */
  readonly threshold: string;
  /** i32. */
  readonly end: string;
}
export function isChosen({ threshold, end }: Choice, ranking: string, index: string): string {
  return `(${ranking} > ${threshold} || (${ranking} == ${threshold} && ${index} < ${end}))`;
}

/**
 * The `goal` best of those above the bounds, ties to the lower number. One choice for each of the bounds, four at most. All threads of
 * the workgroup come here; every `lanes` of them share out the candidates and end up with the same choices.
 */
export function chooseLargest(
  frame: AttentionFrame,
  { ranking, count, goal, bounds, largest, lanes }: Candidates,
): readonly Choice[] {
  const { k } = frame;
  const groups = frame.layout.threads / lanes;
  const [group, lane] = [
    `${k.thread} / ${lanes}`,
    groups === 1 ? k.thread : k.let('choosing_lane', 'i32', `${k.thread} % ${lanes}`),
  ];
  const [toInteger, toFloat] = [k.use(orderedInteger), k.use(orderedFloat)];
  const counted = (condition: (ranked: string, index: string, chooser: number) => string): readonly string[] => {
    const own = k.var('own_count', 'vec4<f32>');
    k.for('index', lane, count, k.i32(lanes), (index) =>
      bounds.forEach((_, chooser) => {
        const ranked = k.let('ranked', 'f32', ranking(index, chooser));
        k.add(k.lane(own, chooser), k.select(condition(ranked, index, chooser), k.f32(1), k.f32(0)));
      }),
    );
    k.barrier();
    const all = frame.reduceOverLanes('all_counts', own, (a, b) => `${a} + ${b}`, lanes);
    return bounds.map((_, chooser) => k.let('counted', 'i32', k.cast('i32', k.lane(all, chooser))));
  };
  /** How many choosers of all threads a condition holds for; the same for all threads. */
  const howMany = (conditions: readonly string[]): string => {
    const flags = k.sharedOnce('pending', 'i32', Math.max(groups, frame.layout.rowGroups));
    const own = conditions.map((condition) => k.select(condition, k.i32(1), k.i32(0))).join(' + ');
    k.if(`${lane} == 0`, () => k.assign(`${flags}[${group}]`, own));
    k.barrier();
    return frame.uniform('how_many', Array.from({ length: groups }, (_, other) => `${flags}[${other}]`).join(' + '));
  };

  const atBounds = counted((ranked, _, chooser) => `${ranked} > ${bounds[chooser] ?? ''}`);
  const searches = bounds.map((bound, chooser) => ({
    threshold: k.var('threshold', 'f32', bound),
    /** Of those that equal the threshold, how many are chosen. */
    equals: k.var('equals', 'i32'),
    isDone: k.var('is_done', 'bool', `${atBounds[chooser] ?? ''} <= ${goal}`),
    // More than the goal are above low, no more than the goal above high: `above` of them.
    low: k.var('low', 'i32', `${toInteger}(${bound})`),
    high: k.var('high', 'i32', `${toInteger}(${largest[chooser] ?? ''})`),
    above: k.var('above', 'i32'),
  }));
  const pending = k.var('pending_choices', 'i32', howMany(searches.map(({ isDone }) => `!${isDone}`)));
  k.while(`${pending} > 0`, () => {
    const middles = searches.map(({ low, high }) => k.let('middle', 'i32', `(${low} & ${high}) + ((${low} ^ ${high}) >> 1u)`));
    const values = middles.map((middle) => k.let('middle_value', 'f32', `${toFloat}(${middle})`));
    const reached = counted((ranked, _, chooser) => `${ranked} > ${values[chooser] ?? ''}`);
    searches.forEach(({ threshold, equals, isDone, low, high, above }, chooser) => {
      const [middle = '', found = ''] = [middles[chooser], reached[chooser]];
      k.if(`!${isDone}`, () => {
        k.if(`${found} > ${goal}`, () => k.assign(low, middle));
        k.if(`${found} <= ${goal}`, () => {
          k.assign(high, middle);
          k.assign(above, found);
        });
        k.if(`${found} == ${goal} || ${low} + 1 >= ${high}`, () => {
          k.assign(isDone, k.literal('bool', 1));
          k.assign(threshold, `${toFloat}(${high})`);
          k.assign(equals, `${goal} - ${above}`);
        });
      });
    });
    k.assign(pending, howMany(searches.map(({ isDone }) => `!${isDone}`)));
  });

  const ends = bounds.map(() => k.var('end_of_equals', 'i32'));
  const tied = howMany(searches.map(({ equals }) => `${equals} > 0`));
  k.if(`${tied} > 0`, () => {
    k.comment('of those that equal the threshold, the first');
    const firsts = bounds.map(() => k.var('first', 'i32'));
    for (const end of ends) k.assign(end, count);
    const width = k.var('width', 'i32', count);
    k.while(`${width} > 1`, () => {
      const middles = firsts.map((first, chooser) => k.let('middle', 'i32', `(${first} + ${ends[chooser] ?? ''}) / 2`));
      const reached = counted(
        (ranked, index, chooser) => `${ranked} == ${searches[chooser]?.threshold ?? ''} && ${index} < ${middles[chooser] ?? ''}`,
      );
      searches.forEach(({ equals }, chooser) =>
        k.if(
          `${reached[chooser] ?? ''} >= ${equals}`,
          () => k.assign(ends[chooser] ?? '', middles[chooser] ?? ''),
          () => k.assign(firsts[chooser] ?? '', middles[chooser] ?? ''),
        ),
      );
      k.assign(width, `(${width} + 1) / 2`);
    });
    searches.forEach(({ equals }, chooser) => {
      const end = ends[chooser] ?? '';
      k.assign(end, k.select(`${equals} > 0`, end, k.i32(0)));
    });
  });
  return searches.map(({ threshold }, chooser) => ({ threshold, end: ends[chooser] ?? '' }));
}
