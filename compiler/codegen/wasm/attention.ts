/**
 * Attention over segments as a flash kernel (Dao et al. 2022, arXiv 2205.14135): for a tile of queries of one head, all
 * segments are read in order with an online softmax, so that nothing of size queries x keys exists, and segments of any kind
 * merge by their log sum exp. The contract is AttentionKernel in compiler/kernel/attention-kernels.ts.
 */
import { attentionIntegers } from '../attention-integers.ts';
import { attentionScratchBytes, type SegmentNeeds } from '../attention-scratch.ts';
import type { Size } from '../../../ir/size.ts';
import { AtpcError } from '../../../runtime/errors.ts';
import type { AttentionKernel, AttentionKernelSegment, KeysSegment } from '../../kernel/kernel.ts';
import { clustersParameters, clustersScratch, emitClusters } from './attention-clusters.ts';
import { fewRows, packFew } from './attention-few.ts';
import { at, emitKeyRows, emitPanels, emitReset, headAddress, scratchLayout, whereTokens } from './attention-frame.ts';
import type { AttentionFrame, SegmentLocals } from './attention-frame.ts';
import { emitRanked, rankedParameters, rankedScratch } from './attention-ranked.ts';
import { panelLanes } from './attention-tile.ts';
import { logF32 } from './math.ts';
import type { KernelContext, KernelParameters } from './wat-builder.ts';
import { f32, f32x4, i32, select, v128 } from './wat-code.ts';
import type { Local } from './wat-code.ts';

/** Tiles that were best on the sizes measured (heads of 32 and 64): docs/benchmarks.md. */
export function attentionSchedule(headSize: number, valueSize: number, decodes = false): AttentionKernel['schedule'] {
  return { queryTile: 32, keyTile: 64, fewQueries: decodes && headSize % 4 === 0 && valueSize % 4 === 0 };
}

interface SegmentRenderer<S extends AttentionKernelSegment> extends SegmentNeeds<S> {
  emit(frame: AttentionFrame, segment: S, locals: SegmentLocals): void;
}

const keysRenderer: SegmentRenderer<KeysSegment> = {
  parameters: ({ bias, mask, tokens }) => ({
    operands: ['key', 'value', ...(bias ? ['bias'] : []), ...(mask ? ['mask'] : []), ...(tokens ? ['tokens'] : [])],
    integers: [
      'keys',
      ...['key_batch', 'key_head', 'key_row', 'value_batch', 'value_head', 'value_row'],
      ...(bias ? ['bias_batch', 'bias_head'] : []),
    ],
  }),
  scratch: () => 0,
  emit(frame, segment, { operand, integer }) {
    const { f, keyHead, batch, queries, firstQuery, rows } = frame;
    if (segment.parts || segment.biasRows)
      throw new AtpcError('ATPC-307', 'The target wasm reads the keys of a sequence in one kernel, not in parts.');
    const keys = integer('keys');
    whereTokens(frame, segment.tokens, segment.tokens && operand('tokens'), () => {
      const address = (base: string, of: string): Local<'i32'> =>
        f.let(base, headAddress(frame, operand(of), keyHead, integer(`${of}_batch`), integer(`${of}_head`)));
      const key = address('key_rows', 'key');
      const value = address('value_rows', 'value');
      const bias = segment.bias ? address('bias_row', 'bias') : null;
      const mask = segment.mask ? f.let('mask_row', f.element(operand('mask'), i32.mul(batch, keys))) : null;
      const to = segment.causal || segment.window !== null ? f.let('level', i32.sub(keys, queries)) : null;
      const from = to !== null && segment.window !== null ? f.let('oldest', i32.add(to, 1 - segment.window)) : null;
      const end = f.let('end_key', keys);
      if (segment.causal && to !== null) f.set(end, f.minimum(keys, i32.add(firstQuery, rows, to)));
      const first = f.let('first_key', from === null ? i32.const(0) : f.maximum(0, i32.add(firstQuery, from)));
      emitKeyRows(frame, {
        key,
        keyStride: f.let('key_stride', i32.shl(integer('key_row'), 2)),
        value,
        valueStride: f.let('value_stride', i32.shl(integer('value_row'), 2)),
        first,
        end,
        bias,
        mask,
        visible: to === null ? null : { from, to: segment.causal ? to : null },
      });
    });
  },
};

const segmentRenderers: { readonly [S in AttentionKernelSegment as S['kind']]: SegmentRenderer<S> } = {
  keys: keysRenderer,
  clusters: { parameters: clustersParameters, scratch: clustersScratch, emit: emitClusters },
  ranked: { parameters: rankedParameters, scratch: rankedScratch, emit: emitRanked },
};
function rendererOf<S extends AttentionKernelSegment>(segment: S): SegmentRenderer<S> {
  return segmentRenderers[segment.kind] as unknown as SegmentRenderer<S>;
}

export function attentionScratch(kernel: AttentionKernel, integers: readonly Size[]): Size {
  return attentionScratchBytes(kernel, integers, scratchLayout(kernel).segments, rendererOf);
}

