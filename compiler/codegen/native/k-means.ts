/**
 * The k-means of one block of keys (atp-modes.md, expand), and the results of its clusters. In the distances the lanes are tokens,
 * packed once per block, so that the centres stay rows and the best centre of a token is found without crossing lanes.
 */
import type { SharedText } from './kernel-text.ts';
import { meanRows } from './mean-rows.ts';

/** The most lanes of a vector: scratch is the same at every level. */
export const mostLanes = 16;

/** Bytes from the start of scratch. */
export interface KMeansLayout {
  /** Clusters of a block at most. */
  readonly capacity: number;
  /** f32 [tokens of a block / LANES][headSize][LANES]. */
  readonly panels: number;
  /** f32 [capacity][headSize]. */
  readonly centres: number;
  /** -|c|^2 / 2 of each centre. */
  readonly halves: number;
  /** i32, one for each token of a block. */
  readonly assignment: number;
  /** i32 [capacity]: the end of each cluster in `members`, the tokens of a block in order of cluster. */
  readonly ends: number;
  readonly members: number;
  /** Where the scratch of a kernel itself begins. */
  readonly end: number;
}
export function kMeansLayout(headSize: number, blockTokens: number, capacity: number): KMeansLayout {
  const tokens = Math.ceil(blockTokens / mostLanes) * mostLanes;
  let used = 0;
  const place = (elements: number): number => {
    const at = used;
    used += Math.ceil(elements / 16) * 64;
    return at;
  };
  return {
    capacity,
    panels: place(tokens * headSize),
    centres: place(capacity * headSize),
    halves: place(capacity),
    assignment: place(tokens),
    ends: place(capacity),
    members: place(tokens),
    end: place(0),
  };
}
/** Declares `work`, the places of a layout in scratch. */
export function kMeansPlaces(layout: KMeansLayout): string {
  const places = (['panels', 'centres', 'halves'] as const).map((name) => `.${name} = (f32 *)(scratch + ${layout[name]})`);
  const lists = (['assignment', 'ends', 'members'] as const).map((name) => `.${name} = (i32 *)(scratch + ${layout[name]})`);
  return `const struct k_means work = {${[...places, ...lists].join(', ')}};`;
}

