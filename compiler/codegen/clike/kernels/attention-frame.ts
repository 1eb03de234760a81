/**
 * What the segments of an attention kernel share. One workgroup has a tile of queries of one head, and keeps their running softmax
 * (Milakov and Gimelshein, arXiv:1805.02867) over all segments in registers.
 *
 * Every row group, four queries, has `lanes` threads. Of a tile of keys, lane l scores the keys l, l + lanes, ...; a score is a
 * vec4, a component for each of the four queries. Then the same lanes share out the columns of the values, as vec4s, and where
 * they are more than those, the keys. So each thread holds the running maximum of its four queries (equal in all lanes), the sum
 * of the weights that it computed itself, and sums of values for its queries and columns.
 */
import type { AttentionKernel, TokenRange } from '../../../kernel/kernel.ts';
import type { KernelBuilder } from '../kernel-builder.ts';
import { rowVector, type Rows } from '../rows.ts';
import { attentionLayout, groupRows, type AttentionLayout } from './attention-layout.ts';

/** vec4s of a row that are staged in shared memory at a time. */
const stagedParts = 4;
/** Values that a thread combines in one step of a reduction; more lanes take two steps. */
const reductionRadix = 16;

/**
 * The score of a key that is not seen: its weight is 0, since no running maximum falls below half of it. Both lie far from the
 * largest float, so that what a bias of -inf is taken for can still be added to.
 */
export const unseen = -1e38;
export const leastMaximum = unseen / 2;

/** Keys and values that the queries of the tile share, and what limits them. Expressions; `key` is the number of a key, i32. */
export interface KeyRows {
  /** Keys [first, end), the same for all threads. */
  readonly first: string;
  readonly end: string;
  readonly keys: Rows;
  readonly values: Rows;
  /** f32, added to the score; may be -inf. */
  bias?(key: string): string;
  /** Whether the queries may see the key at all. */
  keyIsSeen?(key: string): string;
  /** Whether query `row` (0 to 3) of the thread's row group sees the key. */
  rowSees?(key: string, row: number): string;
}
/** Keys that every query of the tile has for itself. Expressions, i32. */
export interface KeyLists {
  length(row: string): string;
  key(row: string, number: string): string;
  readonly keys: Rows;
  readonly values: Rows;
}
export interface ScoreOperands {
  /** Rows of the tile, by number in the tile. */
  readonly queries: Rows;
  readonly keys: Rows;
}

/**
 * What a segment is given. It writes its code where its turn is; every method that writes loops holds barriers, so that all threads
 * of the workgroup have to come there: conditions and loops around it must be uniform. Between two segments nothing in shared
 * memory is in use, and the next write to what a method has read is behind a barrier of its own.
 */
export class AttentionFrame {
  readonly k: KernelBuilder;
  readonly kernel: AttentionKernel;
  readonly layout: AttentionLayout;
  /** The same for all threads, i32: batch row, head, its KV head, the first query of the tile, and how many it has. */
  readonly batch: string;
  readonly head: string;
  readonly keyHead: string;
  readonly firstQuery: string;
  readonly rows: string;
  /** Of the thread, i32: it has the queries 4 * rowGroup + 0 to 3 of the tile. */
  readonly rowGroup: string;
  readonly lane: string;
  /** The queries of the tile, by number in the tile; those beyond `rows` repeat the last. */
  readonly queries: Rows;

  readonly #columnLane: string;
  readonly #split: string;
  /** vec4 [rowGroups][keyTile]. */
  readonly #weights: string;
  /** vec4s of the thread: running maximum of its queries, and the sum of the weights that it computed. */
  readonly #maximum: string;
  readonly #total: string;
  /** vec4s [row of the group][columns of the thread]. */
  readonly #sums: readonly (readonly string[])[];

