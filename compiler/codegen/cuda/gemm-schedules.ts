/** How products are cut up on CUDA. Registers and shared memory are held to by test/null/cuda-gemm-budgets.test.ts. */
import type { Size } from '../../../ir/size.ts';
import type { SplitDepthSchedule, TensorCoreSchedule, WorkgroupSchedule } from '../../kernel/kernel.ts';
import type { Precision } from './precision.ts';

/** Few enough that reading the right side takes longer than multiplying: decoding. */
const hasAtMost = (rows: Size, most: number): rows is number => typeof rows === 'number' && rows <= most;
const decodedRows = 4;

/** A column is shared by as many threads as have at least two runs of it each, in whole warps; a thread has four columns. */
function splitDepth(rows: number, depth: number, run: number): SplitDepthSchedule {
  const [fewest, most] = [32, 128];
  let threads = fewest;
  while (threads < most && threads * 2 * run * 2 <= depth) threads *= 2;
  return { rowTile: rows, columnTile: (4 * most) / threads, threads };
}

/** 128 threads with 8 x 4 sums each, and at a depth of 32 less than half of the 48 KiB of static shared memory. */
const plainTiles = { rowTile: 64, columnTile: 64, threadRows: 8, threadColumns: 4 } as const;

type Shape = Omit<TensorCoreSchedule, 'multiply'>;
/**
 * Too few rows for many thread blocks: columns are few for each, and four warps share the depth. 16 KiB and 12 KiB of the right side
 * are on their way, which covers the way to memory.
 */
const shortShapes: readonly Shape[] = [
  { rowTile: 16, columnTile: 32, depthTile: 128, warpRows: 1, warpColumns: 1, warpDepth: 4, stages: 3 },
  { rowTile: 32, columnTile: 32, depthTile: 64, warpRows: 1, warpColumns: 1, warpDepth: 4, stages: 4 },
];
/**
 * By the least columns. Larger tiles read less from the second-level cache for each product, and there have to be enough of them for
 * all multiprocessors. A warp has 32 x 32 sums, 64 x 32 or 64 x 64; two thread blocks or more fit a multiprocessor. The largest leaves
 * no registers for the edges of runs: it is for depths of whole ones.
 */
const longShapes: readonly (Shape & { readonly fromColumns: number; readonly wholeRuns?: true })[] = [
  {
    ...{ fromColumns: 4096, wholeRuns: true },
    ...{ rowTile: 128, columnTile: 128, depthTile: 32, warpRows: 2, warpColumns: 2, warpDepth: 1, stages: 3 },
  },
  { fromColumns: 1024, rowTile: 128, columnTile: 64, depthTile: 32, warpRows: 2, warpColumns: 2, warpDepth: 1, stages: 3 },
  { fromColumns: 0, rowTile: 64, columnTile: 64, depthTile: 32, warpRows: 2, warpColumns: 2, warpDepth: 1, stages: 4 },
];
function tensorCoreShape(rows: Size, columns: number, depth: Size): Shape {
  const short = shortShapes.find(({ rowTile }) => hasAtMost(rows, rowTile));
  if (short) return short;
  const hasWholeRuns = typeof depth === 'number' && depth % 8 === 0 && columns % 4 === 0;
  const fitting = longShapes.find(({ fromColumns, wholeRuns }) => columns >= fromColumns && (hasWholeRuns || wholeRuns !== true));
  const { fromColumns: _, wholeRuns: __, ...shape } = fitting as (typeof longShapes)[number];
  return shape;
}

type GpuSchedule = SplitDepthSchedule | WorkgroupSchedule | TensorCoreSchedule;
/** `run`: elements of the right side that a thread reads at once. `depthTile`: of kernels without tensor cores. */
export function gemmSchedule(
  precision: Precision,
  [rows, columns, depth]: readonly [rows: Size, columns: number, depth: Size],
  { run, depthTile }: { readonly run: number; readonly depthTile: number },
): GpuSchedule {
  if (hasAtMost(rows, decodedRows)) return splitDepth(rows, typeof depth === 'number' ? depth : Infinity, run);
  if (precision === 'f32') return { ...plainTiles, depthTile };
  return { ...tensorCoreShape(rows, columns, depth), multiply: precision };
}
