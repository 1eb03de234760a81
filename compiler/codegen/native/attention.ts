/**
 * Attention over segments as a flash kernel (Dao et al. 2022, arXiv 2205.14135): for a tile of queries of one head, all
 * segments are read in order with an online softmax, so that nothing of size queries x keys exists, and segments of any kind
 * merge by their log sum exp. The contract is AttentionKernel in compiler/kernel/attention-kernels.ts.
 */
import { attentionIntegers } from '../attention-integers.ts';
import { attentionScratchBytes, type SegmentNeeds } from '../attention-scratch.ts';
import type { Size } from '../../../ir/size.ts';
import type { AttentionKernel, AttentionKernelSegment, KeysSegment, TokenRange } from '../../kernel/kernel.ts';
import { clustersParameters, clustersScratch, clustersText } from './attention-clusters.ts';
import { fewQueries, mostRows } from './attention-few.ts';
import { attentionFrame, rowFunctions, rowFunctionsName, scratchLayout, tileStatement } from './attention-frame.ts';
import type { ScratchLayout, SegmentContext, SegmentText } from './attention-frame.ts';
import { rankedParameters, rankedScratch, rankedText } from './attention-ranked.ts';
import { f32Constant, indented, type NativeKernel } from './kernel-text.ts';

/** Tiles that were best on the sizes measured (heads of 32 and 64): docs/benchmarks.md. */
export function attentionSchedule(_headSize: number, _valueSize: number, decodes = false): AttentionKernel['schedule'] {
  return { queryTile: 64, keyTile: 64, fewQueries: decodes };
}

interface SegmentRenderer<S extends AttentionKernelSegment> extends SegmentNeeds<S> {
  text(segment: S, context: SegmentContext): SegmentText;
}

const keysRenderer: SegmentRenderer<KeysSegment> = {
  parameters: ({ bias, mask, tokens }) => ({
    operands: [
      ...['const f32 *key', 'const f32 *value', ...(bias ? ['const f32 *bias'] : [])],
      ...[...(mask ? ['const i32 *mask'] : []), ...(tokens ? ['const i32 *tokens'] : [])],
    ],
    integers: [
      'keys',
      ...['key_batch', 'key_head', 'key_row', 'value_batch', 'value_head', 'value_row'],
      ...(bias ? ['bias_batch', 'bias_head'] : []),
    ],
  }),
  scratch: () => 0,
  text({ bias, mask, causal, window }, { own, sizes, functions }) {
    const at = (name: string): string => `${own(name)} + batch * ${own(`${name}_batch`)} + key_head * ${own(`${name}_head`)}`;
    const level = `${own('keys')} - queries`;
    const fields = [
      `.key = ${at('key')}, .key_stride = ${own('key_row')},`,
      `.value = ${at('value')}, .value_stride = ${own('value_row')},`,
      `.end = ${own('keys')},`,
      ...(bias ? [`.bias = ${at('bias')},`] : []),
      ...(mask ? [`.mask = ${own('mask')} + batch * ${own('keys')},`] : []),
      `.from = ${window === null ? '-ANYWHERE' : `${level} + ${1 - window}`}, .to = ${causal ? level : 'ANYWHERE'},`,
    ];
    return {
      uses: [attentionFrame],
      text: `const struct key_rows rows = {\n${indented(fields.join('\n'))}\n};\nattend_keys(&tile, ${sizes}, ${functions}, &rows);`,
    };
  },
};

const segmentRenderers: { readonly [S in AttentionKernelSegment as S['kind']]: SegmentRenderer<S> } = {
  keys: keysRenderer,
  clusters: { parameters: clustersParameters, scratch: clustersScratch, text: clustersText },
  ranked: { parameters: rankedParameters, scratch: rankedScratch, text: rankedText },
};
function rendererOf<S extends AttentionKernelSegment>(segment: S): SegmentRenderer<S> {
  return segmentRenderers[segment.kind] as unknown as SegmentRenderer<S>;
}

export function attentionScratch(kernel: AttentionKernel, integers: readonly Size[]): Size {
  return attentionScratchBytes(kernel, integers, scratchLayout(kernel).segments, rendererOf);
}

/** Runs a text where the sequence has a number of tokens inside the range. */
function whereTokens(range: TokenRange | null, tokens: string, text: string): string {
  if (range === null) return `{\n${indented(text)}\n}`;
  const bounds = [`${tokens} >= ${range.atLeast ?? 0}`, ...(range.below === undefined ? [] : [`${tokens} < ${range.below}`])];
  return `if (${bounds.join(' && ')}) {\n${indented(text)}\n}`;
}

