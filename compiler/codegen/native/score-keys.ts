/**
 * Scores of the keys of a cache of mode stream (ir/cache.ts): what the queries of a block paid to each of them. The lanes are keys,
 * packed once per tile, so that the sums over heads and queries run in order and cross no lanes.
 */
import type { Size } from '../../../ir/size.ts';
import type { ScoreKeysKernel } from '../../kernel/kernel.ts';
import { mostLanes } from './k-means.ts';
import { f32Constant, type NativeKernel, type SharedText } from './kernel-text.ts';

/** Keys a tile; a lane of work is one tile of one key/value head. */
export function scoreKeysSchedule(): ScoreKeysKernel['schedule'] {
  return { keyTile: 64 };
}

/** Panels of keys [keyTile / LANES][headSize][LANES], then the sum of each key. */
export function scoreKeysScratch({ headSize, schedule }: ScoreKeysKernel): Size {
  return schedule.keyTile * (headSize + 1) * 4;
}

const addWeights: SharedText = {
  name: 'add_weights',
  text: String.raw`/* Queries up to which packing the keys takes longer than it saves. */
#define FEW_QUERIES 8

/*
 * sums[lane] += exp(queries[i] . panel[lane] - log_sum_exps[i]) over the queries [from, count) in order, four at a time; query i sees
 * the lanes up to last + i * step.
 */
static void add_weights(
  const f32 *panel, i64 size, const f32 *queries, i64 stride, const f32 *log_sum_exps, i64 log_sum_exp_stride, i64 from, i64 count,
  i64 last, i64 step, f32 *sums
) {
  vf total = load(sums);
  for (i64 first = from; first < count; first += 4) {
    const f32 *query[4];
    vf scores[4] = {{0}};
    for (int i = 0; i < 4; i++) query[i] = queries + minimum(first + i, count - 1) * stride;
    for (i64 e = 0; e < size; e++) {
      const vf key = load(panel + e * LANES);
      for (int i = 0; i < 4; i++) scores[i] += query[i][e] * key;
    }
    for (int i = 0; i < 4; i++) {
      if (first + i >= count) break;
      const vf weight = exponential(scores[i] - log_sum_exps[(first + i) * log_sum_exp_stride]);
      const i64 limit = minimum(last + (first + i) * step, LANES);
      total += (vf)((vi)weight & (lane_numbers() <= (i32)maximum(limit, -1)));
    }
  }
  store(sums, total);
}

/* The same for few queries that see all lanes, of count keys as rows, which are not worth packing. */
INLINE void add_few_weights(
  const f32 *keys, i64 size, f32 scale, const f32 *queries, i64 stride, const f32 *log_sum_exps, i64 log_sum_exp_stride, i64 few,
  i64 count, f32 *sums
) {
  vf scores[FEW_QUERIES] = {{0}};
  for (i64 lane = 0; lane < count; lane++)
    for (i64 i = 0; i < few; i++) {
      vf sum = splat(0.0f);
      for (i64 e = 0; e < size; e += LANES)
        sum += load_part(queries + i * stride + e, size - e) * load_part(keys + lane * size + e, size - e);
      ((f32 *)&scores[i])[lane] = sum_of(sum) * scale;
    }
  vf total = splat(0.0f);
  for (i64 i = 0; i < few; i++) total += exponential(scores[i] - log_sum_exps[i * log_sum_exp_stride]);
  store(sums, total);
}`,
};

export function renderScoreKeys({ headSize, atoms, scale, decay, schedule }: ScoreKeysKernel): NativeKernel {
  const { keyTile } = schedule;
  if (keyTile % mostLanes !== 0) throw new RangeError(`Tiles of keys are multiples of ${mostLanes}; this is ${keyTile}.`);
  return {
    operands: ['const f32 *query', 'const f32 *log_sum_exp', 'const f32 *key', 'f32 *score', 'i32 *position'],
    integers: [
      ...['heads', 'key_heads', 'queries', 'query_head', 'query_row', 'log_sum_exp_head'],
      ...['rows', 'atoms_used', 'exact', 'start', 'begins_block'],
    ],
    uses: [addWeights],
    body: `const i64 head_size = ${headSize}, atoms = ${atoms}, key_tile = ${keyTile};
const f32 scale = ${f32Constant(scale)};
f32 *const panels = (f32 *)scratch, *const sums = panels + key_tile * head_size;
const i64 tiles = (rows + key_tile - 1) / key_tile, heads_per_key_head = heads / key_heads;
const i64 end_row = atoms + exact, first_new = end_row - queries;
const f32 factor = begins_block ? ${f32Constant(decay)} : 1.0f;
// one query a head: the heads are the rows
const i64 outer = queries == 1 ? 1 : heads_per_key_head, inner = queries == 1 ? heads_per_key_head : queries;
const i64 stride = queries == 1 ? query_head : query_row, sum_stride = queries == 1 ? log_sum_exp_head : 1, step = queries != 1;
for (i64 item = begin; item < end; item++) {
  const i64 key_head = item / tiles, first = item % tiles * key_tile, count = minimum(first + key_tile, end_row) - first;
  // a tile between the atoms in use and the exact rows, or after them, has nothing to do
  if (count <= 0 || (first >= atoms_used && first + count <= atoms)) continue;
  const i64 first_row = key_head * rows + first, groups = (count + LANES - 1) / LANES;
  const f32 *const key_rows = key + first_row * head_size;
  const f32 *const first_query = query + key_head * heads_per_key_head * query_head;
  const f32 *const first_sum = log_sum_exp + key_head * heads_per_key_head * log_sum_exp_head;
  if (queries == 1 && inner <= FEW_QUERIES) {
    for (i64 group = 0; group < groups; group++)
      add_few_weights(key_rows + group * LANES * head_size, head_size, scale, first_query, stride, first_sum, sum_stride, inner,
        minimum(LANES, count - group * LANES), sums + group * LANES);
  } else {
    for (i64 i = 0; i < groups * LANES; i++) {
      f32 *const to = panels + i / LANES * head_size * LANES + i % LANES;
      for (i64 e = 0; e < head_size; e++) to[e * LANES] = key_rows[minimum(i, count - 1) * head_size + e] * scale;
    }
    memset(sums, 0, (size_t)key_tile * sizeof(f32));
    // queries before this one see no key of the tile
    const i64 from = queries == 1 ? 0 : maximum(0, first - first_new);
    for (i64 head = 0; head < outer; head++)
      for (i64 group = 0; group < groups; group++)
        add_weights(panels + group * head_size * LANES, head_size, first_query + head * query_head, stride,
          first_sum + head * log_sum_exp_head, sum_stride, from, inner, first_new - first - group * LANES, step,
          sums + group * LANES);
  }
  for (i64 i = 0; i < count; i++) {
    const i64 row = first + i;
    if (row >= atoms_used && row < atoms) continue;
    const i64 is_new = row >= first_new;
    if (is_new) position[first_row + i] = (i32)(start + row - first_new);
    score[first_row + i] = (is_new ? 0.0f : factor * score[first_row + i]) + sums[i];
  }
}`,
  };
}
