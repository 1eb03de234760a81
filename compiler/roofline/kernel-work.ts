/**
 * What one dispatch of a kernel computes and moves, from its integers (kernel.ts): a row a kind, so that a new kind does not compile
 * without one. Bytes are those that have to cross the memory of the device: every operand once, weights too, of a table only the rows
 * that are looked up, of a cache only the rows in use. What tiles read again comes from the cache of the device, and is counted apart.
 */
import type { BlockFormat } from '../weights/block-format.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { EpilogueStep, Kernel, KernelKind } from '../kernel/kernel.ts';
import { partColumns, partNumbers, type Norm } from '../kernel/row-norm.ts';
import { attentionWork, causalPairs } from './attention-work.ts';
import { elementwiseWork } from './elementwise-work.ts';
import { mapsWork, mapWork, normWork } from './loop-work.ts';
import { addWork, noWork, type KernelWork } from './work.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { kind: K }>;
/** The numbers of a dispatch: its integers, and the bytes that an element of each of its reads has. */
export interface DispatchNumbers {
  readonly integers: readonly number[];
  readonly elementBytes: readonly number[];
}
type WorkOf<K extends KernelKind> = (kernel: KernelOf<K>, dispatch: DispatchNumbers) => KernelWork;

/** All values that kernels hand to each other have four bytes. */
const bytes = 4;

/** Steps on `rows` x `columns` values, and what they read. */
function epilogueWork(steps: readonly EpilogueStep[], rows: number, columns: number): KernelWork {
  const values = rows * columns;
  const parts = steps.map((step): KernelWork => {
    if (step.step === 'activation') return elementwiseWork(step.op, values);
    const read = bytes * (step.step === 'bias' ? columns : values);
    return { ...noWork, scalarFlops: values, readBytes: read };
  });
  return parts.reduce(addWork, noWork);
}
function productWork(product: KernelOf<'gemm' | 'block_gemm'>, integers: readonly number[], rightBytes: number): KernelWork {
  const { epilogue, schedule } = product;
  const [rows = 0, columns = 0, depth = 0] = integers;
  const leftBytes = bytes * rows * depth;
  const [rowTiles, columnTiles] = [Math.ceil(rows / schedule.rowTile), Math.ceil(columns / schedule.columnTile)];
  const own: KernelWork = {
    ...noWork,
    productFlops: 2 * rows * columns * depth,
    readBytes: leftBytes + rightBytes,
    rereadBytes: leftBytes * (columnTiles - 1) + rightBytes * (rowTiles - 1),
    writtenBytes: bytes * rows * columns,
  };
  const filled = fill(rows, schedule.rowTile) * fill(columns, schedule.columnTile);
  const parts = [epilogueWork(epilogue, rows, columns), ...rowNormWork(product, integers)];
  return { ...parts.reduce(addWork, own), tileFill: filled };
}
/** A value that statistics are gathered of: its square, and for layer_norm its sum and distance. */
const gatherFlops: { readonly [N in Norm]: number } = { rms: 2, layer: 4 };
/** A value that is normalised: times scale and weight, and for layer_norm less the mean and plus the bias. */
const applyFlops: { readonly [N in Norm]: number } = { rms: 2, layer: 4 };
/** What a product does for the norm of its left side, anew in every tile, and for statistics of the rows of its result. */
function rowNormWork(
  { epilogue, leftNorm, gathers, schedule }: KernelOf<'gemm' | 'block_gemm'>,
  integers: readonly number[],
): readonly KernelWork[] {
  const [rows = 0, columns = 0, depth = 0] = integers;
  const [rowTiles, columnTiles] = [Math.ceil(rows / schedule.rowTile), Math.ceil(columns / schedule.columnTile)];
  const statisticsBytes = (norm: Norm, width: number, part: number): number =>
    bytes * rows * Math.ceil(width / part) * partNumbers[norm];
  const works: KernelWork[] = [];
  const residual = epilogue.flatMap((step) => (step.step === 'residual' && step.normed ? [step.normed] : []));
  // The columns of parts stand last, those of the residual after those of the left side.
  const parts = integers.slice(-residual.length - (leftNorm?.statistics === 'gathered' ? 1 : 0));
  for (const { norm } of residual) {
    const [vectors, gathered] = [
      bytes * columns * (norm === 'layer' ? 2 : 1),
      statisticsBytes(norm, columns, parts.at(-1) ?? columns),
    ];
    works.push({
      ...noWork,
      scalarFlops: applyFlops[norm] * rows * columns,
      specialFlops: rows * columnTiles,
      readBytes: vectors + gathered,
      rereadBytes: vectors * (rowTiles - 1) + gathered * (columnTiles - 1),
    });
  }
  if (leftNorm) {
    const { norm, statistics } = leftNorm;
    const vectors = bytes * depth * (norm === 'layer' ? 2 : 1);
    const gathered = statistics === 'gathered' ? statisticsBytes(norm, depth, parts[0] ?? depth) : 0;
    // The mean of layer_norm, and the squares around it, are computed from rows that are read for each of them.
    const readBefore = statistics === 'computed' && norm === 'layer' ? 2 * bytes * rows * depth * columnTiles : 0;
    works.push({
      ...noWork,
      scalarFlops: (applyFlops[norm] + (statistics === 'computed' ? gatherFlops[norm] : 0)) * rows * depth * columnTiles,
      specialFlops: rows * columnTiles,
      readBytes: vectors + gathered,
      rereadBytes: vectors * (rowTiles * columnTiles - 1) + gathered * (columnTiles - 1) + readBefore,
    });
  }
  if (gathers)
    works.push({
      ...noWork,
      scalarFlops: gatherFlops[gathers] * rows * columns,
      writtenBytes: statisticsBytes(gathers, columns, partColumns(schedule)),
    });
  return works;
}
/** The share of whole tiles that `count` things take. */
const fill = (count: number, tile: number): number => (count === 0 ? 1 : count / (Math.ceil(count / tile) * tile));

