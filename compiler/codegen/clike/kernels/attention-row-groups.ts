/**
 * Attention in f32 by row groups, four queries each. After a tile of keys is scored (AttentionFrame), the same lanes share out the
 * columns of the values, as vec4s, and where they are more than those, the keys. So each thread holds the running maximum of its four
 * queries (equal in all lanes), the sum of the weights that it computed itself, and sums of values for its queries and columns.
 */
import type { AttentionKernel } from '../../../kernel/kernel.ts';
import type { KernelBuilder } from '../kernel-builder.ts';
import { rowVector, type Rows } from '../rows.ts';
import {
  AttentionFrame,
  indices,
  leastMaximum,
  unseen,
  type KeyLists,
  type KeyRows,
  type ListedKeys,
} from './attention-frame.ts';
import { groupRows } from './attention-layout.ts';
import type { TilePlace } from './attention-places.ts';

export class RowGroupFrame extends AttentionFrame {
  readonly queries: Rows;
  readonly firstRow: string;
  readonly rowOffsets = indices(groupRows);

  readonly #columnLane: string;
  readonly #split: string;
  /** vec4 [rowGroups][keyTile]. */
  readonly #weights: string;
  /** vec4s of the thread: running maximum of its queries, and the sum of the weights that it computed. */
  readonly #maximum: string;
  readonly #total: string;
  /** vec4s [row of the group][columns of the thread]. */
  readonly #sums: readonly (readonly string[])[];

  constructor(k: KernelBuilder, kernel: AttentionKernel, place: TilePlace) {
    super(k, kernel, place);
    const { keyTile, rowGroups, columnLanes, columnsPerLane, splits } = this.layout;
    this.firstRow = `${this.rowGroup} * ${groupRows}`;
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

  attend(rows: KeyRows): void {
    const { k, kernel, layout, queries } = this;
    k.for('tile', rows.first, rows.end, k.i32(layout.keyTile), (tile) => {
      const count = k.let('count', 'i32', k.call('min', k.i32(layout.keyTile), `${rows.end} - ${tile}`));
      const products = this.scoreTile({ queries, keys: rows.keys }, tile, count);
      products.forEach((score, index) => {
        const number = this.keyInTile(index);
        // What is beyond the tile is not read, where a rule reads something.
        const own = rows.bias || rows.keyIsSeen ? k.call('min', number, `${count} - 1`) : number;
        const key = k.let('key', 'i32', `${tile} + ${own}`);
        const bias = rows.bias && k.call('max', rows.bias(key), k.f32(unseen));
        const scaled = `${score} * ${k.f32(kernel.scale)}`;
        k.assign(score, bias === undefined ? scaled : `${scaled} + ${k.vector('vec4<f32>', bias)}`);
        this.#hide(score, key, `${number} < ${count}`, rows);
      });
      this.#mergeTile(products, count, (number) => rows.values.start(`(${tile} + ${number})`), rows.values);
    });
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
  prepareListed(): void {
    // Queries are staged with the keys.
  }
  attendListed({ count, keys, values, isSeen }: ListedKeys): void {
    const { k, kernel, queries } = this;
    const scores = this.scoreTile({ queries, keys }, '0', count);
    scores.forEach((score, index) => {
      const number = this.keyInTile(index);
      const isInside = k.let('is_inside', 'bool', `${number} < ${count}`);
      const sees = isSeen?.(number);
      const lanes = indices(groupRows).map((row) => {
        const seen = sees ? `${isInside} && ${sees(row)}` : isInside;
        return k.select(seen, `${k.lane(score, row)} * ${k.f32(kernel.scale)}`, k.f32(unseen));
      });
      k.assign(score, k.vector('vec4<f32>', ...lanes));
    });
    this.#mergeTile(scores, count, (number) => values.start(number), values);
  }
  attendScored(scores: string, value: Rows): void {
    const { k } = this;
    const rows = indices(groupRows).map((row) => `${scores}[${this.rowGroup} * ${groupRows} + ${row}]`);
    const none = k.vector('vec4<f32>', k.f32(unseen));
    const score = k.let('rest_score', 'vec4<f32>', k.select(`${this.lane} == 0`, k.vector('vec4<f32>', ...rows), none));
    this.#mergeTile([score], k.i32(1), (number) => value.start(number), value);
    k.barrier();
  }
  ownRows(values: readonly string[]): readonly string[] {
    return values;
  }

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
      this.#mergeTile(scores, length, (number) => lists.values.start(lists.key(row, number)), lists.values);
      k.barrier();
    });
  }

  /**
   * One step of online softmax: scores of the thread's keys of a tile (vec4 variables, `unseen` where a query does not see the key)
   * become weights. `value(number)` is the element at which the value of key `number` of the tile begins.
   */
  #mergeTile(scores: readonly string[], count: string, value: (number: string) => string, values: Rows): void {
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
  softmaxSoFar(): { readonly maximum: string; readonly total: string } {
    return { maximum: this.#maximum, total: this.reduceOverLanes('total_so_far', this.#total, (a, b) => `${a} + ${b}`) };
  }
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
          this.storeResult(k.let('place', 'i32', place), `${sum} * ${k.lane(inverse, row)}`, column);
        });
      }),
    );
    if (kernel.logSumExp) this.#storeLogSumExp(total);
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
