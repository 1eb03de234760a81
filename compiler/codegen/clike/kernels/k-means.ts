/**
 * The k-means of one block of keys (atp-modes.md, expand), and the results of its clusters, by one workgroup. Centres lie where the
 * mean keys are to be, and a tile of them at a time in shared memory; the keys are read where they are: a block of them would not fit
 * beside the centres. Sums run over the tokens in order.
 */
import type { KernelBuilder, Operand } from '../kernel-builder.ts';
import type { RowFormat } from '../row-format.ts';
import { fillTile, productsWithTile, rowTile, tileRows } from '../tile-scores.ts';

/** Rows of keys or values. */
export interface BlockRows {
  readonly format: RowFormat;
  readonly operand: Operand;
  /** Index of the first element of the row of a token of the block, 0 <= token < count. */
  at(token: string): string;
}
/** One block of tokens, and where its clusters go. Counts are uniform. */
export interface ClusteredBlock {
  readonly iterations: number;
  /** Tokens and clusters at most. */
  readonly blockTokens: number;
  readonly capacity: number;
  readonly key: BlockRows;
  readonly value: BlockRows;
  readonly count: string;
  /** Clusters with tokens to choose from; those up to `capacity` are empty. */
  readonly used: string;
  readonly meanKey: Operand;
  readonly meanValue: Operand;
  readonly logMass: Operand;
  readonly radius: Operand;
  readonly offsets: Operand;
  /** Of cluster 0 of the block, in the mean keys and in `offsets`. */
  readonly firstCluster: string;
  readonly firstOffset: string;
  /** The offset of the first token of the block. */
  readonly start: string;
}
/** Tokens in the order of their clusters. */
export interface SortedTokens {
  /** Shared i32 [blockTokens]. */
  readonly members: string;
}

/** More than any distance. */
const far = 3e38;

export function kMeansWorkgroup(blockTokens: number): number {
  return blockTokens <= 64 ? 64 : 128;
}

/** Clusters a block and writes its results. All threads come here; no barrier stands at the end. */
export function emitClusters(k: KernelBuilder, block: ClusteredBlock): SortedTokens {
  const { iterations, blockTokens, capacity, key, count, used } = block;
  const { thread } = k;
  const step = k.i32(k.workgroupSize);
  const tile = rowTile(k, 'centres', key.format, tileRows(key.format, capacity));
  const halves = k.shared('half_squares', 'f32', tile.rows);
  const assignment = k.shared('assignment', 'i32', blockTokens);
  const members = k.shared('members', 'i32', blockTokens);
  const starts = k.shared('starts', 'i32', capacity + 1);
  const centreAt = (row: string, part: string): string =>
    `(${block.firstCluster} + ${row}) * ${key.format.size} + ${key.format.element(part)}`;

  k.comment('centres start at tokens floor((2 j + 1) n / 2 C)');
  overParts(k, key.format, used, (row, part) => {
    const token = k.let('token', 'i32', `(2 * ${row} + 1) * ${count} / (2 * ${used})`);
    const from = `${key.at(token)} + ${key.format.element(part)}`;
    key.format.store(block.meanKey, centreAt(row, part), key.format.load(key.operand, from));
  });
  k.for('iteration', '0', k.i32(iterations), '1', (iteration) => {
    k.if(`${iteration} > 0`, () => {
      k.comment('the means of the members; an empty cluster keeps its centre');
      overParts(k, key.format, used, (row, part) => {
        const [from, to] = memberRange(k, starts, row);
        k.if(`${to} > ${from}`, () => {
          const mean = meanOfMembers(k, key, members, from, to, part);
          key.format.store(block.meanKey, centreAt(row, part), mean);
        });
      });
    });
    k.barrier('buffers');
    k.for('base', '0', count, step, (base) => {
      const token = k.let('token', 'i32', `${base} + ${thread}`);
      const best = k.var('best', 'i32');
      const least = k.var('least', 'f32', k.f32(far));
      k.for('first_centre', '0', used, k.i32(tile.rows), (firstCentre) => {
        const left = k.let('centres_left', 'i32', `${used} - ${firstCentre}`);
        fillTile(k, tile, left, (row, part) => key.format.load(block.meanKey, centreAt(`${firstCentre} + ${row}`, part)));
        k.barrier();
        k.comment('|c|^2 / 2 - k.c orders as the distance does');
        k.for('row', thread, k.i32(tile.rows), step, (row) => {
          const square = k.var('square', 'f32');
          k.for('part', '0', k.i32(key.format.parts), '1', (part) => {
            const own = k.let('own', key.format.type, `${tile.name}[${row} * ${key.format.parts} + ${part}]`);
            k.add(square, key.format.product(k, own, own));
          });
          k.assign(`${halves}[${row}]`, k.select(`${row} < ${left}`, `0.5 * ${square}`, k.f32(far)));
        });
        k.barrier();
        k.if(`${token} < ${count}`, () => {
          const keyRow = k.let('key_row_start', 'i32', key.at(token));
          const products = productsWithTile(k, tile, (part) =>
            key.format.load(key.operand, `${keyRow} + ${key.format.element(part)}`),
          );
          products.forEach((product, row) => {
            const distance = k.let('distance', 'f32', `${halves}[${row}] - ${product}`);
            k.if(`${distance} < ${least}`, () => {
              k.assign(least, distance);
              k.assign(best, `${firstCentre} + ${row}`);
            });
          });
        });
        k.barrier();
      });
      k.if(`${token} < ${count}`, () => k.assign(`${assignment}[${token}]`, best));
    });
    k.barrier();
    k.comment('stable order by cluster');
    k.for('token', thread, count, step, (token) => {
      const own = k.let('own_cluster', 'i32', `${assignment}[${token}]`);
      const place = k.var('place', 'i32');
      k.for('other', '0', count, '1', (other) => {
        const cluster = k.let('cluster', 'i32', `${assignment}[${other}]`);
        const isBefore = `${cluster} < ${own} || (${cluster} == ${own} && ${other} < ${token})`;
        k.add(place, k.select(isBefore, k.i32(1), k.i32(0)));
      });
      k.assign(`${members}[${place}]`, token);
    });
    k.for('cluster', thread, k.i32(capacity + 1), step, (cluster) => {
      const before = k.var('before', 'i32');
      k.for('other', '0', count, '1', (other) =>
        k.add(before, k.select(`${assignment}[${other}] < ${cluster}`, k.i32(1), k.i32(0))),
      );
      k.assign(`${starts}[${cluster}]`, before);
    });
    k.barrier();
  });
  emitResults(k, block, { members, assignment, starts });
  return { members };
}

