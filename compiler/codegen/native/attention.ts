/**
 * Attention over segments with an online softmax (Dao et al. 2022, arXiv 2205.14135), one query at a time. The contract is
 * AttentionKernel in compiler/kernel/kernel.ts.
 */
import { addSizes, multiplySizes, type Size } from '../../../ir/size.ts';
import { AtpcError } from '../../../runtime/errors.ts';
import type {
  AttentionKernel,
  AttentionKernelSegment,
  ClustersSegment,
  KeysSegment,
  RankedSegment,
  TokenRange,
} from '../../kernel/kernel.ts';
import { f32Constant, indented, sizeText, type NativeKernel, type SharedText } from './kernel-text.ts';

export function attentionSchedule(): AttentionKernel['schedule'] {
  return { queryTile: 32, keyTile: 64, fewQueries: false };
}

const softmax: SharedText = {
  name: 'attention_softmax',
  text: String.raw`/* What one query has seen so far: the sum of exp(score - most), and of the values by these weights. */
struct attention_row {
  f32 most, sum;
  f32 *result;
};
INLINE f32 attention_score(const f32 *query, const f32 *key, i64 size) {
  vf sum = splat(0.0f);
  for (i64 e = 0; e < size; e += LANES) sum += load_part(query + e, size - e) * load_part(key + e, size - e);
  return sum_of(sum);
}
static void attend(struct attention_row *row, f32 score, f32 mass, const f32 *value, i64 size) {
  if (!(score > -INFINITY)) return;
  const f32 most = score > row->most ? score : row->most;
  const f32 kept = exponential_1(row->most - most), weight = mass * exponential_1(score - most);
  for (i64 e = 0; e < size; e += LANES)
    store_part(row->result + e, load_part(row->result + e, size - e) * kept + weight * load_part(value + e, size - e), size - e);
  row->sum = row->sum * kept + weight;
  row->most = most;
}
/* chosen[i] = 1 for the wanted largest of scores[count] that are above bound, ties to the lower one. */
static void attention_choose(const f32 *scores, i64 count, i64 wanted, f32 bound, i32 *chosen) {
  memset(chosen, 0, (size_t)count * sizeof(i32));
  for (; wanted > 0; wanted--) {
    i64 best = -1;
    for (i64 i = 0; i < count; i++)
      if (!chosen[i] && scores[i] > bound && (best < 0 || scores[i] > scores[best])) best = i;
    if (best < 0) return;
    chosen[best] = 1;
  }
}`,
};

interface SegmentText {
  readonly operands: readonly string[];
  readonly integers: readonly string[];
  /** Floats and integers of scratch, one each for every so many. */
  readonly scores: Size;
  readonly body: string;
}
const within = (range: TokenRange | null, tokens: string): string =>
  range === null ? '1' : `${tokens} >= ${range.atLeast ?? 0}${range.below === undefined ? '' : ` && ${tokens} < ${range.below}`}`;

type SegmentRenderer<S> = (segment: S, p: string, integers: readonly Size[], kernel: AttentionKernel) => SegmentText;
const keys: SegmentRenderer<KeysSegment> = ({ bias, mask, causal, window, tokens }, p) => ({
  operands: [
    `const f32 *${p}key`,
    `const f32 *${p}value`,
    ...(bias ? [`const f32 *${p}bias`] : []),
    ...(mask ? [`const i32 *${p}mask`] : []),
    ...(tokens ? [`const i32 *${p}tokens`] : []),
  ],
  integers: [
    `${p}keys`,
    ...['key_batch', 'key_head', 'key_row', 'value_batch', 'value_head', 'value_row'].map((name) => p + name),
    ...(bias ? [`${p}bias_batch`, `${p}bias_head`] : []),
  ],
  scores: 0,
  body: `if (${within(tokens, `${p}tokens[batch]`)}) {
  const i64 level = index + ${p}keys - queries;
  for (i64 j = ${window === null ? '0' : `maximum(0, level - ${window} + 1)`}; j < ${causal ? `minimum(${p}keys, level + 1)` : `${p}keys`}; j++) {
${mask ? `    if (${p}mask[batch * ${p}keys + j] == 0) continue;\n` : ''}    f32 score = attention_score(q, ${p}key + batch * ${p}key_batch + key_head * ${p}key_head + j * ${p}key_row, head_size) * scale;
${bias ? `    score += ${p}bias[batch * ${p}bias_batch + key_head * ${p}bias_head + j];\n` : ''}    attend(&row, score, 1.0f, ${p}value + batch * ${p}value_batch + key_head * ${p}value_head + j * ${p}value_row, value_size);
  }
}`,
});

