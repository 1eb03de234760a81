/**
 * Work of attention, segment by segment: pairs of a query and a key that it sees, products for each of them (q . k and p v), and the
 * softmax. Sequences are taken as whole: no token is padding.
 */
import { evaluateExpression } from '../../runtime/format/expression.ts';
import { evaluateSize } from '../../ir/size.ts';
import { adaptiveClusters } from '../../passes/cache-cost.ts';
import { attentionItems } from '../codegen/clike/kernels/attention-places.ts';
import type { AttentionKernel, AttentionKernelSegment, TokenRange } from '../kernel/kernel.ts';
import type { DispatchNumbers } from './kernel-work.ts';
import { addWork, noWork, type KernelWork } from './work.ts';

type SegmentOf<K extends AttentionKernelSegment['kind']> = Extract<AttentionKernelSegment, { kind: K }>;

/** Pairs in which the last `queries` of `keys` tokens see every key up to their own. */
export function causalPairs(queries: number, keys: number): number {
  const own = Math.min(queries, keys);
  return own * (keys - own) + (own * (own + 1)) / 2;
}
/** The same with only the last `window` keys of each. */
function windowPairs(queries: number, keys: number, window: number): number {
  return causalPairs(queries, keys) - causalPairs(queries, Math.max(0, keys - window));
}

/** Keys that the tiles of queries read, each up to the last that any of its queries sees. */
function tileKeys(
  { queries, tile }: { readonly queries: number; readonly tile: number },
  keys: number,
  { causal, window }: Pick<SegmentOf<'keys'>, 'causal' | 'window'>,
): number {
  let sum = 0;
  for (let first = 0; first < queries; first += tile) {
    const end = Math.min(first + tile, queries);
    const last = causal ? Math.max(0, Math.min(keys, keys - queries + end)) : keys;
    sum += window === null ? last : Math.min(last, window + end - first - 1);
  }
  return sum;
}

/** What the segments of one kernel share. */
interface Place {
  readonly kernel: AttentionKernel;
  readonly batch: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  /** Tokens of the sequence that segments for a range of lengths go by. */
  readonly tokens: number;
  /** Queries of a head for which its keys are read once: of a tile, or of all tiles of a workgroup that keeps them. */
  readonly readingQueries: number;
}
/** Online softmax: scale, maximum, difference, sum, and an exponential. */
const softmaxFlops = 4;

/** So many queries and keys that meet, over all heads. */
function attend({ kernel }: Place, pairs: number): KernelWork {
  const { headSize, valueSize } = kernel;
  return { ...noWork, productFlops: 2 * pairs * (headSize + valueSize), scalarFlops: softmaxFlops * pairs, specialFlops: pairs };
}
const bytes = 4;
/** So many elements, of which tiles read so many in all. */
const reading = (elements: number, byTiles = elements): KernelWork => ({
  ...noWork,
  readBytes: bytes * elements,
  rereadBytes: bytes * Math.max(0, byTiles - elements),
});
const tilesOf = ({ batch, heads, queries, readingQueries }: Place): number => batch * heads * Math.ceil(queries / readingQueries);

/** Passes over the candidates of a radix select of 32-bit scores, six bits at a time, and the one that collects. */
const selectPasses = Math.ceil(32 / 6) + 1;