interface SharedOrder extends SortedTokens {
  readonly assignment: string;
  readonly starts: string;
}
function emitResults(k: KernelBuilder, block: ClusteredBlock, { members, assignment, starts }: SharedOrder): void {
  const { blockTokens, capacity, key, value, count, firstCluster, firstOffset, start } = block;
  const step = k.i32(k.workgroupSize);
  k.comment('means; zeros of the empty');
  for (const [rows, result] of [
    [key, block.meanKey],
    [value, block.meanValue],
  ] as const) {
    overParts(k, rows.format, k.i32(capacity), (row, part) => {
      const [from, to] = memberRange(k, starts, row);
      const mean = meanOfMembers(k, rows, members, from, to, part);
      const index = `(${firstCluster} + ${row}) * ${rows.format.size} + ${rows.format.element(part)}`;
      rows.format.store(result, index, mean);
    });
  }
  k.barrier('buffers');
  const distances = k.shared('distances', 'f32', blockTokens);
  k.for('place', k.thread, count, step, (place) => {
    const token = k.let('token', 'i32', `${members}[${place}]`);
    const keyRow = k.let('key_row_start', 'i32', key.at(token));
    const centre = k.let('centre', 'i32', `(${firstCluster} + ${assignment}[${token}]) * ${key.format.size}`);
    const sum = k.var('sum', 'f32');
    k.for('part', '0', k.i32(key.format.parts), '1', (part) => {
      const element = key.format.element(part);
      const [own, mean] = [
        key.format.load(key.operand, `${keyRow} + ${element}`),
        key.format.load(block.meanKey, `${centre} + ${element}`),
      ];
      const difference = k.let('difference', key.format.type, `${own} - ${mean}`);
      k.add(sum, key.format.product(k, difference, difference));
    });
    k.assign(`${distances}[${place}]`, sum);
  });
  k.barrier();
  k.for('cluster', k.thread, k.i32(capacity), step, (cluster) => {
    const [from, to] = memberRange(k, starts, cluster);
    const size = k.let('size', 'f32', k.cast('f32', k.call('max', `${to} - ${from}`, k.i32(1))));
    const sum = k.var('sum', 'f32');
    k.for('place', from, to, '1', (place) => k.add(sum, `${distances}[${place}]`));
    block.radius.store(`${firstCluster} + ${cluster}`, `${sum} / ${size}`);
    const mass = k.select(`${to} > ${from}`, k.call('log', size), k.f32(-Infinity));
    block.logMass.store(`${firstCluster} + ${cluster}`, mass);
    block.offsets.store(`${firstOffset} + ${cluster}`, `${start} + ${from}`);
  });
}

/** Goes over the parts of `rows` rows, thread by thread. */
function overParts(k: KernelBuilder, format: RowFormat, rows: string, body: (row: string, part: string) => void): void {
  k.for('slot', k.thread, `${rows} * ${format.parts}`, k.i32(k.workgroupSize), (slot) => {
    const row = k.let('row', 'i32', `${slot} / ${format.parts}`);
    body(row, k.let('part', 'i32', `${slot} % ${format.parts}`));
  });
}
function memberRange(k: KernelBuilder, starts: string, cluster: string): readonly [string, string] {
  return [k.let('from', 'i32', `${starts}[${cluster}]`), k.let('to', 'i32', `${starts}[${cluster} + 1]`)];
}
function meanOfMembers(k: KernelBuilder, rows: BlockRows, members: string, from: string, to: string, part: string): string {
  const sum = k.var('sum', rows.format.type);
  k.for('place', from, to, '1', (place) => {
    const row = rows.at(`${members}[${place}]`);
    k.add(sum, rows.format.load(rows.operand, `${row} + ${rows.format.element(part)}`));
  });
  return `${sum} / ${k.cast('f32', k.call('max', `${to} - ${from}`, k.i32(1)))}`;
}
