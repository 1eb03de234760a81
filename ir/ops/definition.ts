import type { OpAttributes, OpName } from './attributes.ts';
import type { Type } from '../type.ts';
import type { Size } from '../size.ts';
import type { ElementType } from '../element-type.ts';

/** Values while a graph is interpreted. Row-major. f32 tensors hold Float64Array when the interpreter runs in float64. */
export interface Tensor {
  readonly elementType: ElementType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}
export type TensorData = Float32Array | Float64Array | Int32Array | Uint8Array;

export interface EvaluationContext {
  readonly precision: 'f32' | 'f64';
  /** The value of a size under the dims of this run; `extra` binds further symbols such as "tokens". */
  size(size: Size, extra?: Readonly<Record<string, number>>): number;
  /** A zeroed tensor of the element type, in the precision of this run. */
  allocate(elementType: ElementType, shape: readonly number[]): Tensor;
  /** Values of inputs, parameters and states by node name. */
  read(kind: 'input' | 'parameter' | 'state', name: string): Tensor;
}

/** Work of one node, as expressions of the symbolic dims. */
export interface OpCost {
  /** Floating-point operations; a multiply-add counts 2. */
  readonly flops: Size;
  /** Bytes read and written if every input is read once. */
  readonly bytes: Size;
}

/** Builds nodes while a composite op is decomposed; the primitive ops only. */
export interface Decomposer<N> {
  make<K extends OpName>(op: K, attributes: OpAttributes[K], inputs: readonly N[]): N;
  type(node: N): Type;
}

/** Everything the graph level knows of one op. */
export interface OpDefinition<K extends OpName> {
  readonly name: K;
  /** How many inputs: exactly a number, or at least one ("many"). */
  readonly inputs: number | 'many';
  /** The type of the result; throws TypeRuleError with a sentence that names both sides. */
  type(attributes: OpAttributes[K], inputs: readonly Type[]): Type;
  /** The reference: plain, sequential, accumulating in f64 (rounded to f32 at the end when the run is in f32). */
  evaluate(attributes: OpAttributes[K], inputs: readonly (readonly Tensor[])[], context: EvaluationContext): readonly Tensor[];
  cost(attributes: OpAttributes[K], inputs: readonly Type[], output: Type): OpCost;
  /** The same function in primitive ops; null for a primitive op, and for ops that have none (attention and the modes). */
  readonly decompose: (<N>(attributes: OpAttributes[K], inputs: readonly N[], into: Decomposer<N>) => N) | null;
}

/** A node that does not type: the message is a sentence, `path` is filled in by who knows the model. */
export class TypeRuleError extends Error {
  override readonly name = 'TypeRuleError';
}
