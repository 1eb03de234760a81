/** How the operands of each dispatch are bound, once every buffer has its place. */
import type { Size } from '../../ir/size.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { TargetMemory } from '../codegen/target.ts';
import type { BindingPattern } from '../kernel/binding.ts';
import type { BufferRange, Dispatch } from '../kernel/dispatch.ts';

/** What the plan knows of the buffer of an operand. */
export interface OperandPlace {
  /** Equal for operands that lie in one buffer of the device. */
  readonly device: string;
  /** Elements from the start of that buffer to the start of the operand's. */
  readonly offset: Size;
}

/** Throws ATPC-307 where a kernel would need more buffers than the target has. */
export function bindOperands(
  dispatch: Dispatch,
  memory: Extract<TargetMemory, { kind: 'buffers' }>,
  placeOf: (range: BufferRange) => OperandPlace,
  usesScratch = false,
): BindingPattern {
  const ranges = [...dispatch.reads, ...dispatch.writes];
  const strides = memory.vectorStrides(dispatch.kernel, dispatch.integers);
  const devices: string[] = [];
  const written: boolean[] = [];
  const operands = ranges.map((range, index) => {
    const { device, offset } = placeOf(range);
    let binding = devices.indexOf(device);
    if (binding < 0) binding = devices.push(device) - 1;
    written[binding] = written[binding] === true || index >= dispatch.reads.length;
    const { elementType } = range.buffer;
    const own = strides[index] ?? null;
    const vectors = own !== null && [offset, range.offset, ...own].every((size) => isMultiple(size, 4));
    return { binding, elementType, vectors };
  });
  const needed = devices.length + (usesScratch ? 1 : 0);
  if (needed > memory.storageBuffers) {
    throw new AtpcError(
      'ATPC-307',
      `The kernel of '${dispatch.label}' needs ${needed} buffers; the target binds at most ${memory.storageBuffers}.`,
    );
  }
  return { operands, written };
}

/** Whether a size is a multiple of a number at all dims, as far as its form shows. */
export function isMultiple(size: Size, of: number): boolean {
  if (typeof size === 'number') return size % of === 0;
  if (typeof size === 'string') return false;
  const [operator, left, right] = size;
  if (operator === '*') return isMultiple(left, of) || isMultiple(right, of);
  if (operator === '+' || operator === 'min' || operator === 'max') return isMultiple(left, of) && isMultiple(right, of);
  return false;
}
