/**
 * What the segments of an attention kernel share. A workgroup has a tile of queries of one head at a time, and keeps their running softmax
 * (Milakov and Gimelshein, arXiv:1805.02867) over all segments in registers; how its threads share that out is for the frames of
 * attention-row-groups.ts and, on tensor cores, of codegen/cuda.
 *
 * Scores that something is chosen by are the same in all of them: every row group, four queries, has `lanes` threads. Of a tile of
 * keys, lane l scores the keys l, l + lanes, ...; a score is a vec4, a component for each of the four queries.
 */
import type { AttentionKernel, TokenRange } from '../../../kernel/kernel.ts';
import type { KernelBuilder } from '../kernel-builder.ts';
import { rowVector, type Rows } from '../rows.ts';
import { attentionLayout, groupRows, type AttentionLayout } from './attention-layout.ts';
import type { TilePlace } from './attention-places.ts';

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
  /** Whether `prepareListed` has been written in this scope or one around it: it need not be again. */
  readonly isPrepared?: boolean;
  /** Keys [first, end), the same for all threads. */
  readonly first: string;
  readonly end: string;
  readonly keys: Rows;
  readonly values: Rows;
  /** f32, added to the score; may be -inf. */
  bias?(key: string): string;
  /** Whether the queries may see the key at all. */
  keyIsSeen?(key: string): string;
  /** Whether the thread's query `row`, a number of AttentionFrame.rowOffsets, sees the key. */
  rowSees?(key: string, row: number): string;
  /** Whether all queries of the tile see all of the keys [from, to) by `rowSees`, the same for all threads. */
  allSeen?(from: string, to: string): string;
}
/** Keys of one tile, which lie anywhere: `keys.start` and `values.start` get the number of a key in the tile. */
export interface ListedKeys {
  /** At most keyTile, at least one; the same for all threads. */
  readonly count: string;
  readonly keys: Rows;
  readonly values: Rows;
  /** Of a key by its number: whether the thread's query `row` sees it. Null: all queries see all of them. */
  readonly isSeen: ((number: string) => (row: number) => string) | null;
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
export abstract class AttentionFrame {
  readonly k: KernelBuilder;
  readonly kernel: AttentionKernel;
  readonly layout: AttentionLayout;
  /** The same for all threads, i32: batch row, head, its KV head, the first query of the tile, and how many it has. */
  readonly batch: string;
  readonly head: string;
  readonly keyHead: string;
  readonly firstQuery: string;
  readonly rows: string;
  /** Of the thread, i32, for scores: it has the queries 4 * rowGroup + 0 to 3 of the tile. */
  readonly rowGroup: string;
  readonly lane: string;
  /** The segment that is being written. */
  protected segment = 0;
  /** The queries of the tile, by number in the tile; those beyond `rows` repeat the last. */
  abstract readonly queries: Rows;
  /** Of the thread, for attention: it has the queries firstRow + rowOffsets[0], firstRow + rowOffsets[1], ... of the tile. */
  abstract readonly firstRow: string;
  abstract readonly rowOffsets: readonly number[];

  constructor(k: KernelBuilder, kernel: AttentionKernel, place: TilePlace) {
    this.k = k;
    this.kernel = kernel;
    this.layout = attentionLayout(kernel);
    const { queryTile, lanes } = this.layout;
    const [heads, keyHeads, queries] = [k.size('heads'), k.size('key_heads'), k.size('queries')];
    this.batch = k.let('batch', 'i32', `${place.head} / ${heads}`);
    this.head = k.let('head', 'i32', `${place.head} % ${heads}`);
    this.keyHead = k.let('key_head', 'i32', `${this.head} / (${heads} / ${keyHeads})`);
    this.firstQuery = k.let('first_query', 'i32', `${place.tile} * ${queryTile}`);
    this.rows = k.let('rows', 'i32', k.call('min', k.i32(queryTile), `${queries} - ${this.firstQuery}`));
    this.rowGroup = k.let('row_group', 'i32', `${k.thread} / ${lanes}`);
    this.lane = k.let('lane', 'i32', `${k.thread} % ${lanes}`);
  }

  /** Before a segment is written: its number. */
  begin(segment: number): void {
    this.segment = segment;
  }
  /** Attends to all keys [first, end), a tile at a time. */
  abstract attend(rows: KeyRows): void;
  /** Before attendListed, in its scope or one around it: loads what is the same for all tiles of keys. */
  abstract prepareListed(): void;
  /** Attends to the keys of one tile. */
  abstract attendListed(listed: ListedKeys): void;
  /**
   * Attends to keys of its own for every query, at most keyTile of each: `length(row)` of row `row` of the tile, which `key(row,
   * number)` gives. `keys` and `values` hold at least one row.
   */
  abstract attendLists(lists: KeyLists): void;
  /** Attends to one key that all queries see, each with a score of its own: the shared array `scores` has them. */
  abstract attendScored(scores: string, value: Rows): void;
  /** From values of the four queries that the thread scores to those of the queries that it attends with. */
  abstract ownRows(values: readonly string[], type: 'f32' | 'i32'): readonly string[];
  /**
   * What the queries that the thread scores hold of all keys so far, vec4s: the largest score, and the sum of the exponentials of
   * what scores are less. Holds barriers, and needs one before it, as reduceOverLanes does.
   */
  abstract softmaxSoFar(): { readonly maximum: string; readonly total: string };
  /** Writes the results of the tile. */
  abstract finish(): void;

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

  /** Number within its tile of the thread's key `index`. */
  keyInTile(index: number): string {
    return index === 0 ? this.lane : `(${this.lane} + ${index * this.layout.lanes})`;
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
    k.unrollAtMost(1);
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
      k.unrollAtMost(2);
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

  /** vec4s, in use by `scoreTile` only: at least rowGroups * keyTile where keys are ranked. */
  stagedKeys(): string {
    const { rowGroups, keyTile } = this.layout;
    const ranks = this.kernel.segments.some(({ kind }) => kind === 'ranked');
    return this.k.sharedOnce('staged_keys', 'vec4<f32>', Math.max(stagedParts * (keyTile + 2), ranks ? rowGroups * keyTile : 0));
  }

  /**
   * Combines a vec4 of so many threads side by side, those of a row group unless said, in their order; gives the name of a variable
   * with what all of them get. They may still be reading when it ends: before the next one there has to be a barrier.
   */
  reduceOverLanes(wanted: string, value: string, combine: (a: string, b: string) => string, lanes = this.layout.lanes): string {
    const { k } = this;
    const { threads } = this.layout;
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
    return over(exchangedBlocks, `${k.thread} / ${lanes} * ${blocks}`, blocks);
  }

  /** Stores four columns of a result from `column` on, a multiple of four that is in the row, to a place in the result. */
  storeResult(place: string, value: string, column: string): void {
    const { k, kernel } = this;
    const result = k.operand('result');
    if (kernel.valueSize % 4 === 0) return result.storeVector(place, value);
    const vector = k.let('lanes', 'vec4<f32>', value);
    for (const lane of [0, 1, 2, 3])
      k.if(`${column} + ${lane} < ${kernel.valueSize}`, () => result.store(`${place} + ${lane}`, k.lane(vector, lane)));
  }
}
export function indices(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}