const clusters: SegmentRenderer<ClustersSegment> = ({ expand, tokens }, p, [, capacity = 0]) => {
  if (expand && 'tile' in expand && expand.tile !== 1) {
    throw new AtpcError(
      'ATPC-307',
      `The target native chooses clusters for each query by itself, not for ${expand.tile} together.`,
    );
  }
  const needsTokens = tokens !== null || (expand !== null && 'count' in expand);
  const here = `${p}tokens[batch]`;
  const wanted = expand === null ? '0' : 'count' in expand ? sizeText(expand.count, { tokens: here }) : String(expand.most);
  const share = expand !== null && 'share' in expand ? expand.share : null;
  return {
    operands: [
      ...['mean_key', 'mean_value', 'log_mass'].map((name) => `const f32 *${p}${name}`),
      ...(expand
        ? [`const f32 *${p}radius`, `const i32 *${p}offsets`, `const f32 *${p}sorted_key`, `const f32 *${p}sorted_value`]
        : []),
      ...(needsTokens ? [`const i32 *${p}tokens`] : []),
    ],
    integers: [`${p}clusters`, `${p}capacity`, ...(expand ? [`${p}keys`] : [])],
    scores: expand ? capacity : 0,
    body: `if (${p}clusters > 0 && ${within(tokens, here)}) {
  const i64 head_index = batch * key_heads + key_head, first = head_index * ${p}capacity;
${
  expand === null
    ? ''
    : `  f32 *const estimates = scores;
  i32 *const chosen = (i32 *)(scores + ${p}capacity);
  f32 weight = 0.0f, bound = -INFINITY;
  for (i64 e = 0; e < head_size; e++) weight += (q[e] * scale) * (q[e] * scale);
  weight *= ${f32Constant(1)} / (2.0f * head_size);
  for (i64 j = 0; j < ${p}clusters; j++)
    estimates[j] = attention_score(q, ${p}mean_key + (first + j) * head_size, head_size) * scale + ${p}log_mass[first + j] + weight * ${p}radius[first + j];
${
  share === null
    ? ''
    : `  f32 most = row.most;
  for (i64 j = 0; j < ${p}clusters; j++) most = estimates[j] > most ? estimates[j] : most;
  f32 total = row.sum * exponential_1(row.most - most);
  for (i64 j = 0; j < ${p}clusters; j++) total += exponential_1(estimates[j] - most);
  bound = most + logarithm_1(total) + ${f32Constant(Math.log(share))};
`
}  attention_choose(estimates, ${p}clusters, ${wanted}, bound, chosen);
`
}  for (i64 j = 0; j < ${p}clusters; j++) {
${
  expand === null
    ? ''
    : `    if (chosen[j]) {
      const i32 *const offset = ${p}offsets + head_index * (${p}capacity + 1) + j;
      for (i64 i = head_index * ${p}keys + offset[0]; i < head_index * ${p}keys + offset[1]; i++)
        attend(&row, attention_score(q, ${p}sorted_key + i * head_size, head_size) * scale, 1.0f, ${p}sorted_value + i * value_size, value_size);
      continue;
    }
`
}    if (!(${p}log_mass[first + j] > -INFINITY)) continue;
    const f32 score = attention_score(q, ${p}mean_key + (first + j) * head_size, head_size) * scale + ${p}log_mass[first + j];
    attend(&row, score, 1.0f, ${p}mean_value + (first + j) * value_size, value_size);
  }
}`,
  };
};