export function renderAttention(kernel: AttentionKernel, { module, name }: KernelContext): void {
  const { headSize, schedule } = kernel;
  if (schedule.queryTile % panelLanes !== 0 || schedule.keyTile % 4 !== 0) {
    throw new RangeError(
      `Attention tiles are multiples of ${panelLanes} queries and 4 keys; these are ${JSON.stringify(schedule)}.`,
    );
  }
  if (schedule.fewQueries && (headSize % 4 !== 0 || kernel.valueSize % 4 !== 0)) {
    throw new RangeError(`Few queries need heads of a multiple of 4, not of ${headSize} and ${kernel.valueSize}.`);
  }
  const segments = kernel.segments.map((segment, position) => {
    const { operands, integers } = rendererOf(segment).parameters(segment);
    const named = (own: string): string => `segment${position}_${own}`;
    return { segment, named, operands: operands.map(named), integers: integers.map(named) };
  });
  const parameters = {
    operands: ['query', ...segments.flatMap(({ operands }) => operands), 'result', ...(kernel.logSumExp ? ['log_sum_exp'] : [])],
    integers: [...attentionIntegers(kernel), ...segments.flatMap(({ integers }) => integers)],
  };
  const layout = scratchLayout(kernel);
  module.kernel(name, parameters, (f, k) => {
    const [heads, keyHeads, queries] = [k.integer('heads'), k.integer('key_heads'), k.integer('queries')];
    const tiles = f.let('tiles', i32.div_u(i32.add(queries, schedule.queryTile - 1), schedule.queryTile));
    const headsPerKeyHead = f.let('heads_per_key_head', i32.div_u(heads, keyHeads));
    const queryStride = f.let('query_stride', i32.shl(k.integer('query_row'), 2));
    const item = f.local('item', 'i32');
    const row = f.local('row', 'i32');
    f.for(item, k.begin, k.end, 1, () => {
      const outer = f.let('outer', i32.div_u(item, tiles));
      const batch = f.let('batch', i32.div_u(outer, heads));
      const head = f.let('head', i32.rem_u(outer, heads));
      const keyHead = f.let('key_head', i32.div_u(head, headsPerKeyHead));
      const firstQuery = f.let('first_query', i32.mul(i32.rem_u(item, tiles), schedule.queryTile));
      const rows = f.let('rows', f.minimum(schedule.queryTile, i32.sub(queries, firstQuery)));
      const groups = f.let('groups', i32.shr_u(i32.add(rows, panelLanes - 1), 3));
      const query = f.local('query_rows', 'i32');
      const frame: AttentionFrame = {
        f,
        kernel,
        layout,
        scratch: k.scratch,
        batch,
        head,
        keyHead,
        keyHeads,
        queries,
        firstQuery,
        rows,
        groups,
        query,
        queryStride,
      };
      const start = headAddress(frame, k.operand('query'), head, k.integer('query_batch'), k.integer('query_head'));
      f.set(query, i32.add(start, i32.mul(firstQuery, queryStride)));
      f.comment('pack the queries, times the scale');
      emitPanels(frame, query, queryStride, headSize, at(frame, layout.panels));
      if (schedule.fewQueries) {
        const few = at(frame, layout.few);
        f.if(i32.le_s(rows, fewRows), () => f.run(packFew, query, queryStride, rows, headSize, kernel.scale, few));
      }
      emitReset(frame);
      for (const { segment, named } of segments) {
        f.comment(`segment of ${segment.kind}`);
        rendererOf(segment).emit(frame, segment, {
          operand: (own) => k.operand(named(own)),
          integer: (own) => k.integer(named(own)),
        });
      }
      f.comment('divide by the sums; a query that saw no key gives zeros');
      emitResult(frame, k, row);
      if (kernel.logSumExp) emitLogSumExp(frame, k, row);
    });
  });
}

function emitResult(frame: AttentionFrame, k: KernelParameters, row: Local<'i32'>): void {
  const { f, kernel, layout, head, firstQuery, rows } = frame;
  const start = headAddress(frame, k.operand('result'), head, k.integer('result_batch'), k.integer('result_head'));
  const stride = f.let('result_stride', i32.shl(k.integer('result_row'), 2));
  const out = f.let('out', i32.add(start, i32.mul(firstQuery, stride)));
  const from = f.let('from', at(frame, layout.result));
  const column = f.local('column', 'i32');
  f.for(row, 0, rows, 1, () => {
    const sum = f.let('row_sum', f32.load(f.element(at(frame, layout.sum), row)));
    const factor = f.let('factor', select(f32.gt(sum, 0), f32.div(1, sum), f32.const(0)));
    f.for(column, 0, kernel.valueSize & -4, 4, () =>
      f.store(f.element(out, column), f32x4.mul(v128.load(f.element(from, column)), f32x4.splat(factor))),
    );
    for (let tail = kernel.valueSize & -4; tail < kernel.valueSize; tail++) {
      f.store(out, f32.mul(f32.load(from, tail * 4), factor), tail * 4);
    }
    f.increment(out, stride);
    f.increment(from, layout.resultStride);
  });
}

/** The log sum exp of the scores of each query; -inf for a query that saw no key. */
function emitLogSumExp(frame: AttentionFrame, k: KernelParameters, row: Local<'i32'>): void {
  const { f, layout, head, firstQuery, rows } = frame;
  const [batchStride, headStride] = [k.integer('log_sum_exp_batch'), k.integer('log_sum_exp_head')];
  const start = headAddress(frame, k.operand('log_sum_exp'), head, batchStride, headStride);
  const out = f.let('log_sum_exps', f.element(start, firstQuery));
  f.for(row, 0, rows, 1, () => {
    const sum = f.call(logF32, f32.load(f.element(at(frame, layout.sum), row)));
    f.store(f.element(out, row), f32.add(f32.load(f.element(at(frame, layout.maximum), row)), sum));
  });
}