interface SegmentRow<S extends AttentionKernelSegment> {
  /** How many integers it has. */
  integers(segment: S): number;
  /** Tokens of the sequence, where the integers say it. */
  tokens(segment: S, integers: readonly number[]): number;
  work(segment: S, integers: readonly number[], place: Place): KernelWork;
}
const segmentRows: { readonly [K in AttentionKernelSegment['kind']]: SegmentRow<SegmentOf<K>> } = {
  keys: {
    integers: ({ bias, biasRows }) => 7 + (bias ? (biasRows ? 3 : 2) : 0),
    tokens: (_segment, [keys = 0]) => keys,
    work({ causal, window, bias, mask, parts }, [all = 0], place) {
      const { kernel, batch, heads, keyHeads, queries } = place;
      const keys = parts ? all / batch : all;
      const pairs = causal
        ? window === null
          ? causalPairs(queries, keys)
          : windowPairs(queries, keys, window)
        : queries * (window === null ? keys : Math.min(keys, window));
      const seen = window === null ? keys : Math.min(keys, window + queries - 1);
      const read = tileKeys({ queries, tile: place.readingQueries }, keys, { causal, window });
      const perHead = seen * (kernel.headSize + kernel.valueSize + (bias ? 1 : 0));
      return addWork(
        attend(place, batch * heads * pairs),
        reading(
          batch * keyHeads * perHead + (mask ? batch * seen : 0),
          batch * heads * read * (kernel.headSize + kernel.valueSize),
        ),
      );
    },
  },
  clusters: {
    integers: ({ expand }) => (expand ? 3 : 2),
    tokens: ({ expand }, [, , keys = 0]) => (expand ? keys : 0),
    work({ expand }, [clusters = 0, capacity = 0, keys = 0], place) {
      const { kernel, batch, heads, keyHeads, queries, tokens } = place;
      const size = kernel.headSize + kernel.valueSize;
      const rows = batch * heads * queries;
      const means = addWork(
        attend(place, rows * clusters),
        reading(batch * keyHeads * clusters * (size + 1), tilesOf(place) * clusters * (size + 1)),
      );
      if (expand === null || clusters === 0) return means;
      // Estimates of all clusters, once for a choice of one's own and twice for that of a tile (ir/ops/select-clusters.ts).
      const shared = 'tile' in expand && expand.tile > 1;
      const passes = shared ? 2 : 1;
      const estimates: KernelWork = {
        ...noWork,
        scalarFlops: passes * rows * clusters * (2 * kernel.headSize + softmaxFlops),
        specialFlops: passes * rows * clusters,
      };
      const chosen = Math.min(clusters, 'count' in expand ? evaluateExpression(expand.count, { tokens }) : mostOf(expand));
      const exact = Math.min(clusters, chosen) * (keys / Math.max(1, capacity));
      const choosers = Math.ceil(queries / kernel.schedule.queryTile);
      // Rows that no tile has chosen are not read; many tiles together read all.
      const readRows = Math.min((clusters * keys) / Math.max(1, capacity), choosers * (heads / keyHeads) * exact);
      return [
        means,
        estimates,
        attend(place, rows * exact),
        reading(
          batch * keyHeads * (readRows * size + 2 * clusters + 1),
          tilesOf(place) * (exact * size + passes * clusters * kernel.headSize),
        ),
      ].reduce(addWork);
    },
  },
  ranked: {
    integers: () => 13,
    tokens: (_segment, [keys = 0]) => keys,
    work({ projectedSize, count, rest }, [keys = 0], place) {
      const { kernel, batch, heads, keyHeads, queries, tokens } = place;
      const rows = batch * heads * queries;
      const ranking: KernelWork = { ...noWork, scalarFlops: selectPasses * rows * keys * (2 * projectedSize + 2) };
      const wanted = Math.min(keys, evaluateExpression(count, { tokens }));
      const size = kernel.headSize + kernel.valueSize + projectedSize;
      return [
        ranking,
        attend(place, rows * (wanted + (rest ? 1 : 0))),
        reading(
          batch * keyHeads * keys * size + rows * projectedSize + batch * keys,
          tilesOf(place) * selectPasses * keys * projectedSize + rows * wanted * (kernel.headSize + kernel.valueSize),
        ),
      ].reduce(addWork);
    },
  },
};
const mostOf = (expand: { readonly count: unknown } | { readonly most: number; readonly share: number | null }): number => {
  if (!('most' in expand)) return 0;
  return expand.share === null ? expand.most : Math.min(expand.most, adaptiveClusters);
};
function rowOf<K extends AttentionKernelSegment['kind']>(segment: { readonly kind: K }): SegmentRow<SegmentOf<K>> {
  return segmentRows[segment.kind];
}
const holds = (range: TokenRange | null, tokens: number): boolean =>
  range === null || (tokens >= (range.atLeast ?? 0) && tokens < (range.below ?? Infinity));

export function attentionWork(kernel: AttentionKernel, { integers }: DispatchNumbers): KernelWork {
  const [batch = 0, heads = 0, keyHeads = 0, queries = 0] = integers;
  let at = 10 + (kernel.logSumExp ? 2 : 0);
  const parts = kernel.segments.map((segment) => {
    const own = integers.slice(at, at + rowOf(segment).integers(segment));
    at += own.length;
    return { segment, own };
  });
  const tokens = Math.max(0, ...parts.map(({ segment, own }) => rowOf(segment).tokens(segment, own)));
  const { queryTile, resident } = kernel.schedule;
  const tiles = Math.ceil(queries / queryTile);
  const workgroups = evaluateSize(attentionItems(kernel, integers), {});
  const together = tiles === 0 ? 1 : Math.ceil(tiles / (workgroups / (batch * heads)));
  const place = { kernel, batch, heads, keyHeads, queries, tokens };
  const work = parts
    .map((part, index) => ({ ...part, readingQueries: index === resident?.segment ? queryTile * together : queryTile }))
    .filter(({ segment }) => holds(segment.tokens, tokens))
    .map(({ segment, own, readingQueries }) => rowOf(segment).work(segment, own, { ...place, readingQueries }))
    .reduce(addWork, noWork);
  const rows = batch * heads * queries;
  return {
    ...work,
    readBytes: work.readBytes + bytes * rows * kernel.headSize,
    writtenBytes: bytes * rows * (kernel.valueSize + (kernel.logSumExp ? 1 : 0)),
    tileFill: queries === 0 ? 1 : queries / (Math.ceil(queries / queryTile) * queryTile),
  };
}
