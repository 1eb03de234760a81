/**
 * The segment of principal keys (atp-modes.md, expand): every query reads all clusters by mean key and log mass, except the
 * best by the second-order estimate e_j = s_j + scale^2 |q|^2 rho_j / (2 e), whose tokens it reads exactly: a number of them, or
 * those that hold more than a share of everything that the query sees.
 */
import { addSizes, multiplySizes } from '../../../ir/size.ts';
import type { Size } from '../../../ir/size.ts';
import type { ClustersSegment } from '../../kernel/kernel.ts';
import type { SegmentParameters } from '../attention-scratch.ts';
import { AtpcError } from '../../../runtime/errors.ts';
import { attentionChosen, chosenClusterBytes, chosenFixedBytes } from './attention-chosen.ts';
import { attentionFrame } from './attention-frame.ts';
import type { SegmentContext, SegmentText } from './attention-frame.ts';
import { listKeys, mostRows } from './attention-few.ts';
import { candidateBytes, candidateRoom } from './attention-select.ts';
import { f32Constant, indented, sizeText, type SharedText } from './kernel-text.ts';

export function clustersParameters({ expand, tokens }: ClustersSegment): SegmentParameters {
  return {
    operands: [
      ...['mean_key', 'mean_value', 'log_mass'].map((name) => `const f32 *${name}`),
      ...(expand ? ['const f32 *radius', 'const i32 *offsets', 'const f32 *sorted_key', 'const f32 *sorted_value'] : []),
      ...(tokens || countOf(expand) !== null ? ['const i32 *tokens'] : []),
    ],
    integers: ['clusters', 'capacity', ...(expand ? ['keys'] : [])],
  };
}
/** The number of clusters to expand as a size of "tokens", where that is the rule. */
function countOf(expand: ClustersSegment['expand']): Size | null {
  return expand !== null && 'count' in expand ? expand.count : null;
}
/** What a cluster must hold of a query's softmax to be expanded, where there is such a rule. */
function shareOf(expand: ClustersSegment['expand']): number | null {
  return expand !== null && 'share' in expand ? expand.share : null;
}

/** Few rows: tokens and lengths, then scores, estimates and a list of each row, and candidates of one; groups: as they need it. */
const rowsFixedBytes = (listKeys + 2 * mostRows) * 4 + candidateRoom;
const rowsClusterBytes = 3 * mostRows * 4 + candidateBytes;
export function clustersScratch(segment: ClustersSegment, [, capacity = 0]: readonly Size[]): Size {
  if (segment.expand === null) return 0;
  const [fixed, each] = [Math.max(rowsFixedBytes, chosenFixedBytes), Math.max(rowsClusterBytes, chosenClusterBytes)];
  return addSizes(fixed, multiplySizes(addSizes(capacity, 64), each));
}

/**
 * Bytes of keys and values that all queries of a group read before the next ones are touched: half of a small second-level cache.
 * Without it each query sweeps over all keys by itself.
 */
const sweepBytes = 512 * 1024;

