/**
 * Attention of at most four queries, in f32: reading keys and values is all that takes time. A few lanes side by side share a row of
 * them, sixteen bytes each, and go over keys of their own with a softmax of their own: no warp waits for another one until the end,
 * where what they have is put together in an order that does not change.
 */
import type { AttentionKernel } from '../../../kernel/kernel.ts';
import type { KernelBuilder } from '../../clike/kernel-builder.ts';
import {
  AttentionFrame,
  indices,
  leastMaximum,
  unseen,
  type KeyLists,
  type KeyRows,
  type ListedKeys,
} from '../../clike/kernels/attention-frame.ts';
import { groupRows } from '../../clike/kernels/attention-layout.ts';
import type { TilePlace } from '../../clike/kernels/attention-places.ts';
import { rowVector, type Rows } from '../../clike/rows.ts';

/** Lanes that share a row: 128 bytes, which memory hands over at once. */
const rowLanes = 8;
/** vec4s of keys that a thread has on their way from memory at once, and as many of values. */
const partsTogether = 4;
const warp = 32;

/** Keys [first, end) by number, the same for all threads. */
interface NumberedKeys {
  readonly first: string;
  readonly end: string;
  readonly keys: Rows;
  readonly values: Rows;
  bias?(number: string): string;
  /** Conditions under which query `row` sees the key, which exists. */
  sees(number: string, row: number): readonly string[];
}

export class DecodeFrame extends AttentionFrame {
  readonly queries: Rows;
  readonly firstRow = '0';
  readonly rowOffsets = indices(groupRows);

  /** Of the thread, i32: its part of a row, and the number of the lanes that share it. */
  readonly #rowLane: string;
  readonly #rowLanes: string;
  readonly #splits: number;
  /** vec4s of a row that a lane has. */
  readonly #keyParts: number;
  readonly #valueParts: number;
  /** Keys that the lanes of a row go over at once. */
  readonly #keysTogether: number;
  /** vec4s: of each query, equal in the lanes of a row. */
  readonly #maximum: string;
  readonly #total: string;
  /** vec4 [queries][parts]. */
  readonly #sums: readonly (readonly string[])[];
  #loaded: readonly (readonly string[])[] = [];