export const kMeans: SharedText = {
  name: 'k_means',
  uses: [meanRows],
  text: String.raw`/* Where the k-means of a block works. */
struct k_means {
  f32 *panels, *centres, *halves;
  i32 *assignment, *ends, *members;
};
/* The keys and values of one key/value head, and where its clusters go. */
struct clustered_head {
  i64 head_size, value_size;
  const f32 *key, *value;
  i64 key_stride, value_stride;
  i32 *offsets;
  f32 *mean_key, *mean_value, *log_mass, *radius;
};

/* assignment[i] = the centre j of largest x_i . c_j - |c_j|^2 / 2, ties to the lowest; two vectors of tokens and four centres at a time. */
static void assign_tokens(const struct k_means work, i64 groups, i64 size, i64 used) {
  for (i64 group = 0; group < groups; group += 2) {
    const i64 second = minimum(group + 1, groups - 1);
    const f32 *const x0 = work.panels + group * size * LANES, *const x1 = work.panels + second * size * LANES;
    vf best[2] = {splat(-INFINITY), splat(-INFINITY)};
    vi choice[2] = {splat_i(0), splat_i(0)};
    for (i64 first = 0; first < used; first += 4) {
      const f32 *centre[4];
      vf sums[4][2] = {{{0}}};
      for (i64 c = 0; c < 4; c++) centre[c] = work.centres + minimum(first + c, used - 1) * size;
      for (i64 e = 0; e < size; e++) {
        const vf a = load(x0 + e * LANES), b = load(x1 + e * LANES);
        for (int c = 0; c < 4; c++) {
          sums[c][0] += centre[c][e] * a;
          sums[c][1] += centre[c][e] * b;
        }
      }
      /* Beyond the last centre it comes once more, and is not better than itself. */
      for (int c = 0; c < 4; c++)
        for (int half = 0; half < 2; half++) {
          const vf value = sums[c][half] + work.halves[minimum(first + c, used - 1)];
          const vi better = value > best[half];
          choice[half] = select_i(better, splat_i((i32)(first + c)), choice[half]);
          best[half] = select_f(better, value, best[half]);
        }
    }
    store_i(work.assignment + group * LANES, choice[0]);
    store_i(work.assignment + second * LANES, choice[second - group]);
  }
}

/* Sorts [0, count) by assignment, keeping the order within a cluster; members become positions[those]. */
static void sort_by_cluster(const struct k_means work, const i32 *positions, i64 count, i64 used) {
  memset(work.ends, 0, (size_t)used * sizeof(i32));
  for (i64 i = 0; i < count; i++) work.ends[work.assignment[i]]++;
  i32 start = 0;
  for (i64 j = 0; j < used; j++) {
    const i32 size = work.ends[j];
    work.ends[j] = start;
    start += size;
  }
  for (i64 i = 0; i < count; i++) work.members[work.ends[work.assignment[i]]++] = positions[i];
}

/* Assigns the tokens at positions[count] to used clusters, and sorts them by it into work.members. */
static void cluster_tokens(
  const struct k_means work, const struct clustered_head *head, const i32 *positions, i64 count, i64 used, i64 iterations
) {
  const i64 size = head->head_size, groups = (count + LANES - 1) / LANES;
  for (i64 i = 0; i < groups * LANES; i++) {
    const f32 *const row = head->key + positions[minimum(i, count - 1)] * head->key_stride;
    f32 *const to = work.panels + i / LANES * size * LANES + i % LANES;
    for (i64 e = 0; e < size; e++) to[e * LANES] = row[e];
  }
  /* Centres start at tokens floor((2 j + 1) n / 2 C). */
  for (i64 j = 0; j < used; j++) {
    const i64 token = (2 * j + 1) * count / (2 * used);
    memcpy(work.centres + j * size, head->key + positions[token] * head->key_stride, (size_t)size * sizeof(f32));
  }
  for (i64 iteration = 0;;) {
    for (i64 j = 0; j < used; j++) {
      vf sum = splat(0.0f);
      for (i64 e = 0; e < size; e += LANES) {
        const vf x = load_part(work.centres + j * size + e, size - e);
        sum += x * x;
      }
      work.halves[j] = -0.5f * sum_of(sum);
    }
    assign_tokens(work, groups, size, used);
    sort_by_cluster(work, positions, count, used);
    if (++iteration >= iterations) return;
    /* The means of the members; an empty cluster keeps its centre. */
    for (i64 j = 0, from = 0; j < used; from = work.ends[j++]) {
      const i64 members = work.ends[j] - from;
      if (members > 0) mean_of_rows(work.members + from, members, head->key, head->key_stride, size, work.centres + j * size);
    }
  }
}

/* The mean of |row - mean|^2 over listed rows; 0 for none. */
static f32 mean_squared_distance(const i32 *list, i64 count, const f32 *rows, i64 stride, i64 size, const f32 *mean) {
  vf sum = splat(0.0f);
  for (i64 i = 0; i < count; i++)
    for (i64 e = 0; e < size; e += LANES) {
      const vf difference = load_part(rows + list[i] * stride + e, size - e) - load_part(mean + e, size - e);
      sum += difference * difference;
    }
  return sum_of(sum) / (f32)maximum(count, 1);
}

/* The results of the clusters [cluster, cluster + used), whose tokens stand in work.members; start is the offset of the first of them. */
static void cluster_results(const struct k_means work, const struct clustered_head *head, i64 start, i64 cluster, i64 used) {
  for (i64 j = 0, from = 0; j < used; from = work.ends[j++]) {
    const i64 row = cluster + j, count = work.ends[j] - from;
    const i32 *const members = work.members + from;
    f32 *const mean = head->mean_key + row * head->head_size;
    mean_of_rows(members, count, head->key, head->key_stride, head->head_size, mean);
    mean_of_rows(members, count, head->value, head->value_stride, head->value_size, head->mean_value + row * head->value_size);
    head->log_mass[row] = log_of_count(count);
    head->radius[row] = mean_squared_distance(members, count, head->key, head->key_stride, head->head_size, mean);
    head->offsets[row] = (i32)(start + from);
  }
}
/* Clusters [from, to) are empty ranges at offset. */
static void empty_clusters(const struct clustered_head *head, i64 from, i64 to, i64 offset) {
  for (i64 row = from; row < to; row++) {
    memset(head->mean_key + row * head->head_size, 0, (size_t)head->head_size * sizeof(f32));
    memset(head->mean_value + row * head->value_size, 0, (size_t)head->value_size * sizeof(f32));
    head->log_mass[row] = -INFINITY;
    head->radius[row] = 0.0f;
    head->offsets[row] = (i32)offset;
  }
}`,
};