const expandClusters: SharedText = {
  name: 'expand_clusters',
  uses: [attentionChosen],
  text: String.raw`/* Bytes of keys and values that all queries of a group read before the next ones are touched. */
#define SWEEP_BYTES ${sweepBytes}

/* The places in the scratch of a segment of expanded clusters. */
struct expansion {
  i32 *token_list, *lengths, *cursors, *lists;
  f32 *scores, *estimates;
  char *candidates;
  /* From one query's estimates, list, or row of scores to the next one's. */
  i64 stride;
};
INLINE struct expansion expansion_in(char *own, i64 clusters) {
  struct expansion at;
  at.stride = (clusters + 15) / 16 * 16;
  at.token_list = (i32 *)own;
  at.lengths = at.token_list + LIST_KEYS;
  at.cursors = at.lengths + ${mostRows};
  at.scores = (f32 *)(at.cursors + ${mostRows});
  at.estimates = at.scores + ${mostRows} * at.stride;
  at.lists = (i32 *)(at.estimates + ${mostRows} * at.stride);
  at.candidates = (char *)(at.lists + ${mostRows} * at.stride);
  return at;
}

/* Lists the clusters that a query (zeros follow it) expands, from estimates to which it adds what the radii do; (maximum, sum) is its softmax so far. */
APART i64 choose_clusters(
  const struct clusters *of, const f32 *query, i64 head_size, f32 maximum, f32 sum, f32 *estimates, i32 *list, char *candidates
) {
  vf squares = splat(0.0f);
  for (i64 e = 0; e < head_size; e += LANES) squares += load(query + e) * load(query + e);
  const f32 weight = sum_of(squares) * (0.5f / (f32)head_size);
  for (i64 j = 0; j < of->count; j += LANES)
    store_part(estimates + j, load_part(estimates + j, of->count - j) + load_part(of->radius + j, of->count - j) * weight, of->count - j);
  if (of->by_share) return list_shares(estimates, of->count, of->wanted, of->log_share, maximum, sum, list, candidates);
  return list_largest(estimates, of->count, of->wanted, list, candidates);
}

/*
 * The tokens of the listed clusters of the rows [first_row, first_row + rows), in sweeps over the tokens that all of them make
 * together.
 */
APART void attend_chosen(
  const struct attention *tile, const struct row_functions *functions, const struct clusters *of, const struct expansion *at,
  i64 first_row, i64 rows, i64 head_size, i64 value_size
) {
  const i64 step = maximum(64, SWEEP_BYTES / ((head_size + value_size) * (i64)sizeof(f32)));
  const i64 tokens = of->offsets[of->count];
  memset(at->cursors, 0, (size_t)rows * sizeof(i32));
  for (i64 limit = step; limit < tokens + step; limit += step)
    for (i64 row = 0; row < rows; row++) {
      const i32 *const list = at->lists + row * at->stride;
      i64 filled = 0, entry = at->cursors[row];
      for (; entry < at->lengths[row] && of->offsets[list[entry]] < limit; entry++)
        for (i32 token = of->offsets[list[entry]]; token < of->offsets[list[entry] + 1]; token++) {
          at->token_list[filled++] = token;
          if (filled < LIST_KEYS) continue;
          functions->attend_list(tile, first_row + row, at->token_list, filled, of->sorted_key, head_size, of->sorted_value, value_size);
          filled = 0;
        }
      at->cursors[row] = (i32)entry;
      if (filled)
        functions->attend_list(tile, first_row + row, at->token_list, filled, of->sorted_key, head_size, of->sorted_value, value_size);
    }
}

/* Few queries of several heads. */
APART void expand_few(
  const struct attention *tile, i64 head_size, i64 value_size, const struct row_functions *functions, const struct clusters *of
) {
  const struct expansion place = expansion_in(tile->own, of->count), *const at = &place;
  functions->score(tile->rows, tile->row_query, tile->query_stride, of->key, head_size, of->count, at->scores, at->stride,
    NULL, 0);
  for (i64 row = 0; row < tile->rows; row++) {
    f32 *const scores = at->scores + row * at->stride, *const estimates = at->estimates + row * at->stride;
    for (i64 j = 0; j < of->count; j += LANES) {
      const i64 count = of->count - j;
      const vf biased = load_part(scores + j, count) + load_part(of->log_mass + j, count);
      store_part(scores + j, biased, count);
      store_part(estimates + j, biased, count);
    }
    i32 *const list = at->lists + row * at->stride;
    at->lengths[row] = (i32)choose_clusters(of, tile->row_query + row * tile->query_stride, head_size, tile->row_maximum[row],
      tile->row_sum[row], estimates, list, at->candidates);
    for (i64 i = 0; i < at->lengths[row]; i++) scores[list[i]] = -INFINITY;
  }
  for (i64 start = 0; start < of->count; start += FEW_KEYS) {
    const i64 count = minimum(FEW_KEYS, of->count - start);
    softmax_rows(tile->rows, at->scores + start, at->stride, count, tile->row_maximum, tile->row_sum, tile->row_correction);
    functions->add_values(tile->rows, at->scores + start, at->stride, count, of->value + start * value_size, value_size,
      tile->row_result, tile->result_stride, tile->row_correction, NULL, 0);
  }
  attend_chosen(tile, functions, of, at, 0, tile->rows, head_size, value_size);
}

INLINE void expand_clusters(
  const struct attention *tile, const int head_size, const int value_size, const int key_tile, const struct row_functions *functions,
  struct clusters of
) {
  /* Unused clusters stand at the end. */
  while (of.count > 0 && !(of.log_mass[of.count - 1] > -INFINITY)) of.count--;
  if (of.count == 0) return;
  if (tile->by_rows) expand_few(tile, head_size, value_size, functions, &of);
  else expand_tile(tile, head_size, value_size, key_tile, functions, &of);
}`,
};

export function clustersText(segment: ClustersSegment, { kernel, own, sizes, functions }: SegmentContext): SegmentText {
  const { expand } = segment;
  if (expand && 'tile' in expand && expand.tile !== 1) {
    throw new AtpcError(
      'ATPC-307',
      `The target native chooses clusters for each query by itself, not for ${expand.tile} together.`,
    );
  }
  const { headSize, valueSize } = kernel;
  const share = shareOf(expand);
  const count = countOf(expand);
  const means = `.key = ${own('mean_key')} + first_cluster * ${headSize}, .value = ${own('mean_value')} + first_cluster * ${valueSize},`;
  const plain = `const struct key_rows rows = {
  ${means}
  .key_stride = ${headSize}, .value_stride = ${valueSize}, .end = ${own('clusters')}, .bias = ${own('log_mass')} + first_cluster,
  .from = -ANYWHERE, .to = ANYWHERE,
};
attend_keys(&tile, ${sizes}, ${functions}, &rows);`;
  const expanded = (wanted: string): string => `const i64 first_token = (batch * key_heads + key_head) * ${own('keys')};
const struct clusters rows = {
  .count = ${own('clusters')}, .wanted = ${wanted}, .by_share = ${share === null ? 0 : 1}, .log_share = ${f32Constant(share === null ? 0 : Math.log(share))},
  ${means}
  .log_mass = ${own('log_mass')} + first_cluster, .radius = ${own('radius')} + first_cluster,
  .offsets = ${own('offsets')} + first_cluster + batch * key_heads + key_head,
  .sorted_key = ${own('sorted_key')} + first_token * ${headSize}, .sorted_value = ${own('sorted_value')} + first_token * ${valueSize},
};
expand_clusters(&tile, ${sizes}, ${functions}, rows);`;
  const choice = (): string => {
    if (expand === null) return plain;
    if (count === null) return 'most' in expand && expand.most > 0 ? expanded(String(expand.most)) : plain;
    return [
      `const i64 wanted = ${sizeText(count, { tokens: `(i64)${own('tokens')}[batch]` })};`,
      'if (wanted > 0) {',
      indented(expanded('wanted')),
      '} else {',
      indented(plain),
      '}',
    ].join('\n');
  };
  return {
    uses: expand === null ? [attentionFrame] : [expandClusters],
    text: [
      `if (${own('clusters')} > 0) {`,
      `  const i64 first_cluster = (batch * key_heads + key_head) * ${own('capacity')};`,
      indented(choice()),
      '}',
    ].join('\n'),
  };
}
