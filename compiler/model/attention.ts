import type { VisibleRule } from '../../ir/ops/attributes.ts';
import { fixed, holds, sameDim } from './check.ts';
import type {
  AttentionDims,
  AttentionKey,
  AttentionMask,
  AttentionQuery,
  AttentionValue,
  Holds,
  NamesOf,
  RopePositions,
} from './dimension-types.ts';
import type { Dim } from './dim.ts';
import { fail } from './fail.ts';
import { formatDims, record, recorded, tensor, type AnyTensor, type Tensor } from './tensor.ts';

/** M is the type of the mask. */
export interface AttentionOptions<M> {
  /** bool [batch, tokens of key]: true is a token, false is padding, which no query sees. */
  readonly mask?: M;
  /** Each query sees the keys up to its own position. */
  readonly causal?: boolean;
  /** Each query sees so many keys up to its own position. */
  readonly window?: number;
  /** Factor of the scores; 1 / sqrt(head size) unless said. */
  readonly scale?: number;
}

/**
 * softmax(query key^T * scale) value: query [batch, heads, tokens, headSize], key [batch, kvHeads, keyTokens, headSize], value
 * [batch, kvHeads, keyTokens, valueSize] -> [batch, heads, tokens, valueSize]. heads is a multiple of kvHeads. A query that
 * sees no key at all gives zeros.
 */
export function attention<Q extends AnyTensor, K extends AnyTensor, V extends AnyTensor, M extends AnyTensor = AnyTensor>(
  query: AttentionQuery<Q>,
  key: AttentionKey<Q, K>,
  value: AttentionValue<K, V>,
  options?: AttentionOptions<AttentionMask<K, M>>,
): Tensor<'f32', AttentionDims<Q, V>>;
export function attention(
  query: AnyTensor,
  key: AnyTensor,
  value: AnyTensor,
  options: AttentionOptions<AnyTensor> = {},
): AnyTensor {
  const [batch, heads, tokens, headSize] = rank4('query', query);
  const [keyBatch, keyHeads, keyTokens, keySize] = rank4('key', key);
  const [valueBatch, valueHeads, valueTokens, valueSize] = rank4('value', value);
  if (batch.name !== keyBatch.name || headSize.name !== keySize.name) {
    fail(
      `attention: query is ${formatDims(query.dims)} but key is ${formatDims(key.dims)}; the first and the last dimension must be the same`,
    );
  }
  sameDim('attention', 'query', batch, 'key', keyBatch);
  sameDim('attention', 'query', headSize, 'key', keySize);
  if (keyBatch.name !== valueBatch.name || keyHeads.name !== valueHeads.name || keyTokens.name !== valueTokens.name) {
    fail(
      `attention: key is ${formatDims(key.dims)} but value is ${formatDims(value.dims)}; the first three dimensions must be the same`,
    );
  }
  sameDim('attention', 'key', keyBatch, 'value', valueBatch);
  sameDim('attention', 'key', keyHeads, 'value', valueHeads);
  sameDim('attention', 'key', keyTokens, 'value', valueTokens);
  const [headCount, keyHeadCount] = [fixed('attention', heads).size, fixed('attention', keyHeads).size];
  if (headCount % keyHeadCount !== 0) {
    fail(`attention: '${heads.name}' is ${headCount}, not a multiple of '${keyHeads.name}', which is ${keyHeadCount}`);
  }
  const visible: VisibleRule[] = [];
  const masks: AnyTensor[] = [];
  if (options.causal === true) visible.push({ rule: 'causal' });
  if (options.window !== undefined) visible.push({ rule: 'window', size: options.window });
  if (options.mask !== undefined) {
    const { mask } = options;
    holds('attention', 'mask', mask, 'bool');
    if (formatDims(mask.dims) !== formatDims([keyBatch, keyTokens])) {
      fail(`attention: mask is ${formatDims(mask.dims)} but the keys are ${formatDims([keyBatch, keyTokens])}`);
    }
    sameDim('attention', 'mask', mask.dims[1] as Dim, 'key', keyTokens);
    visible.push({ rule: 'padding' });
    masks.push(mask);
  }
  const scale = options.scale ?? 1 / Math.sqrt(fixed('attention', headSize).size);
  const inputs = [query, key, value, ...masks].map((input) => input[recorded]);
  const attributes = { scale, segments: [{ scored: false, bias: false, visible }] };
  return tensor('f32', [batch, heads, tokens, valueSize], record('attention', attributes, inputs));
}
function rank4(argument: string, x: AnyTensor): readonly [Dim, Dim, Dim, Dim] {
  holds('attention', argument, x, 'f32');
  const [a, b, c, d] = x.dims;
  if (a && b && c && d && x.dims.length === 4) return [a, b, c, d];
  return fail(
    `attention: ${argument} is ${formatDims(x.dims)} but the call takes four dimensions: batch, heads, tokens, head size`,
  );
}

export interface RopeOptions {
  /** Base of the frequencies. */
  readonly theta: number;
  /** Positions go from 0 to maxPositions - 1. */
  readonly maxPositions: number;
  /** Divisors of the headSize / 2 frequencies, where they are scaled. */
  readonly divisors?: readonly number[];
}
/** Rotary position embedding of x [batch, heads, tokens, headSize] at positions i32 [tokens] or [batch, tokens]. */
export function rope<X extends AnyTensor, P extends AnyTensor>(
  x: Holds<'rope', 'x', X, 'f32'>,
  positions: RopePositions<X, P>,
  options: RopeOptions,
): Tensor<'f32', NamesOf<X>>;
export function rope(x: AnyTensor, positions: AnyTensor, options: RopeOptions): AnyTensor {
  holds('rope', 'x', x, 'f32');
  holds('rope', 'positions', positions, 'i32');
  const [batch, , tokens] = x.dims;
  const found = formatDims(positions.dims);
  if (!batch || !tokens || x.dims.length !== 4) {
    return fail(`rope: x is ${formatDims(x.dims)} but the call takes four dimensions: batch, heads, tokens, head size`);
  }
  if (found !== formatDims([tokens]) && found !== formatDims([batch, tokens])) {
    fail(
      `rope: positions is ${found} but x is ${formatDims(x.dims)}; it takes ${formatDims([tokens])} or ${formatDims([batch, tokens])}`,
    );
  }
  const { theta, maxPositions, divisors = [] } = options;
  return tensor('f32', x.dims, record('rope', { theta, maxPositions, divisors }, [x[recorded], positions[recorded]]));
}
