/**
 * Attention on tensor cores, in the manner of FlashAttention-2 (Dao, arXiv:2307.08691). Every warp has sixteen queries; S = Q K^T and
 * O = O + P V are mma.m16n8k16 of queries, keys, weights and values rounded to 16 bits, with f32 sums in registers, where the online
 * softmax stays too: the accumulators of S become the left side of P V in place. What is added up, compared or exponentiated is f32.
 *
 * A tile of keys and one of values lie in shared memory. While one is multiplied by, the next one is on its way from global memory to
 * registers: keys during softmax and P V, values during Q K^T.
 *
 * Scores that clusters or keys are chosen by are those of AttentionFrame, in f32: a choice is the interpreter's.
 */
import type { AttentionKernel, ResidentSegment } from '../../../kernel/kernel.ts';
import type { KernelBuilder } from '../../clike/kernel-builder.ts';
import { AttentionFrame, unseen, type KeyLists, type KeyRows, type ListedKeys } from '../../clike/kernels/attention-frame.ts';
import { groupRows } from '../../clike/kernels/attention-layout.ts';
import type { TilePlace } from '../../clike/kernels/attention-places.ts';
import type { Rows } from '../../clike/rows.ts';
import { SharedTile, unrolled } from './shared-tile.ts';
import { tensorLayout, type TensorLayout } from './tensor-layout.ts';
import { attendLists, attendScored } from './tensor-lists.ts';
import { finishTile } from './tensor-results.ts';
import { rowOffsets, TensorSoftmax } from './tensor-softmax.ts';

/** Of a key by its number in the tile: whether the thread's query `row` sees it. */
type RowRule = (number: string) => (row: number) => string;
/** What hides keys of a tile. */
interface TileRules {
  /** Of a key that exists, by its number in the tile: what is added to its score, `unseen` where no query sees it. Null: nothing. */
  readonly bias: ((number: string) => string) | null;
  readonly rule: RowRule | null;
  /** Where it holds, the rule hides nothing. */
  readonly allSeen?: string;
}

/** A tile of keys in shared memory: where its keys, values and biases lie, and `N + ` for the number of its first there. */
interface PlacedTile {
  readonly keys: SharedTile;
  readonly values: SharedTile;
  readonly biases: string;
  readonly first: string;
}
interface Resident extends Omit<PlacedTile, 'first'> {
  readonly segment: number;
  readonly count: number;
  readonly isFirst: string;
}
function residentOf(
  k: KernelBuilder,
  { headSize, valueSize }: AttentionKernel,
  { multiply, paddedHead, paddedValue }: TensorLayout,
  { segment, keys: count }: ResidentSegment,
  { isFirst }: TilePlace,
): Resident {
  const tile = (name: string, size: number, padded: number): SharedTile =>
    new SharedTile(k, name, { rows: count, size, padded, multiply, isAhead: false });
  const [keys, values] = [tile('resident_key', headSize, paddedHead), tile('resident_value', valueSize, paddedValue)];
  return { segment, count, isFirst, keys, values, biases: k.shared('resident_biases', 'f32', count) };
}

export class TensorFrame extends AttentionFrame {
  readonly queries: Rows;
  readonly firstRow: string;
  readonly rowOffsets = rowOffsets;

  readonly #layout: TensorLayout;
  readonly #softmax: TensorSoftmax;
  readonly #keys: SharedTile;
  readonly #values: SharedTile;
  /** Where the keys of one segment stay for all tiles of queries, with their biases. */
  readonly #resident: Resident | null;
  /** Shared f32 [keyTile], in units of log 2, and what the thread has of the next tile. */
  readonly #biases: string;
  readonly #bias: string;
  /** u32 [steps][4]: the thread's queries as left sides, as they were loaded last. */
  #fragments = '';
  /** Of the thread: rows and chunks that it reads of a tile of keys, and of values. */
  readonly #reads: { readonly [K in 'keys' | 'values']: { readonly row: string; readonly half: string; readonly low: string } };