  constructor(k: KernelBuilder, kernel: AttentionKernel) {
    this.k = k;
    this.kernel = kernel;
    this.layout = attentionLayout(kernel);
    const { queryTile, keyTile, rowGroups, lanes, columnLanes, columnsPerLane, splits } = this.layout;
    const [heads, keyHeads, queries] = [k.size('heads'), k.size('key_heads'), k.size('queries')];
    const tiles = k.let('tiles', 'i32', k.ceilDivide(queries, queryTile));
    this.batch = k.let('batch', 'i32', `${k.item} / (${tiles} * ${heads})`);
    this.head = k.let('head', 'i32', `${k.item} / ${tiles} % ${heads}`);
    this.keyHead = k.let('key_head', 'i32', `${this.head} / (${heads} / ${keyHeads})`);
    this.firstQuery = k.let('first_query', 'i32', `${k.item} % ${tiles} * ${queryTile}`);
    this.rows = k.let('rows', 'i32', k.call('min', k.i32(queryTile), `${queries} - ${this.firstQuery}`));
    this.rowGroup = k.let('row_group', 'i32', `${k.thread} / ${lanes}`);
    this.lane = k.let('lane', 'i32', `${k.thread} % ${lanes}`);
    this.#columnLane = k.let('column_lane', 'i32', `${this.lane} % ${columnLanes}`);
    this.#split = splits === 1 ? '0' : k.let('split', 'i32', `${this.lane} / ${columnLanes}`);
    this.queries = this.queryRows('query', kernel.headSize);
    this.#weights = k.shared('weights', 'vec4<f32>', rowGroups * keyTile);
    this.#maximum = k.var('maximum', 'vec4<f32>', k.vector('vec4<f32>', k.f32(leastMaximum)));
    this.#total = k.var('total', 'vec4<f32>');
    this.#sums = indices(groupRows).map((row) =>
      indices(columnsPerLane).map((column) => k.var(`sum_${row}_${column}`, 'vec4<f32>')),
    );
  }

  /** Where [batch, head] of an operand with the strides NAME_batch and NAME_head begins; gives the name of an i32. */
  headPlace(name: string, head: string): string {
    const { k } = this;
    return k.let(`${name}_start`, 'i32', `${this.batch} * ${k.size(`${name}_batch`)} + ${head} * ${k.size(`${name}_head`)}`);
  }
  /** Rows of keys or values: the KV head's of an operand with the strides NAME_batch, NAME_head and NAME_row. */
  keyRows(name: string, size: number): Rows {
    const start = this.headPlace(name, this.keyHead);
    return { operand: this.k.operand(name), size, start: (row) => `${start} + ${row} * ${this.k.size(`${name}_row`)}` };
  }
  /** Rows of the head of an operand with the strides NAME_batch, NAME_head and NAME_row that has one for each query, as `queries`. */
  queryRows(name: string, size: number): Rows {
    const { k, rows } = this;
    const start = this.headPlace(name, this.head);
    const row = (number: string): string => `(${this.firstQuery} + ${k.call('min', number, `${rows} - 1`)})`;
    return { operand: k.operand(name), size, start: (number) => `${start} + ${row(number)} * ${k.size(`${name}_row`)}` };
  }

  /** An i32 that is the same for all threads already, so that the language knows it; gives its name. */
  uniform(wanted: string, value: string): string {
    const { k } = this;
    const place = `${k.sharedOnce('broadcast', 'i32', 1)}[0]`;
    k.if(`${k.thread} == 0`, () => k.assign(place, value));
    return k.let(wanted, 'i32', k.dialect.uniformLoad(place));
  }
  /** Runs `body` where the batch row has a number of tokens inside the range; `tokens` is the operand that says it. */
  whereTokens(range: TokenRange | null, tokens: string, body: () => void): void {
    const { k } = this;
    if (range === null) return body();
    const { atLeast, below } = range;
    const count = this.uniform('tokens_here', k.operand(tokens).at(this.batch));
    const conditions = [
      ...(atLeast === undefined ? [] : [`${count} >= ${k.i32(atLeast)}`]),
      ...(below === undefined ? [] : [`${count} < ${k.i32(below)}`]),
    ];
    if (conditions.length === 0) return body();
    k.if(conditions.join(' && '), body);
  }

  /** Attends to all keys [first, end), a tile at a time. */
  attend(rows: KeyRows): void {
    const { k, kernel, layout, queries } = this;
    k.for('tile', rows.first, rows.end, k.i32(layout.keyTile), (tile) => {
      const count = k.let('count', 'i32', k.call('min', k.i32(layout.keyTile), `${rows.end} - ${tile}`));
      const products = this.scoreTile({ queries, keys: rows.keys }, tile, count);
      products.forEach((score, index) => {
        const key = k.let('key', 'i32', `${tile} + ${this.keyInTile(index)}`);
        const bias = rows.bias && k.call('max', rows.bias(key), k.f32(unseen));
        const scaled = `${score} * ${k.f32(kernel.scale)}`;
        k.assign(score, bias === undefined ? scaled : `${scaled} + ${k.vector('vec4<f32>', bias)}`);
        this.#hide(score, key, `${this.keyInTile(index)} < ${count}`, rows);
      });
      this.mergeTile(products, count, (number) => rows.values.start(`(${tile} + ${number})`), rows.values);
    });
  }
  /** Number within its tile of the thread's key `index`. */
  keyInTile(index: number): string {
    return index === 0 ? this.lane : `(${this.lane} + ${index * this.layout.lanes})`;
  }
  #hide(score: string, key: string, inside: string, { keyIsSeen, rowSees }: KeyRows): void {
    const { k } = this;
    // `&` and not `&&`: no branches, which there would be very many of
    const seen = keyIsSeen ? `(${inside}) & (${keyIsSeen(key)})` : inside;
    if (!rowSees) return k.assign(score, k.select(seen, score, k.vector('vec4<f32>', k.f32(unseen))));
    const keySeen = k.let('seen', 'bool', seen);
    const lanes = indices(groupRows).map((row) =>
      k.select(`${keySeen} & ${rowSees(key, row)}`, k.lane(score, row), k.f32(unseen)),
    );
    k.assign(score, k.vector('vec4<f32>', ...lanes));
  }

  /**
   * Products of the thread's queries with its keys of a tile, those at first + keyInTile(0), first + keyInTile(1), ...: names of
   * vec4 variables. Keys from `count` on repeat the last of the tile.
   */
  scoreTile({ queries, keys }: ScoreOperands, first: string, count: string): readonly string[] {
    const { k, layout } = this;
    const { queryTile, keyTile, lanes, threads, keysPerLane } = layout;
    const parts = Math.min(stagedParts, Math.ceil(keys.size / 4));
    // Two more rows than there are keep the threads that write the parts of a row in different banks.
    const [queryPitch, keyPitch] = [queryTile + 2, keyTile + 2];
    const stagedQueries = k.sharedOnce('staged_queries', 'vec4<f32>', stagedParts * queryPitch);
    const stagedKeys = this.stagedKeys();
    const within = keys.size % (parts * 4) === 0;
    const scores = indices(keysPerLane).map((index) => k.var(`score_${index}`, 'vec4<f32>'));
    k.for('column', '0', k.i32(keys.size), k.i32(parts * 4), (column) => {
      k.barrier();
      const stage = (into: string, pitch: number, rows: Rows, tile: number, start: (row: string) => string): void =>
        k.for('slot', k.thread, k.i32(tile * parts), k.i32(threads), (slot) => {
          const row = k.let('row', 'i32', `${slot} / ${parts}`);
          const part = k.let('part', 'i32', `${slot} % ${parts}`);
          const from = k.let('from', 'i32', start(row));
          const own = k.let('own_column', 'i32', `${column} + ${part} * 4`);
          k.assign(`${into}[${part} * ${pitch} + ${row}]`, rowVector(k, rows, from, own, within));
        });
      stage(stagedQueries, queryPitch, queries, queryTile, (row) => queries.start(row));
      stage(stagedKeys, keyPitch, keys, keyTile, (row) => keys.start(`(${first} + ${k.call('min', row, `${count} - 1`)})`));
      k.barrier();
      k.for('part', '0', k.i32(parts), '1', (part) => {
        const own = indices(groupRows).map((row) => {
          const place = `${part} * ${queryPitch} + ${this.rowGroup} * ${groupRows} + ${row}`;
          return k.let(`query_${row}`, 'vec4<f32>', `${stagedQueries}[${place}]`);
        });
        scores.forEach((score, index) => {
          const place = `${part} * ${keyPitch} + ${this.lane}${index === 0 ? '' : ` + ${index * lanes}`}`;
          const key = k.let('key', 'vec4<f32>', `${stagedKeys}[${place}]`);
          k.add(score, k.vector('vec4<f32>', ...own.map((query) => k.call('dot', query, key))));
        });
      });
    });
    return scores;
  }

  /** vec4s, at least rowGroups * keyTile: in use by `scoreTile` only. */
  stagedKeys(): string {
    const { rowGroups, keyTile } = this.layout;
    return this.k.sharedOnce('staged_keys', 'vec4<f32>', Math.max(stagedParts * (keyTile + 2), rowGroups * keyTile));
  }

  /**
   * Attends to keys of its own for every query, at most keyTile of each: `length(row)` of row `row` of the tile, which `key(row,
   * number)` gives. `keys` and `values` hold at least one row.
   */
  attendLists(lists: KeyLists): void {
    const { k, kernel, layout, queries } = this;
    k.comment('the row groups take their queries one by one');
    k.for('turn', '0', k.i32(groupRows), '1', (turn) => {
      const row = k.let('row', 'i32', `${this.rowGroup} * ${groupRows} + ${turn}`);
      const length = k.let('length', 'i32', lists.length(row));
      const listed = (number: string): string => k.select(`${number} < ${length}`, lists.key(row, number), '0');
      const own = indices(layout.keysPerLane).map((index) => {
        const start = k.let('key_start', 'i32', lists.keys.start(k.let('key', 'i32', listed(this.keyInTile(index)))));
        return { start, product: k.var('product', 'f32') };
      });
      const queryStart = k.let('query_start', 'i32', queries.start(row));
      k.for('column', '0', k.i32(kernel.headSize), '4', (column) => {
        const query = k.let('query', 'vec4<f32>', rowVector(k, queries, queryStart, column, true));
        for (const { start, product } of own) k.add(product, k.call('dot', query, rowVector(k, lists.keys, start, column, true)));
      });
      const scores = own.map(({ product }, index) => {
        const score = k.select(`${this.keyInTile(index)} < ${length}`, `${product} * ${k.f32(kernel.scale)}`, k.f32(unseen));
        const scalar = k.let('scalar', 'f32', score);
        const rows = indices(groupRows).map((number) => k.select(`${turn} == ${number}`, scalar, k.f32(unseen)));
        return k.let('score', 'vec4<f32>', k.vector('vec4<f32>', ...rows));
      });
      this.mergeTile(scores, length, (number) => lists.values.start(lists.key(row, number)), lists.values);
      k.barrier();
    });
  }

  /**
   * One step of online softmax: scores of the thread's keys of a tile (vec4 variables, `unseen` where a query does not see the key)
   * become weights. `value(number)` is the element at which the value of key `number` of the tile begins.
   */
  mergeTile(scores: readonly string[], count: string, value: (number: string) => string, values: Rows): void {
    const { k, layout } = this;
    const most = k.var(
      'tile_maximum',
      'vec4<f32>',
      scores.reduce((largest, score) => k.call('max', largest, score)),
    );
    this.#rescale(this.reduceOverLanes('group_maximum', most, (a, b) => k.call('max', a, b)));
    scores.forEach((score, index) => {
      const weight = k.let('weight', 'vec4<f32>', k.call('exp', `${score} - ${this.#maximum}`));
      k.add(this.#total, weight);
      k.assign(`${this.#weights}[${this.rowGroup} * ${layout.keyTile} + ${this.keyInTile(index)}]`, weight);
    });
    k.barrier();
    k.for('number', this.#split, count, k.i32(layout.splits), (number) => {
      const weight = k.let('weight', 'vec4<f32>', `${this.#weights}[${this.rowGroup} * ${layout.keyTile} + ${number}]`);
      const from = k.let('from', 'i32', value(number));
      indices(layout.columnsPerLane).forEach((index) => {
        const own = k.let(`value_${index}`, 'vec4<f32>', this.#valueVector(values, from, index));
        indices(groupRows).forEach((row) => k.add(this.#sumOf(row, index), `${k.lane(weight, row)} * ${own}`));
      });
    });
  }
  #sumOf(row: number, index: number): string {
    return this.#sums[row]?.[index] as string;
  }
  /** The thread's columns `index` of a value. */
  #valueVector(values: Rows, from: string, index: number): string {
    const { columns, columnLanes, columnsPerLane } = this.layout;
    return rowVector(this.k, values, from, this.#columnOf(index), columns === columnLanes * columnsPerLane);
  }
  #columnOf(index: number): string {
    const first = index === 0 ? this.#columnLane : `(${this.#columnLane} + ${index * this.layout.columnLanes})`;
    return `${first} * 4`;
  }
  /** Raises the running maximum to at least `maximum`, and scales what was summed up so far to it. */
  #rescale(maximum: string): void {
    const { k } = this;
    const raised = k.let('raised', 'vec4<f32>', k.call('max', this.#maximum, maximum));
    const factor = k.let('factor', 'vec4<f32>', k.call('exp', `${this.#maximum} - ${raised}`));
    k.assign(this.#maximum, raised);
    k.assign(this.#total, `${this.#total} * ${factor}`);
    this.#sums.forEach((own, row) => own.forEach((sum) => k.assign(sum, `${sum} * ${k.lane(factor, row)}`)));
  }

  /**
   * Combines a vec4 of all lanes of a row group, in the order of the lanes; gives the name of a variable with what all of them get.
   * The lanes may still be reading when it ends: before the next one there has to be a barrier.
   */
  reduceOverLanes(wanted: string, value: string, combine: (a: string, b: string) => string): string {
    const { k, layout } = this;
    const { lanes, threads } = layout;
    const radix = Math.min(lanes, reductionRadix);
    const exchanged = k.sharedOnce('lane_values', 'vec4<f32>', threads);
    k.assign(`${exchanged}[${k.thread}]`, value);
    k.barrier();
    const over = (array: string, first: string, count: number): string => {
      const start = k.let('start', 'i32', first);
      const result = k.var(wanted, 'vec4<f32>', `${array}[${start}]`);
      k.for('other', '1', k.i32(count), '1', (other) => k.assign(result, combine(result, `${array}[${start} + ${other}]`)));
      return result;
    };
    const block = over(exchanged, `${k.thread} / ${radix} * ${radix}`, radix);
    if (lanes === radix) return block;
    const blocks = lanes / radix;
    const exchangedBlocks = k.sharedOnce('block_values', 'vec4<f32>', threads / radix);
    k.if(`${k.thread} % ${radix} == 0`, () => k.assign(`${exchangedBlocks}[${k.thread} / ${radix}]`, block));
    k.barrier();
    return over(exchangedBlocks, `${this.rowGroup} * ${blocks}`, blocks);
  }

  /**
   * What the queries of the thread hold of all keys so far, vec4s: the largest score, and the sum of the exponentials of what scores
   * are less. Holds barriers, and needs one before it, as reduceOverLanes does.
   */
  softmaxSoFar(): { readonly maximum: string; readonly total: string } {
    return { maximum: this.#maximum, total: this.reduceOverLanes('total_so_far', this.#total, (a, b) => `${a} + ${b}`) };
  }

  /** Writes the results of the tile. */
  finish(): void {
    const { k, kernel, layout } = this;
    k.barrier();
    const total = this.reduceOverLanes('row_total', this.#total, (a, b) => `${a} + ${b}`);
    k.comment('a query that sees no key has a total of 0: zeros');
    const inverses = indices(groupRows).map((row) => {
      const own = k.lane(total, row);
      return k.select(`${own} > 0.0`, `1.0 / ${own}`, k.f32(0));
    });
    const inverse = k.let('inverse', 'vec4<f32>', k.vector('vec4<f32>', ...inverses));
    const exchanged = layout.splits === 1 ? null : k.sharedOnce('lane_values', 'vec4<f32>', layout.threads);
    const result = this.headPlace('result', this.head);
    this.#sums.forEach((own, row) =>
      own.forEach((sum, index) => {
        if (exchanged !== null) {
          k.barrier();
          k.assign(`${exchanged}[${k.thread}]`, sum);
          k.barrier();
        }
        const inTile = `${this.rowGroup} * ${groupRows} + ${row}`;
        const column = this.#columnOf(index);
        const alone = layout.splits === 1 ? [] : [`${this.#split} == 0`];
        k.if([...alone, `${inTile} < ${this.rows}`, `${column} < ${kernel.valueSize}`].join(' && '), () => {
          if (exchanged !== null)
            k.for('other', '1', k.i32(layout.splits), '1', (other) =>
              k.add(sum, `${exchanged}[${k.thread} + ${other} * ${layout.columnLanes}]`),
            );
          const place = `${result} + (${this.firstQuery} + ${inTile}) * ${k.size('result_row')} + ${column}`;
          this.#storeResult(k.let('place', 'i32', place), `${sum} * ${k.lane(inverse, row)}`, column);
        });
      }),
    );
    if (kernel.logSumExp) this.#storeLogSumExp(total);
  }
  #storeResult(place: string, value: string, column: string): void {
    const { k, kernel } = this;
    const result = k.operand('result');
    if (kernel.valueSize % 4 === 0) return result.storeVector(place, value);
    const vector = k.let('lanes', 'vec4<f32>', value);
    for (const lane of [0, 1, 2, 3])
      k.if(`${column} + ${lane} < ${kernel.valueSize}`, () => result.store(`${place} + ${lane}`, k.lane(vector, lane)));
  }
  #storeLogSumExp(total: string): void {
    const { k } = this;
    const start = this.headPlace('log_sum_exp', this.head);
    k.if(`${this.lane} == 0`, () =>
      indices(groupRows).forEach((row) => {
        const inTile = `${this.rowGroup} * ${groupRows} + ${row}`;
        k.if(`${inTile} < ${this.rows}`, () => {
          const own = k.lane(total, row);
          const logarithm = `${k.lane(this.#maximum, row)} + ${k.call('log', own)}`;
          const value = k.select(`${own} > 0.0`, logarithm, k.f32(-Infinity));
          k.operand('log_sum_exp').store(`${start} + ${this.firstQuery} + ${inTile}`, value);
        });
      }),
    );
  }
}
function indices(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}
