/** The tokens of the clusters that some query of a tile has chosen, a tile of tokens at a time. */
import type { Rows } from '../rows.ts';
import { isChosen, type Choice } from './attention-choice.ts';
import type { AttentionFrame } from './attention-frame.ts';
import { groupRows } from './attention-layout.ts';

export interface ChosenClusters {
  /** Clusters in all; the same for all threads. */
  readonly count: string;
  /** How many choose: one for all queries of the tile, or each of them. */
  readonly choosers: number;
  /** Of the thread: one, or one for each of its queries. */
  readonly choices: readonly Choice[];
  /** The ranking of a cluster for a chooser. */
  rankings(cluster: string, chooser: string): string;
  /** Whether the thread's query `row` (AttentionFrame.rowOffsets) has chosen a cluster; null where all queries have the same choice. */
  readonly isSeen: ((cluster: string, row: number) => string) | null;
  /** Places for `count` numbers, f32. */
  list(index: string): string;
  /** Row of the first token of a cluster. */
  offset(cluster: string): string;
  readonly sortedKeys: Rows;
  readonly sortedValues: Rows;
}

/** After `prepareListed` of the frame. */
export function attendChosen(frame: AttentionFrame, clusters: ChosenClusters): void {
  const { k, layout } = frame;
  const { threads, keyTile } = layout;
  const { isSeen, list, offset, sortedKeys, sortedValues } = clusters;
  const chosen = listChosen(frame, clusters);
  const [ends, shifts, numbers] = [
    k.shared('cluster_ends', 'i32', threads),
    k.shared('cluster_shifts', 'i32', threads),
    k.shared('cluster_numbers', 'i32', threads),
  ];
  const [tokenRows, tokenClusters] = [k.shared('token_rows', 'i32', keyTile), k.shared('token_clusters', 'i32', keyTile)];
  k.for('run', '0', chosen, k.i32(threads), (run) => {
    k.comment('as many clusters as there are threads: how many tokens they have, one behind the other');
    const size = k.var('size', 'i32');
    const first = k.var('first_token', 'i32');
    k.barrier();
    k.if(`${run} + ${k.thread} < ${chosen}`, () => {
      const cluster = k.let('cluster', 'i32', k.cast('i32', list(`${run} + ${k.thread}`)));
      k.assign(`${numbers}[${k.thread}]`, cluster);
      k.assign(first, offset(cluster));
      k.assign(size, `${offset(`${cluster} + 1`)} - ${first}`);
    });
    k.assign(`${ends}[${k.thread}]`, size);
    k.barrier();
    const before = k.var('before', 'i32');
    k.for('other', '0', k.thread, '1', (other) => k.add(before, `${ends}[${other}]`));
    k.barrier();
    k.assign(`${ends}[${k.thread}]`, `${before} + ${size}`);
    k.assign(`${shifts}[${k.thread}]`, `${first} - ${before}`);
    const total = k.let('total', 'i32', k.dialect.uniformLoad(`${ends}[${threads - 1}]`));
    k.for('tile', '0', total, k.i32(keyTile), (tile) => {
      const count = k.let('count', 'i32', k.call('min', k.i32(keyTile), `${total} - ${tile}`));
      k.for('slot', k.thread, count, k.i32(threads), (slot) => {
        const token = k.let('token', 'i32', `${tile} + ${slot}`);
        const place = k.var('place', 'i32');
        for (let half = threads / 2; half >= 1; half /= 2) {
          k.if(`${ends}[${place} + ${half - 1}] <= ${token}`, () => k.add(place, k.i32(half)));
        }
        k.assign(`${tokenRows}[${slot}]`, `${shifts}[${place}] + ${token}`);
        k.assign(`${tokenClusters}[${slot}]`, `${numbers}[${place}]`);
      });
      k.barrier();
      const rowsAt = (rows: Rows): Rows => ({ ...rows, start: (row) => rows.start(`${tokenRows}[${row}]`) });
      frame.attendListed({
        count,
        keys: rowsAt(sortedKeys),
        values: rowsAt(sortedValues),
        isSeen:
          isSeen &&
          ((number) => {
            const cluster = k.let('cluster', 'i32', `${tokenClusters}[${number}]`);
            return (row) => isSeen(cluster, row);
          }),
      });
      k.barrier();
    });
  });
}

/** Writes down, in ascending order, the clusters that some query of the tile has chosen; gives how many, the same for all threads. */
function listChosen(frame: AttentionFrame, { count, choosers, choices, rankings, list }: ChosenClusters): string {
  const { k, layout } = frame;
  const { threads } = layout;
  const [thresholds, ends] = [k.shared('thresholds', 'f32', choosers), k.shared('ends_of_equals', 'i32', choosers)];
  const isWriter = choosers === 1 ? `${k.thread} == 0` : `${frame.lane} == 0`;
  k.if(isWriter, () =>
    choices.forEach(({ threshold, end }, row) => {
      const chooser = choosers === 1 ? '0' : `${frame.rowGroup} * ${groupRows} + ${row}`;
      k.assign(`${thresholds}[${chooser}]`, threshold);
      k.assign(`${ends}[${chooser}]`, end);
    }),
  );
  k.barrier('buffers');
  k.barrier();
  const flags = k.shared('flags', 'i32', threads);
  const listed = k.var('listed', 'i32');
  k.for('first', '0', count, k.i32(threads), (first) => {
    const cluster = k.let('cluster', 'i32', `${first} + ${k.thread}`);
    const flag = k.var('flag', 'i32');
    k.if(`${cluster} < ${count}`, () =>
      k.for('chooser', '0', k.i32(choosers), '1', (chooser) => {
        const choice = { threshold: `${thresholds}[${chooser}]`, end: `${ends}[${chooser}]` };
        const ranking = k.let('ranking', 'f32', rankings(cluster, chooser));
        k.if(isChosen(choice, ranking, cluster), () => k.assign(flag, '1'));
      }),
    );
    k.assign(`${flags}[${k.thread}]`, flag);
    k.barrier();
    const place = k.var('place', 'i32', listed);
    k.for('other', '0', k.i32(threads), '1', (other) => {
      k.add(listed, `${flags}[${other}]`);
      k.if(`${other} < ${k.thread}`, () => k.add(place, `${flags}[${other}]`));
    });
    k.if(`${flag} == 1`, () => k.assign(list(place), k.cast('f32', cluster)));
    k.barrier();
  });
  k.barrier('buffers');
  return frame.uniform('chosen_clusters', listed);
}