  constructor(k: KernelBuilder, kernel: AttentionKernel, place: TilePlace) {
    super(k, kernel, place);
    const layout = (this.#layout = tensorLayout(kernel));
    const { multiply, isAhead, keyTile, warpKeys, paddedHead, paddedValue } = layout;
    this.queries = this.queryRows('query', kernel.headSize);
    const softmax = (this.#softmax = new TensorSoftmax(k, layout));
    this.firstRow = softmax.firstRow;
    this.#keys = new SharedTile(k, 'key', { rows: keyTile, size: kernel.headSize, padded: paddedHead, multiply, isAhead });
    this.#values = new SharedTile(k, 'value', { rows: keyTile, size: kernel.valueSize, padded: paddedValue, multiply, isAhead });
    this.#biases = k.shared('key_biases', 'f32', keyTile);
    const { resident } = kernel.schedule;
    this.#resident = resident === undefined ? null : residentOf(k, kernel, layout, resident, place);
    this.#bias = k.var('key_bias', 'f32');
    const low = k.let('low_row', 'i32', `${softmax.warpLane} & 7`);
    const firstKey = softmax.keyWarp === '0' ? '' : `${softmax.keyWarp} * ${warpKeys} + `;
    const [eights, sixteens] = [`(${softmax.warpLane} / 8) % 2`, `${softmax.warpLane} / 16`];
    // Lanes 0 to 7 name the rows of the first 8 x 8 matrix of ldmatrix.x4, the next ones those of the next (PTX ISA, 9.7.15.5.15).
    this.#reads = {
      keys: { row: k.let('key_row', 'i32', `${firstKey}${sixteens} * 8 + ${low}`), half: k.let('key_half', 'i32', eights), low },
      values: {
        row: k.let('value_row', 'i32', `${firstKey}${eights} * 8 + ${low}`),
        half: k.let('value_half', 'i32', sixteens),
        low,
      },
    };
  }

  /** Loads left sides of Q K^T: of each step of sixteen columns two of the thread's first row, two of its second, and the same eight further. */
  prepareListed(): void {
    const { k, kernel, queries } = this;
    const { paddedHead, multiply } = this.#layout;
    const name = k.name('query_parts');
    k.statement(`u32 ${name}[${paddedHead / 16}][4]`);
    const starts = rowOffsets.map((offset) =>
      k.let('query_row_start', 'i32', `opaque(${queries.start(`(${this.firstRow} + ${offset})`)})`),
    );
    unrolled(k, 'step', paddedHead / 16, (step) => {
      const column = k.let('column', 'i32', `${step} * 16 + ${this.#softmax.quadLane} * 2`);
      const element = (start: string, further: number): string => {
        const own = further === 0 ? column : `(${column} + ${further})`;
        if (paddedHead === kernel.headSize) return queries.operand.at(`${start} + ${own}`);
        const inside = k.call('min', own, k.i32(kernel.headSize - 1));
        return k.select(`${own} < ${kernel.headSize}`, queries.operand.at(`${start} + ${inside}`), k.f32(0));
      };
      [0, 8].forEach((further, half) =>
        starts.forEach((start, row) => {
          const packed = `pack_${multiply}(${element(start, further)}, ${element(start, further + 1)})`;
          k.assign(`${name}[${step}][${2 * half + row}]`, packed);
        }),
      );
    });
    this.#fragments = name;
  }

  attend(rows: KeyRows): void {
    const { k, layout } = this;
    const { keyTile } = layout;
    const { first, end } = rows;
    const countFrom = (tile: string): string => k.let('count', 'i32', k.call('min', k.i32(keyTile), `${end} - ${tile}`));
    if (!rows.isPrepared) this.prepareListed();
    if (this.#resident?.segment === this.segment) return this.#attendResident(rows, this.#resident);
    if (this.#layout.isAhead) return this.#attendAhead(rows, countFrom);
    k.for('tile', first, end, k.i32(keyTile), (tile) => {
      const count = countFrom(tile);
      const within = (from: Rows): Rows => ({ ...from, start: (number) => from.start(`(${tile} + ${number})`) });
      this.#attendTile(count, within(rows.keys), within(rows.values), {
        bias: (number) => this.#biasOf(rows, `(${tile} + ${number})`),
        ...this.#rulesOf(rows, tile, count),
      });
    });
  }
  attendListed({ count, keys, values, isSeen }: ListedKeys): void {
    const { k } = this;
    const rule: RowRule | null = isSeen && ((number) => isSeen(k.call('min', number, `${count} - 1`)));
    this.#attendTile(count, keys, values, { bias: null, rule });
  }
  /** Rows are named by their number in the tile. */
  #attendTile(count: string, keys: Rows, values: Rows, { bias, rule, allSeen }: TileRules): void {
    const { k } = this;
    const copy = (tile: SharedTile, rows: Rows): void =>
      tile.copy(rows, (number) => rows.start(k.call('min', number, `${count} - 1`)));
    copy(this.#keys, keys);
    this.#loadBias(count, bias);
    this.#storeBias();
    k.barrier();
    const scores = this.#products();
    copy(this.#values, values);
    this.#hide(scores, rule, allSeen);
    this.#weigh(scores);
    k.barrier();
    this.#addValues(scores);
  }
  /** Keys, values and biases are loaded for the first tile of queries, and there for the others. */
  #attendResident({ end, keys, values, ...rules }: KeyRows, resident: Resident): void {
    const { k, layout } = this;
    k.if(`${resident.isFirst} && ${end} > 0`, () => {
      for (const [tile, rows] of [
        [resident.keys, keys],
        [resident.values, values],
      ] as const)
        tile.copy(rows, (number) => rows.start(k.call('min', number, `${end} - 1`)));
      k.for('number', k.thread, k.i32(resident.count), k.i32(layout.threads), (number) => {
        const bias = this.#biasOf(rules, k.call('min', number, `${end} - 1`));
        const scaled = `(${bias}) * ${k.f32(Math.LOG2E)}`;
        k.assign(`${resident.biases}[${number}]`, k.select(`${number} < ${end}`, scaled, k.f32(unseen)));
      });
      k.barrier();
    });
    k.for('tile', '0', end, k.i32(layout.keyTile), (tile) => {
      const place = { keys: resident.keys, values: resident.values, biases: resident.biases, first: `${tile} + ` };
      const scores = this.#products(place);
      this.#hide(scores, null, undefined, place);
      this.#weigh(scores);
      this.#addValues(scores, place);
    });
  }
  /** The next keys are loaded during softmax and P V, the next values during Q K^T, where there are registers for them. */
  #attendAhead(rows: KeyRows, countFrom: (tile: string) => string): void {
    const { k, layout } = this;
    const { first, end, keys, values } = rows;
    const load = (tile: SharedTile, from: Rows, at: string, count: string): void =>
      tile.load(from, (row) => from.start(`(${at} + ${k.call('min', row, `${count} - 1`)})`));
    const loadKeys = (at: string, count: string): void => {
      load(this.#keys, keys, at, count);
      this.#loadBias(count, (number) => this.#biasOf(rows, `(${at} + ${number})`));
    };
    const storeKeys = (): void => {
      this.#keys.store();
      this.#storeBias();
    };
    const loadValues = (at: string, count?: string): void => {
      if (this.#layout.valuesAhead) load(this.#values, values, at, count ?? countFrom(at));
    };
    k.if(`${first} < ${end}`, () => {
      const count = countFrom(first);
      loadKeys(first, count);
      storeKeys();
      loadValues(first, count);
    });
    k.for('tile', first, end, k.i32(layout.keyTile), (tile) => {
      const next = k.let('next_tile', 'i32', `${tile} + ${layout.keyTile}`);
      k.barrier();
      const scores = this.#products();
      if (!this.#layout.valuesAhead) load(this.#values, values, tile, countFrom(tile));
      this.#values.store();
      k.if(`${next} < ${end}`, () => loadKeys(next, countFrom(next)));
      const { rule, allSeen } = this.#rulesOf(rows, tile, `${k.call('min', k.i32(layout.keyTile), `${end} - ${tile}`)}`, next);
      this.#hide(scores, rule, allSeen);
      this.#weigh(scores);
      k.barrier();
      this.#addValues(scores);
      k.if(`${next} < ${end}`, () => {
        storeKeys();
        loadValues(next);
      });
    });
  }
  #rulesOf(rows: KeyRows, tile: string, count: string, next = `(${tile} + ${this.layout.keyTile})`): Omit<TileRules, 'bias'> {
    const { k } = this;
    const { rowSees } = rows;
    if (!rowSees) return { rule: null };
    // What is beyond the tile is not read, where a rule reads something.
    const reads = rows.bias !== undefined || rows.keyIsSeen !== undefined;
    const keyOf = (number: string): string => `(${tile} + ${reads ? k.call('min', number, `${count} - 1`) : number})`;
    const allSeen = rows.allSeen?.(tile, next);
    return { rule: (number) => (row) => rowSees(keyOf(number), row), ...(allSeen === undefined ? {} : { allSeen }) };
  }

  get #tile(): PlacedTile {
    return { keys: this.#keys, values: this.#values, biases: this.#biases, first: '' };
  }
  /** What is added to the score of a key, which exists. */
  #biasOf({ bias, keyIsSeen }: Pick<KeyRows, 'bias' | 'keyIsSeen'>, key: string): string {
    const { k } = this;
    const own = bias ? k.call('max', bias(key), k.f32(unseen)) : k.f32(0);
    return keyIsSeen ? k.select(keyIsSeen(key), own, k.f32(unseen)) : own;
  }
  #loadBias(count: string, biasOf: ((number: string) => string) | null): void {
    const { k } = this;
    const inside = biasOf === null ? k.f32(0) : `(${biasOf(k.call('min', k.thread, `${count} - 1`))}) * ${k.f32(Math.LOG2E)}`;
    k.if(`${k.thread} < ${this.layout.keyTile}`, () =>
      k.assign(this.#bias, k.select(`${k.thread} < ${count}`, inside, k.f32(unseen))),
    );
  }
  #storeBias(): void {
    const { k } = this;
    k.if(`${k.thread} < ${this.layout.keyTile}`, () => k.assign(`${this.#biases}[${k.thread}]`, this.#bias));
  }

  /** S = Q K^T of the warp's keys: f32 [blocks of eight keys][4], as the accumulators of mma. */
  #products({ keys, first } = this.#tile): string {
    const { k } = this;
    const { warpKeys, paddedHead, multiply } = this.#layout;
    const scores = k.name('scores');
    const { row, half, low } = this.#reads.keys;
    k.statement(`f32 ${scores}[${warpKeys / 8}][4] = {}`);
    unrolled(k, 'step', paddedHead / 16, (step) =>
      unrolled(k, 'pair', warpKeys / 16, (pair) => {
        const matrices = k.name('key_parts');
        k.statement(`u32 ${matrices}[4]`);
        const place = keys.place(`${first}${row} + ${pair} * 16`, `${step} * 2 + ${half}`, low);
        k.statement(`load_4_matrices(${matrices}, &${keys.name}[${place}])`);
        for (const block of [0, 1]) {
          const right = k.name('right');
          k.statement(`const u32 ${right}[2] = {${matrices}[${2 * block}], ${matrices}[${2 * block + 1}]}`);
          k.statement(`multiply_${multiply}(${scores}[${pair} * 2 + ${block}], ${this.#fragments}[${step}], ${right})`);
        }
      }),
    );
    return scores;
  }

  /** Scales scores to units of log 2, adds biases, and hides what is not seen; `allSeen`: where it holds, the rule hides nothing. */
  #hide(scores: string, rule: RowRule | null, allSeen?: string, { biases, first: firstKey } = this.#tile): void {
    const { k, kernel } = this;
    const { warpKeys } = this.#layout;
    const scale = k.f32(kernel.scale * Math.LOG2E);
    const write = (own: RowRule | null): void =>
      unrolled(k, 'block', warpKeys / 8, (block) => {
        for (const column of [0, 1]) {
          const first = this.#softmax.keyWarp === '0' ? '' : `${this.#softmax.keyWarp} * ${warpKeys} + `;
          const number = k.let('number', 'i32', `${first}${this.#softmax.column(block)} + ${column}`);
          const bias = k.let('bias', 'f32', `${biases}[${firstKey}${number}]`);
          const sees = own?.(number);
          rowOffsets.forEach((_, row) => {
            const score = `${scores}[${block}][${2 * row + column}]`;
            const scaled = k.call('fma', score, scale, bias);
            k.assign(score, sees ? k.select(sees(row), scaled, k.f32(unseen)) : scaled);
          });
        }
      });
    if (rule === null || allSeen === undefined) return write(rule);
    k.if(
      allSeen,
      () => write(null),
      () => write(rule),
    );
  }