export function renderAttention(kernel: AttentionKernel): NativeKernel {
  const { headSize, valueSize, schedule } = kernel;
  const layout = scratchLayout(kernel);
  const functions = layout.byRows ? rowFunctions(headSize, valueSize) : null;
  const segments = kernel.segments.map((segment, position) => {
    const { operands, integers } = rendererOf(segment).parameters(segment);
    const own = (name: string): string => `segment${position}_${name}`;
    const { uses, text } = rendererOf(segment).text(segment, {
      kernel,
      own,
      sizes: `${headSize}, ${valueSize}, ${schedule.keyTile}`,
      functions: functions === null ? 'NULL' : `&${rowFunctionsName(headSize, valueSize)}`,
    });
    return {
      operands: operands.map((declaration) => declaration.replace('*', `*${own('')}`)),
      integers: integers.map(own),
      uses,
      text: `// segment of ${segment.kind}\n${whereTokens(segment.tokens, `${own('tokens')}[batch]`, text)}`,
    };
  });
  return {
    operands: [
      'const f32 *query',
      ...segments.flatMap(({ operands }) => operands),
      'f32 *result',
      ...(kernel.logSumExp ? ['f32 *log_sum_exp'] : []),
    ],
    integers: [...attentionIntegers(kernel), ...segments.flatMap(({ integers }) => integers)],
    uses: [attentionFrame, ...(functions === null ? [] : [functions]), ...segments.flatMap(({ uses }) => uses)],
    body: body(kernel, layout, segments.map(({ text }) => text).join('\n')),
  };
}

function body(
  { headSize, valueSize, scale, schedule, logSumExp }: AttentionKernel,
  layout: ScratchLayout,
  segments: string,
): string {
  const few = schedule.fewQueries ? Math.min(fewQueries, schedule.queryTile) : 0;
  const heads = `item % (heads * tiles) / tiles`;
  const together =
    few === 0
      ? 'const i64 heads_here = 1;'
      : `// the heads that follow read the same keys and values, if they are of the same key/value head
const i64 heads_here = queries > ${few} ? 1
  : minimum(minimum(heads_per_key_head - head % heads_per_key_head, ${mostRows} / queries), end - item);
tile.by_rows = tile.count <= ${few};`;
  const rowSetup = layout.byRows
    ? `${layout.chooses ? '' : 'if (tile.by_rows)\n'}for (i64 own_head = 0; own_head < heads_here; own_head++)
  begin_rows(&tile, own_head * tile.count, first_row + own_head * query_head, query_row, ${headSize}, scale);`
    : '';
  const sums = logSumExp
    ? 'log_sum_exp + batch * log_sum_exp_batch + head * log_sum_exp_head + first_query, log_sum_exp_head'
    : 'NULL, 0';
  return `const i64 tiles = (queries + ${schedule.queryTile - 1}) / ${schedule.queryTile}, heads_per_key_head = heads / key_heads;
const f32 scale = ${f32Constant(scale)};
${tileStatement(layout)}
tile.queries = queries;
for (i64 item = begin; item < end;) {
  const i64 batch = item / (heads * tiles), head = ${heads}, key_head = head / heads_per_key_head;
  const i64 first_query = item % tiles * ${schedule.queryTile};
  tile.first_query = first_query;
  tile.count = minimum(${schedule.queryTile}, queries - first_query);
${indented(together)}
  tile.rows = heads_here * tile.count;
  const f32 *const first_row = query + batch * query_batch + head * query_head + first_query * query_row;
  if (!tile.by_rows) begin_groups(&tile, first_row, query_row, ${headSize}, ${valueSize}, scale);
${indented(rowSetup)}
${indented(segments)}
  f32 *const out = result + batch * result_batch + head * result_head + first_query * result_row;
${indented(
  layout.byRows
    ? `if (tile.by_rows) end_rows(&tile, ${valueSize}, out, result_head, result_row, ${sums});
else end_groups(&tile, ${valueSize}, ${layout.chooses ? 1 : 0}, out, result_row, ${sums.replace(/, [^,]*$/, '')});`
    : `end_groups(&tile, ${valueSize}, 0, out, result_row, ${sums.replace(/, [^,]*$/, '')});`,
)}
  item += heads_here;
}`;
}
