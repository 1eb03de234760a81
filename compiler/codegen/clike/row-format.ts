import type { Code } from './code.ts';
import type { ValueType } from './dialect.ts';
import type { Operand } from './kernel-builder.ts';

/** How a row of `size` floats is moved: four at a time where that divides it, else one at a time. */
export class RowFormat {
  readonly size: number;
  readonly lanes: 1 | 4;
  /** Of a part. */
  readonly type: Extract<ValueType, 'f32' | 'vec4<f32>'>;
  /** Parts of a row. */
  readonly parts: number;

  constructor(size: number) {
    this.size = size;
    this.lanes = size % 4 === 0 ? 4 : 1;
    this.type = this.lanes === 4 ? 'vec4<f32>' : 'f32';
    this.parts = size / this.lanes;
  }
  zero(code: Code): string {
    return this.type === 'f32' ? code.f32(0) : code.vector(this.type, code.f32(0));
  }
  /** The element at which a part begins in its row. */
  element(part: string): string {
    return this.lanes === 1 ? part : `${part} * ${this.lanes}`;
  }
  load(operand: Operand, index: string): string {
    return this.lanes === 4 ? operand.vectorAt(index) : operand.at(index);
  }
  store(operand: Operand, index: string, value: string): void {
    if (this.lanes === 4) operand.storeVector(index, value);
    else operand.store(index, value);
  }
  product(code: Code, a: string, b: string): string {
    return this.lanes === 4 ? code.call('dot', a, b) : `${a} * ${b}`;
  }
}