const strided = ['projected_query', 'projected_key', 'key', 'value'] as const;
const ranked: SegmentRenderer<RankedSegment> = ({ projectedSize, count, rest, tokens }, p, [length = 0]) => {
  const at = (name: (typeof strided)[number], head: string): string =>
    `${p}${name} + batch * ${p}${name}_batch + ${head} * ${p}${name}_head`;
  return {
    operands: [
      ...strided.map((name) => `const f32 *${p}${name}`),
      `const i32 *${p}mask`,
      `const i32 *${p}tokens`,
      ...(rest ? [`const f32 *${p}rest_value`] : []),
    ],
    integers: [`${p}keys`, ...strided.flatMap((name) => ['batch', 'head', 'row'].map((axis) => `${p}${name}_${axis}`))],
    scores: length,
    body: `if (${within(tokens, `${p}tokens[batch]`)}) {
  i32 *const chosen = (i32 *)(scores + ${p}keys);
  const f32 *const projected = ${at('projected_query', 'head')} + index * ${p}projected_query_row;
  for (i64 j = 0; j < ${p}keys; j++)
    scores[j] = ${p}mask[batch * ${p}keys + j] ? attention_score(projected, ${at('projected_key', 'key_head')} + j * ${p}projected_key_row, ${projectedSize}) * scale : -INFINITY;
  attention_choose(scores, ${p}keys, ${sizeText(count, { tokens: `${p}tokens[batch]` })}, -INFINITY, chosen);
  f32 most = -INFINITY, total = 0.0f;
  for (i64 j = 0; j < ${p}keys; j++) {
    if (!chosen[j]) {
      most = scores[j] > most ? scores[j] : most;
      continue;
    }
    attend(&row, attention_score(q, ${at('key', 'key_head')} + j * ${p}key_row, head_size) * scale, 1.0f, ${at('value', 'key_head')} + j * ${p}value_row, value_size);
  }
${
  rest
    ? `  for (i64 j = 0; j < ${p}keys; j++) if (!chosen[j] && most > -INFINITY) total += exponential_1(scores[j] - most);
  if (total > 0.0f) attend(&row, most, total, ${p}rest_value + (batch * key_heads + key_head) * value_size, value_size);
`
    : ''
}}`,
  };
};

const renderers: { readonly [S in AttentionKernelSegment as S['kind']]: SegmentRenderer<S> } = { keys, clusters, ranked };
function renderSegments(kernel: AttentionKernel, integers: readonly Size[]): readonly SegmentText[] {
  let next = 10 + (kernel.logSumExp ? 2 : 0);
  return kernel.segments.map((segment, position) => {
    const text = renderers[segment.kind](segment as never, `segment${position}_`, integers.slice(next), kernel);
    next += text.integers.length;
    return text;
  });
}

/** The result of a query, then scores and choices of the segment at hand. */
export function attentionScratch(kernel: AttentionKernel, integers: readonly Size[]): Size {
  const scores = renderSegments(kernel, integers).map((text) => text.scores);
  return addSizes((kernel.valueSize + 16) * 4, ...scores.map((size) => multiplySizes(8, size)));
}

export function renderAttention(kernel: AttentionKernel): NativeKernel {
  const { headSize, valueSize, scale, logSumExp, schedule } = kernel;
  const segments = renderSegments(kernel, []);
  return {
    operands: [
      'const f32 *query',
      ...segments.flatMap(({ operands }) => operands),
      'f32 *result',
      ...(logSumExp ? ['f32 *log_sum_exp'] : []),
    ],
    integers: [
      ...['batches', 'heads', 'key_heads', 'queries', 'query_batch', 'query_head', 'query_row'],
      ...['result_batch', 'result_head', 'result_row'],
      ...(logSumExp ? ['log_sum_exp_batch', 'log_sum_exp_head'] : []),
      ...segments.flatMap(({ integers }) => integers),
    ],
    uses: [softmax],
    body: `const i64 head_size = ${headSize}, value_size = ${valueSize}, query_tile = ${schedule.queryTile};
const f32 scale = ${f32Constant(scale)};
const i64 tiles = (queries + query_tile - 1) / query_tile;
f32 *const weighted = (f32 *)scratch, *const scores = weighted + value_size + 16;
for (i64 item = begin; item < end; item++) {
  const i64 batch = item / tiles / heads, head = item / tiles % heads, key_head = head / (heads / key_heads);
  const i64 first_query = item % tiles * query_tile;
  for (i64 index = first_query; index < minimum(queries, first_query + query_tile); index++) {
    const f32 *const q = query + batch * query_batch + head * query_head + index * query_row;
    struct attention_row row = {.most = -3.0e38f, .sum = 0.0f, .result = weighted};
    memset(weighted, 0, (size_t)value_size * sizeof(f32));
${indented(segments.map(({ body }) => body).join('\n'), 2)}
    f32 *const out = result + batch * result_batch + head * result_head + index * result_row;
    const f32 factor = row.sum > 0.0f ? 1.0f / row.sum : 0.0f;
    for (i64 e = 0; e < value_size; e++) out[e] = weighted[e] * factor;
${logSumExp ? '    log_sum_exp[batch * log_sum_exp_batch + head * log_sum_exp_head + index] = row.most + logarithm_1(row.sum);\n' : ''}  }
}`,
  };
}