  constructor(k: KernelBuilder, kernel: AttentionKernel, place: TilePlace) {
    super(k, kernel, place);
    const partsOf = (size: number): number => Math.ceil(size / 4 / rowLanes);
    this.queries = this.queryRows('query', kernel.headSize);
    this.#rowLane = k.let('row_lane', 'i32', `${k.thread} % ${rowLanes}`);
    this.#rowLanes = k.let('split', 'i32', `${k.thread} / ${rowLanes}`);
    this.#splits = k.workgroupSize / rowLanes;
    this.#keyParts = partsOf(kernel.headSize);
    this.#valueParts = partsOf(kernel.valueSize);
    this.#keysTogether = Math.max(1, Math.floor(partsTogether / Math.max(this.#keyParts, this.#valueParts)));
    this.#maximum = k.var('maximum', 'vec4<f32>', k.vector('vec4<f32>', k.f32(leastMaximum)));
    this.#total = k.var('total', 'vec4<f32>');
    this.#sums = indices(groupRows).map((row) =>
      indices(this.#valueParts).map((part) => k.var(`sum_${row}_${part}`, 'vec4<f32>')),
    );
  }
  #column(part: number): string {
    return `(${this.#rowLane} + ${part * rowLanes}) * 4`;
  }
  #vector(rows: Rows, from: string, part: number): string {
    return rowVector(this.k, rows, from, this.#column(part), rows.size % (4 * rowLanes) === 0);
  }

  prepareListed(): void {
    const { k, queries } = this;
    this.#loaded = indices(groupRows).map((row) => {
      const from = k.let('query_row_start', 'i32', `opaque(${queries.start(String(row))})`);
      return indices(this.#keyParts).map((part) => k.let(`query_${row}_${part}`, 'vec4<f32>', this.#vector(queries, from, part)));
    });
  }
  attend(rows: KeyRows): void {
    if (!rows.isPrepared) this.prepareListed();
    const { bias, keyIsSeen, rowSees } = rows;
    this.#visit({
      ...rows,
      ...(bias ? { bias } : {}),
      sees: (key, row) => [...(keyIsSeen ? [`(${keyIsSeen(key)})`] : []), ...(rowSees ? [`(${rowSees(key, row)})`] : [])],
    });
  }
  attendListed({ count, keys, values, isSeen }: ListedKeys): void {
    this.#visit({
      ...{ first: '0', end: count, keys, values },
      sees: (number, row) => (isSeen ? [`(${isSeen(number)(row)})`] : []),
    });
  }
  attendLists({ length, key, keys, values }: KeyLists): void {
    const { k } = this;
    this.prepareListed();
    indices(groupRows).forEach((own) => {
      const listed = (rows: Rows): Rows => ({ ...rows, start: (number) => rows.start(`(${key(String(own), number)})`) });
      const end = k.let('length', 'i32', length(String(own)));
      const sees = (_: string, row: number): readonly string[] => (row === own ? [] : [k.literal('bool', 0)]);
      this.#visit({ first: '0', end, keys: listed(keys), values: listed(values), sees });
    });
    k.barrier();
  }

  #visit({ first, end, keys, values, bias, sees }: NumberedKeys): void {
    const { k, kernel } = this;
    k.unrollAtMost(1);
    k.for('tile', first, end, k.i32(this.#splits * this.#keysTogether), (tile) => {
      const own = indices(this.#keysTogether).map((index) => {
        const wanted = k.let('wanted_key', 'i32', `${tile} + ${index * this.#splits} + ${this.#rowLanes}`);
        const number = k.let('key', 'i32', k.call('min', wanted, `${end} - 1`));
        const from = k.let('key_from', 'i32', keys.start(number));
        const parts = indices(this.#keyParts).map((part) => k.let('key_part', 'vec4<f32>', this.#vector(keys, from, part)));
        return { number, inside: `(${wanted} < ${end})`, parts };
      });
      const scores = own.map(({ number, inside, parts }) => {
        const products = this.#loaded.map((query) =>
          parts.map((part, index) => k.call('dot', query[index] as string, part)).join(' + '),
        );
        const score = k.var('score', 'vec4<f32>', k.vector('vec4<f32>', ...products));
        for (let mask = 1; mask < rowLanes; mask *= 2) this.#exchangeAndAdd(score, mask);
        const scaled = `${score} * ${k.f32(kernel.scale)}`;
        const added = bias && k.vector('vec4<f32>', k.call('max', bias(number), k.f32(unseen)));
        k.assign(score, added === undefined ? scaled : `${scaled} + ${added}`);
        const rows = indices(groupRows).map((row) =>
          k.select([inside, ...sees(number, row)].join(' & '), k.lane(score, row), k.f32(unseen)),
        );
        k.assign(score, k.vector('vec4<f32>', ...rows));
        return score;
      });
      this.#raise(scores.reduce((a, b) => k.call('max', a, b)));
      scores.forEach((score, index) => {
        const weight = k.let('weight', 'vec4<f32>', k.call('exp', `${score} - ${this.#maximum}`));
        this.#add(weight, values, k.let('value_from', 'i32', values.start(own[index]?.number ?? '')));
      });
    });
  }
  /** Of each lane of a vec4: adds what the thread `mask` further has. */
  #exchangeAndAdd(vector: string, mask: number): void {
    const { k } = this;
    for (const lane of indices(4)) k.add(k.lane(vector, lane), k.dialect.subgroup.exchange(k.lane(vector, lane), `${mask}u`));
  }
  #raise(most: string): void {
    const { k } = this;
    const raised = k.let('raised', 'vec4<f32>', k.call('max', this.#maximum, most));
    const factor = k.let('factor', 'vec4<f32>', k.call('exp', `${this.#maximum} - ${raised}`));
    k.assign(this.#maximum, raised);
    k.assign(this.#total, `${this.#total} * ${factor}`);
    this.#scale(factor);
  }
  #scale(factor: string): void {
    const { k } = this;
    this.#sums.forEach((own, row) => own.forEach((sum) => k.assign(sum, `${sum} * ${k.lane(factor, row)}`)));
  }
  #add(weight: string, values: Rows, from: string): void {
    const { k } = this;
    k.add(this.#total, weight);
    indices(this.#valueParts).forEach((part) => {
      const value = k.let('value_part', 'vec4<f32>', this.#vector(values, from, part));
      this.#sums.forEach((own, row) => k.add(own[part] as string, `${k.lane(weight, row)} * ${value}`));
    });
  }

  attendScored(scores: string, value: Rows): void {
    const { k } = this;
    const rows = indices(groupRows).map((row) => `${scores}[${row}]`);
    k.if(`${this.#rowLanes} == 0`, () => {
      const score = k.let('rest_score', 'vec4<f32>', k.vector('vec4<f32>', ...rows));
      this.#raise(score);
      const weight = k.let('weight', 'vec4<f32>', k.call('exp', `${score} - ${this.#maximum}`));
      this.#add(weight, value, k.let('value_from', 'i32', value.start('0')));
    });
    k.barrier();
  }
  ownRows(values: readonly string[]): readonly string[] {
    return values;
  }

  softmaxSoFar(): { readonly maximum: string; readonly total: string } {
    const { k } = this;
    const warps = k.workgroupSize / warp;
    const exchange = (vector: string, mask: number): string =>
      k.vector('vec4<f32>', ...indices(4).map((lane) => k.dialect.subgroup.exchange(k.lane(vector, lane), `${mask}u`)));
    const most = k.var('warp_maximum', 'vec4<f32>', this.#maximum);
    for (let mask = rowLanes; mask < warp; mask *= 2) k.assign(most, k.call('max', most, exchange(most, mask)));
    const sum = k.var('warp_total', 'vec4<f32>', `${this.#total} * ${k.call('exp', `${this.#maximum} - ${most}`)}`);
    for (let mask = rowLanes; mask < warp; mask *= 2) this.#exchangeAndAdd(sum, mask);
    const maxima = k.sharedOnce('warp_maxima', 'vec4<f32>', warps);
    const totals = k.sharedOnce('warp_totals', 'vec4<f32>', warps);
    k.if(`${k.thread} % ${warp} == 0`, () => {
      k.assign(`${maxima}[${k.thread} / ${warp}]`, most);
      k.assign(`${totals}[${k.thread} / ${warp}]`, sum);
    });
    k.barrier();
    const all = indices(warps).map((index) => `${maxima}[${index}]`);
    const maximum = k.let(
      'maximum_so_far',
      'vec4<f32>',
      all.reduce((a, b) => k.call('max', a, b)),
    );
    const parts = all.map((own, index) => `${totals}[${index}] * ${k.call('exp', `${own} - ${maximum}`)}`);
    return { maximum, total: k.let('total_so_far', 'vec4<f32>', parts.join(' + ')) };
  }

  finish(): void {
    const { k, kernel } = this;
    k.barrier();
    const { maximum, total } = this.softmaxSoFar();
    k.comment('a query that sees no key has a total of 0: zeros');
    const inverses = indices(groupRows).map((row) => {
      const own = k.lane(total, row);
      return k.select(`${own} > 0.0`, `1.0 / ${own}`, k.f32(0));
    });
    const inverse = k.let('inverse', 'vec4<f32>', k.vector('vec4<f32>', ...inverses));
    this.#scale(k.let('factor', 'vec4<f32>', `${inverse} * ${k.call('exp', `${this.#maximum} - ${maximum}`)}`));
    const parts = rowLanes * this.#valueParts;
    const warps = k.workgroupSize / warp;
    const all = k.shared('warp_sums', 'vec4<f32>', warps * groupRows * parts);
    this.#sums.forEach((own, row) =>
      own.forEach((sum, part) => {
        for (let mask = rowLanes; mask < warp; mask *= 2) this.#exchangeAndAdd(sum, mask);
        const place = `(${k.thread} / ${warp} * ${groupRows} + ${row}) * ${parts} + ${this.#rowLane} + ${part * rowLanes}`;
        k.if(`${k.thread} % ${warp} < ${rowLanes}`, () => k.assign(`${all}[${place}]`, sum));
      }),
    );
    k.barrier();
    const start = this.headPlace('result', this.head);
    k.for('slot', k.thread, k.i32(groupRows * parts), k.i32(k.workgroupSize), (slot) => {
      const [row, column] = [k.let('row', 'i32', `${slot} / ${parts}`), k.let('column', 'i32', `${slot} % ${parts} * 4`)];
      const terms = indices(warps).map((index) => `${all}[${slot} + ${index * groupRows * parts}]`);
      const vector = k.let('row_part', 'vec4<f32>', terms.join(' + '));
      k.if(`${row} < ${this.rows} && ${column} < ${kernel.valueSize}`, () => {
        const place = k.let('place', 'i32', `${start} + (${this.firstQuery} + ${row}) * ${k.size('result_row')} + ${column}`);
        this.storeResult(place, vector, column);
      });
    });
    if (kernel.logSumExp) this.#storeLogSumExp(maximum, total);
  }
  #storeLogSumExp(maximum: string, total: string): void {
    const { k } = this;
    const start = this.headPlace('log_sum_exp', this.head);
    k.if(`${k.thread} == 0`, () =>
      indices(groupRows).forEach((row) =>
        k.if(`${row} < ${this.rows}`, () => {
          const value = `${k.lane(maximum, row)} + ${k.call('log', k.lane(total, row))}`;
          const stored = k.select(`${k.lane(total, row)} > 0.0`, value, k.f32(-Infinity));
          k.operand('log_sum_exp').store(`${start} + ${this.firstQuery} + ${row}`, stored);
        }),
      ),
    );
  }
}
