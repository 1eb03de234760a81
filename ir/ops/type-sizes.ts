/** Sizes read off the types of operands. */
import { elementCount, substituteSize, type Size } from '../size.ts';
import type { TensorType, Type } from '../type.ts';

/** The size that a `count` of "tokens" has at most, given that a sequence has at most `tokens` of them. */
export function countAtMost(count: Size, tokens: Size): Size {
  return substituteSize(count, { tokens });
}
export function sizeOf(type: TensorType, axis: number): Size {
  return type.shape[axis] as Size;
}
export function elementsIn(type: Type | undefined): Size {
  return type?.kind === 'tensor' ? elementCount(type.shape) : 0;
}
