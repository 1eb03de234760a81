/**
 * Expanded clusters of a group of queries. Estimates are searched by the largest of each few clusters, so that most of them are read
 * once. The tokens of a cluster are read for all queries that chose it while they are in the first-level cache: first their scores,
 * which wait in a row of each query; after its softmax, which is one for many clusters, their values.
 */
import { attentionFrame } from './attention-frame.ts';
import { attentionSelect } from './attention-select.ts';
import { mostGroup } from './attention-tile.ts';
import type { SharedText } from './kernel-text.ts';

/** Clusters of which the largest estimate is kept. */
const blockClusters = 4;
/** Scores of a query that wait for its softmax, and tokens of a cluster that are read together. */
const waitingScores = 1024;
const runTokens = 64;
/** From one query's scores to the next one's: not a power of two, which few places of a cache would hold. */
const waitingStride = waitingScores + 16;

/** Bytes of scratch of a group of queries, in all and for each cluster that there can be. */
export const chosenFixedBytes = mostGroup * waitingStride * 4;
export const chosenClusterBytes = mostGroup * 4 + (2 * mostGroup * 4) / blockClusters + 4 * 4;

export const attentionChosen: SharedText = {
  name: 'attention_chosen',
  uses: [attentionFrame, attentionSelect],
  text: String.raw`/* The clusters of one key/value head, and which are to be expanded: at most 'wanted', with a share those that hold more than it. */
struct clusters {
  i64 count, wanted;
  int by_share;
  f32 log_share;
  const f32 *key, *value, *log_mass, *radius;
  const i32 *offsets;
  const f32 *sorted_key, *sorted_value;
};

/* Clusters of which the largest estimate is kept. */
#define BLOCK ${blockClusters}
#define WAITING ${waitingScores}
#define WAITING_STRIDE ${waitingStride}
#define RUN ${runTokens}
/* What a group of queries needs to choose clusters and to read their tokens. */
struct choice {
  /* f32 [row][WAITING_STRIDE]: scores of tokens, then their weights. */
  f32 *waiting;
  /* f32 [cluster][GROUP]. */
  f32 *scores;
  /* The largest estimates: f32 [block][GROUP], and f32 [row][stride]. */
  f32 *largest, *largest_of_row;
  i64 stride;
  /* Candidates of one query: their blocks (later: the clusters that any query chose), estimates and numbers, and those chosen. */
  i32 *blocks;
  f32 *estimates;
  i32 *numbers, *within;
  /* Bits of the rows that chose a cluster. */
  u32 *rows;
};
INLINE struct choice choice_in(char *own, i64 clusters) {
  struct choice at;
  const i64 padded = (clusters + 63) / 64 * 64;
  at.stride = padded / BLOCK;
  at.waiting = (f32 *)own;
  at.scores = at.waiting + ${mostGroup} * WAITING_STRIDE;
  at.largest = at.scores + padded * GROUP;
  at.largest_of_row = at.largest + at.stride * GROUP;
  at.estimates = at.largest_of_row + at.stride * GROUP;
  at.numbers = (i32 *)(at.estimates + padded);
  at.within = at.numbers + padded;
  at.blocks = at.within + padded;
  at.rows = (u32 *)(at.blocks + padded);
  return at;
}

/* weights[lane] = |scale q|^2 / (2 size): what an estimate gets for each unit of the radius. */
APART void radius_weights(const f32 *panel, i64 size, f32 *weights) {
  for (int half = 0; half < 2; half++) {
    vf sum = splat(0.0f);
    for (i64 e = 0; e < size; e++) sum += load(panel + e * GROUP + half * LANES) * load(panel + e * GROUP + half * LANES);
    store(weights + half * LANES, sum * (0.5f / (f32)size));
  }
}
/* Adds the log masses to scores, and keeps the largest estimate of each block. */
APART void estimate_group(f32 *scores, i64 count, const f32 *log_mass, const f32 *radius, const f32 *weights, f32 *largest) {
  for (i64 first = 0; first < count; first += BLOCK, largest += GROUP) {
    vf most[2] = {splat(-INFINITY), splat(-INFINITY)};
    for (i64 j = first; j < minimum(first + BLOCK, count); j++)
      UNROLL for (int half = 0; half < 2; half++) {
        f32 *const at = scores + j * GROUP + half * LANES;
        const vf score = load(at) + log_mass[j];
        store(at, score);
        most[half] = larger(most[half], score + load(weights + half * LANES) * radius[j]);
      }
    store(largest, most[0]);
    store(largest + LANES, most[1]);
  }
}
/* least[lane] = log Z + log share, Z being the sum of the exponentials of all estimates and of what the softmax so far holds. */
APART void share_bounds(
  const struct clusters *of, const struct choice *at, const f32 *weights, const f32 *maximum, const f32 *sum, f32 *least
) {
  for (int half = 0; half < 2; half++) {
    const vf own = load(maximum + half * LANES), weight = load(weights + half * LANES);
    vf top = own, total[2] = {splat(0.0f), splat(0.0f)};
    for (i64 block = 0; block * BLOCK < of->count; block++) top = larger(top, load(at->largest + block * GROUP + half * LANES));
    for (i64 j = 0; j < of->count; j++)
      total[j & 1] += exponential_below((load(at->scores + j * GROUP + half * LANES) + weight * of->radius[j]) - top);
    const vf all = load(sum + half * LANES) * exponential_below(own - top) + (total[0] + total[1]);
    store(least + half * LANES, (top + logarithm(all)) + of->log_share);
  }
}

/* Marks the clusters that one query expands, and takes them out of the scores; with a share those above 'least'. */
APART void choose_row(const struct clusters *of, const struct choice *at, i64 row, f32 weight, f32 least) {
  f32 *const largest = at->largest_of_row + row * at->stride;
  const i64 blocks = (of->count + BLOCK - 1) / BLOCK;
  i64 end = blocks, found = 0;
  for (; end % LANES != 0; end++) largest[end] = -INFINITY;
  /* As many blocks as there are wanted clusters reach the bound, so at least as many clusters do. */
  const struct bound bound = of->by_share ? (struct bound){least, 0} : (struct bound){bound_below(largest, end, of->wanted), UNLIMITED};
  const i64 candidates = list_within(largest, end, bound, at->blocks);
  for (i64 i = 0; i < candidates; i++)
    for (i64 j = at->blocks[i] * BLOCK; j < minimum((at->blocks[i] + 1) * BLOCK, of->count); j++) {
      const f32 estimate = at->scores[j * GROUP + row] + weight * of->radius[j];
      at->estimates[found] = estimate;
      at->numbers[found] = (i32)j;
      found += of->by_share ? estimate > least : estimate >= bound.threshold;
    }
  i64 chosen = found;
  if (found > of->wanted) {
    i64 padded = found;
    for (; padded % LANES != 0; padded++) at->estimates[padded] = -INFINITY;
    chosen = list_within(at->estimates, padded, find_bound(at->estimates, padded, of->wanted), at->within);
  }
  for (i64 i = 0; i < chosen; i++) {
    const i32 cluster = at->numbers[found > of->wanted ? at->within[i] : i];
    at->scores[cluster * GROUP + row] = -INFINITY;
    at->rows[cluster] |= 1u << row;
  }
}

/* A place among the tokens of the clusters that any query chose, which lie in runs of at most RUN. */
struct place {
  i64 entry;
  i64 token;
};
INLINE i64 run_at(const struct clusters *of, const struct choice *at, struct place place) {
  return minimum(RUN, of->offsets[at->blocks[place.entry] + 1] - place.token);
}
INLINE struct place after_run(const struct clusters *of, const struct choice *at, i64 entries, struct place place) {
  place.token += RUN;
  while (place.entry < entries && place.token >= of->offsets[at->blocks[place.entry] + 1]) {
    place.entry++;
    if (place.entry < entries) place.token = of->offsets[at->blocks[place.entry]];
  }
  return place;
}
INLINE struct place first_run(const struct clusters *of, const struct choice *at, i64 entries) {
  struct place place = {0, entries > 0 ? of->offsets[at->blocks[0]] - RUN : 0};
  return after_run(of, at, entries, place);
}

/* Softmax of the scores that wait, which are of the runs [from, to), and their values. */
APART void finish_waiting(
  const struct attention *tile, const struct row_functions *functions, const struct clusters *of, const struct choice *at, i64 entries,
  i64 first_row, struct place from, struct place to, i64 *filled, i64 value_size
) {
  i64 read[GROUP] = {0};
  for (i64 row = 0; row < GROUP; row++) {
    if (!filled[row]) continue;
    f32 correction, *const result = tile->row_result + (first_row + row) * tile->result_stride;
    softmax_rows(1, at->waiting + row * WAITING_STRIDE, 0, filled[row], tile->row_maximum + first_row + row,
      tile->row_sum + first_row + row, &correction);
    for (i64 c = 0; c < tile->result_stride; c += LANES) store(result + c, load(result + c) * correction);
    filled[row] = 0;
  }
  for (; from.entry != to.entry || from.token != to.token; from = after_run(of, at, entries, from)) {
    const i64 count = run_at(of, at, from);
    for (u32 rows = at->rows[at->blocks[from.entry]]; rows != 0; rows &= rows - 1) {
      const i64 row = __builtin_ctz(rows);
      functions->add_run(at->waiting + row * WAITING_STRIDE + read[row], count, of->sorted_value + from.token * value_size,
        tile->row_result + (first_row + row) * tile->result_stride);
      read[row] += count;
    }
  }
}
APART void attend_chosen_group(
  const struct attention *tile, const struct row_functions *functions, const struct clusters *of, const struct choice *at,
  i64 first_row, i64 head_size, i64 value_size
) {
  i64 entries = 0, filled[GROUP] = {0};
  for (i64 j = 0; j < of->count; j++) {
    at->blocks[entries] = (i32)j;
    entries += at->rows[j] != 0;
  }
  struct place place = first_run(of, at, entries), from = place;
  for (; place.entry < entries; place = after_run(of, at, entries, place)) {
    const i64 count = run_at(of, at, place);
    const u32 rows = at->rows[at->blocks[place.entry]];
    int full = 0;
    for (u32 left = rows; left != 0; left &= left - 1) full |= filled[__builtin_ctz(left)] + count > WAITING;
    if (full) {
      finish_waiting(tile, functions, of, at, entries, first_row, from, place, filled, value_size);
      from = place;
    }
    for (u32 left = rows; left != 0; left &= left - 1) {
      const i64 row = __builtin_ctz(left);
      functions->score_run(tile->row_query + (first_row + row) * tile->query_stride, of->sorted_key + place.token * head_size, count,
        at->waiting + row * WAITING_STRIDE + filled[row]);
      filled[row] += count;
    }
  }
  finish_waiting(tile, functions, of, at, entries, first_row, from, place, filled, value_size);
}

INLINE void expand_tile(
  const struct attention *tile, const int head_size, const int value_size, const int key_tile, const struct row_functions *functions,
  const struct clusters *of
) {
  const struct choice at = choice_in(tile->own, of->count);
  f32 weights[GROUP], least[GROUP] = {0};
  for (i64 first_row = 0; first_row < tile->count; first_row += GROUP) {
    const f32 *const panel = tile->panels + first_row * head_size;
    radius_weights(panel, head_size, weights);
    for (i64 start = 0; start < of->count; start += key_tile) {
      const i64 count = minimum(key_tile, of->count - start);
      score_group(panel, head_size, of->key + start * head_size, head_size, count, at.scores + start * GROUP);
      estimate_group(at.scores + start * GROUP, count, of->log_mass + start, of->radius + start, weights, at.largest + start / BLOCK * GROUP);
    }
    if (of->by_share) share_bounds(of, &at, weights, tile->maximum + first_row, tile->sum + first_row, least);
    columns_to_rows(at.largest, (of->count + BLOCK - 1) / BLOCK, at.largest_of_row, at.stride);
    memset(at.rows, 0, (size_t)of->count * sizeof(u32));
    for (i64 row = 0; row < minimum(GROUP, tile->count - first_row); row++) choose_row(of, &at, row, weights[row], least[row]);
    /* The clusters that are left. */
    for (i64 start = 0; start < of->count; start += key_tile)
      merge_group(tile, value_size, first_row / GROUP, at.scores + start * GROUP, minimum(key_tile, of->count - start),
        of->value + start * value_size, value_size);
    attend_chosen_group(tile, functions, of, &at, first_row, head_size, value_size);
  }
}`,
};