  /** One step of online softmax: scores become weights. */
  #weigh(scores: string): void {
    const { k } = this;
    const softmax = this.#softmax;
    const blocks = this.#layout.warpKeys / 8;
    ([0, 1] as const).forEach((row) => {
      const most = k.var('tile_maximum', 'f32', k.f32(unseen));
      const pair = (block: string): readonly [string, string] => [
        `${scores}[${block}][${2 * row}]`,
        `${scores}[${block}][${2 * row + 1}]`,
      ];
      unrolled(k, 'block', blocks, (block) => k.assign(most, k.call('max', most, k.call('max', ...pair(block)))));
      softmax.overQuad(most, (a, b) => k.call('max', a, b));
      softmax.raise(row, most);
      unrolled(k, 'block', blocks, (block) => {
        for (const score of pair(block)) {
          k.assign(score, `exp2_approximate(${score} - ${softmax.maxima[row]})`);
          k.add(softmax.totals[row], score);
        }
      });
    });
  }

  /** O = O + P V of the warp's keys: weights of sixteen keys are a left side as they are, but for the rounding. */
  #addValues(weights: string, { values, first } = this.#tile): void {
    const { k } = this;
    const { warpKeys, valueBlocks, multiply } = this.#layout;
    const { row, half, low } = this.#reads.values;
    unrolled(k, 'step', warpKeys / 16, (step) => {
      const left = k.name('weight_parts');
      const packed = [0, 1].flatMap((block) =>
        [0, 2].map((from) => {
          const own = `${weights}[${step} * 2 + ${block}]`;
          return `pack_${multiply}(${own}[${from}], ${own}[${from + 1}])`;
        }),
      );
      k.statement(`const u32 ${left}[4] = {${packed.join(', ')}}`);
      unrolled(k, 'pair', valueBlocks / 2, (pair) => {
        const matrices = k.name('value_parts');
        k.statement(`u32 ${matrices}[4]`);
        const place = values.place(`${first}${row} + ${step} * 16`, `${pair} * 2 + ${half}`, low);
        k.statement(`load_4_matrices_transposed(${matrices}, &${values.name}[${place}])`);
        for (const block of [0, 1]) {
          const right = k.name('right');
          k.statement(`const u32 ${right}[2] = {${matrices}[${2 * block}], ${matrices}[${2 * block + 1}]}`);
          k.statement(`multiply_${multiply}(${this.#softmax.sums}[${pair} * 2 + ${block}], ${left}, ${right})`);
        }
      });
    });
  }

  attendLists(lists: KeyLists): void {
    attendLists(this, this.#softmax, lists);
  }
  attendScored(scores: string, value: Rows): void {
    attendScored(this, this.#softmax, scores, value);
  }
  ownRows(values: readonly string[], type: 'f32' | 'i32'): readonly string[] {
    const { k, layout } = this;
    const all = k.shared('row_values', type, layout.queryTile);
    k.if(`${this.lane} == 0`, () =>
      values.forEach((value, row) => k.assign(`${all}[${this.rowGroup} * ${groupRows} + ${row}]`, value)),
    );
    k.barrier();
    return rowOffsets.map((offset) => k.let('row_value', type, `${all}[${this.firstRow} + ${offset}]`));
  }
  softmaxSoFar(): { readonly maximum: string; readonly total: string } {
    const { k } = this;
    const rowOf = this.#softmax.shared(this.#softmax.rowTotals());
    const rows = Array.from({ length: groupRows }, (_, row) => rowOf(`(${this.rowGroup} * ${groupRows} + ${row})`));
    const vector = (parts: readonly string[]): string => k.vector('vec4<f32>', ...parts);
    const natural = rows.map(({ maximum }) => `${maximum} * ${k.f32(Math.LN2)}`);
    return {
      maximum: k.let('maximum_so_far', 'vec4<f32>', vector(natural)),
      total: k.let('total_so_far', 'vec4<f32>', vector(rows.map(({ total }) => total))),
    };
  }
  finish(): void {
    finishTile(this, this.#softmax, this.#values.name);
  }
}
