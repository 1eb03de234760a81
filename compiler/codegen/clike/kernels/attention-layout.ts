import type { AttentionKernel } from '../../../kernel/kernel.ts';

/** Queries of a row group: the components of a vec4. */
export const groupRows = 4;

/** How a workgroup shares out a tile of queries, see AttentionFrame. */
export interface AttentionLayout {
  readonly queryTile: number;
  readonly keyTile: number;
  readonly threads: number;
  readonly rowGroups: number;
  /** Threads of a row group. */
  readonly lanes: number;
  readonly keysPerLane: number;
  /** vec4s of a value row. */
  readonly columns: number;
  /** Lanes that share out the columns, and how many each has of them at most. */
  readonly columnLanes: number;
  readonly columnsPerLane: number;
  /** Lanes that have the same columns, and share out the keys. */
  readonly splits: number;
}

/** Threads of a workgroup where the schedule does not say it. */
export const attentionThreads = 64;

/** Throws a RangeError for tiles that do not share out a workgroup. */
export function attentionLayout({ valueSize, schedule }: Pick<AttentionKernel, 'valueSize' | 'schedule'>): AttentionLayout {
  const { queryTile, keyTile, threads = attentionThreads } = schedule;
  const rowGroups = queryTile / groupRows;
  const lanes = threads / rowGroups;
  const keysPerLane = keyTile / lanes;
  if (![rowGroups, Math.log2(lanes), keysPerLane].every(Number.isInteger))
    throw new RangeError(`The tiles of ${JSON.stringify(schedule)} do not share out a workgroup.`);
  const columns = Math.ceil(valueSize / 4);
  const columnLanes = Math.min(lanes, 2 ** Math.ceil(Math.log2(columns)));
  const columnsPerLane = Math.ceil(columns / columnLanes);
  const splits = lanes / columnLanes;
  return { queryTile, keyTile, threads, rowGroups, lanes, keysPerLane, columns, columnLanes, columnsPerLane, splits };
}
