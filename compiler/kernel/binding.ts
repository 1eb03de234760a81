/**
 * How the operands of a kernel become bound buffers. Operands that lie in one buffer share a binding, so that none is bound for
 * reading and for writing in one dispatch (WebGPU 1.0, section 3.4.3, usage scopes), and few bindings are needed. Offsets are
 * handed over beside the integers.
 */
import type { BufferElementType } from '../../runtime/format/program.ts';

export interface BoundOperand {
  /** Position among the bindings. */
  readonly binding: number;
  readonly elementType: BufferElementType;
  /** Every place that the kernel loads four elements from is a multiple of four elements. */
  readonly vectors: boolean;
}
/** Two dispatches of a kernel with equal patterns run the same code. */
export interface BindingPattern {
  /** One for each operand, in the order of kernel.ts. */
  readonly operands: readonly BoundOperand[];
  /** One for each binding: whether the kernel writes to it. */
  readonly written: readonly boolean[];
}