/** Quants, scales and minima of so many elements. */
function blockBytes({ bits, block, minima }: BlockFormat, elements: number): number {
  return (elements * bits) / 8 + (elements / block) * bytes * (minima ? 2 : 1);
}
/** k-means of `tokens` keys of a head, and the means of their clusters (the op `cluster` in ir/ops/principal.ts). */
function clusteringFlops(
  { headSize, valueSize, iterations }: Pick<KernelOf<'cluster'>, 'headSize' | 'valueSize' | 'iterations'>,
  tokens: number,
  clusters: number,
): number {
  return tokens * (2 * iterations * clusters * headSize + (iterations + 2) * (headSize + valueSize));
}
const rows: { readonly [K in KernelKind]: WorkOf<K> } = {
  map: mapWork,
  maps: mapsWork,
  norm: normWork,
  gemm: (kernel, { integers }) => {
    const [, columns = 0, depth = 0] = integers;
    return productWork(kernel, integers, (kernel.right === 'f16' ? 2 : 4) * columns * depth);
  },
  block_gemm(kernel, { integers }) {
    const [count = 0, columns = 0, depth = 0] = integers;
    const work = productWork(kernel, integers, blockBytes(kernel.format, columns * depth));
    // Every tile of rows turns the quants into numbers anew: scale * q + minimum.
    const expansions = Math.ceil(count / kernel.schedule.rowTile) * columns * depth;
    return { ...work, scalarFlops: work.scalarFlops + 2 * expansions };
  },
  block_lookup: ({ format }, { integers: [count = 0, width = 0] }) => ({
    ...noWork,
    scalarFlops: 2 * count * width,
    readBytes: bytes * count + blockBytes(format, count * width),
    writtenBytes: bytes * count * width,
  }),
  attention: attentionWork,
  cluster(kernel, { integers: [batch = 0, heads = 0, tokens = 0, clusters = 0] }) {
    const { headSize, valueSize, blockTokens } = kernel;
    const perBlock = Math.min(blockTokens, evaluateExpression(kernel.keysPerBlock, { tokens: blockTokens }));
    const size = headSize + valueSize;
    return {
      ...noWork,
      scalarFlops: batch * heads * clusteringFlops(kernel, tokens, perBlock),
      readBytes: bytes * (batch * heads * tokens * size + batch * tokens),
      writtenBytes: bytes * batch * heads * (tokens + clusters + 1 + clusters * (size + 2)),
      tileFill: fill(tokens, blockTokens),
    };
  },
  segment_means({ headSize, valueSize }, { integers: [batch = 0, heads = 0, tokens = 0, segments = 0] }) {
    const size = headSize + valueSize;
    return {
      ...noWork,
      scalarFlops: batch * heads * tokens * size,
      readBytes: bytes * (batch * heads * tokens * size + batch * tokens),
      writtenBytes: bytes * batch * heads * segments * (size + 1),
    };
  },
  principal_rows: (_kernel, { integers: [batch = 0, tokens = 0, width = 0, count = 0] }) => ({
    ...noWork,
    // The Gram matrix, about 9 d^3 for its eigenvectors (Golub and Van Loan, table 8.3.1), and the projection.
    scalarFlops: batch * (4 * tokens * width ** 2 + 9 * width ** 3),
    readBytes: bytes * batch * tokens * (width + 1),
    writtenBytes: bytes * batch * count * (width + 2),
  }),
  cluster_block(kernel, { integers: [heads = 0, , , , count = 0] }) {
    const { headSize, valueSize, keysPerBlock } = kernel;
    const size = headSize + valueSize;
    return {
      ...noWork,
      scalarFlops: heads * clusteringFlops(kernel, count, Math.min(keysPerBlock, count)),
      readBytes: bytes * heads * count * size,
      writtenBytes: bytes * heads * (count * size + keysPerBlock * (size + 3) + 1),
    };
  },
  evict({ headSize, valueSize, atoms }, { integers: [heads = 0, , before = 0, leaving = 0, staying = 0] }) {
    const candidates = before + leaving;
    // Key, value, score and position.
    const moved = bytes * heads * (Math.min(atoms, candidates) + staying) * (headSize + valueSize + 2);
    // Every candidate is compared with every other one: which is larger, whether they are equal, how many are better.
    return {
      ...noWork,
      scalarFlops: heads * 3 * candidates ** 2,
      readBytes: moved + bytes * heads * candidates,
      writtenBytes: moved,
    };
  },
  score_keys({ headSize, schedule }, { integers }) {
    const [heads = 0, keyHeads = 0, queries = 0, , , , capacity = 0, atoms = 0, exact = 0] = integers;
    const pairs = heads * (queries * atoms + causalPairs(queries, exact));
    const keys = keyHeads * (atoms + exact);
    return {
      ...noWork,
      scalarFlops: pairs * (2 * headSize + 3),
      specialFlops: pairs,
      readBytes: bytes * (heads * queries * (headSize + 1) + keys * (headSize + 1)),
      // Every tile of keys reads all queries.
      rereadBytes: bytes * heads * queries * (headSize + 1) * Math.max(0, Math.ceil(capacity / schedule.keyTile) - 1),
      writtenBytes: bytes * (keys + keyHeads * queries),
    };
  },
};

/** Kinds that have a row: all of them. */
export const workedKinds = Object.keys(rows) as readonly KernelKind[];

/** What a dispatch with these numbers computes and moves. */
export function workOf(kernel: Kernel, dispatch: DispatchNumbers): KernelWork {
  return rows[kernel.kind](kernel as never, dispatch);
}
