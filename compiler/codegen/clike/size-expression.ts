import type { Size } from '../../../ir/size.ts';
import type { FunctionDefinition } from './code.ts';
import type { KernelBuilder } from './kernel-builder.ts';

const pair = [
  { name: 'a', type: 'i32' },
  { name: 'b', type: 'i32' },
] as const;
const floorDivide: FunctionDefinition = {
  name: 'floor_divide',
  parameters: pair,
  result: 'i32',
  body(code) {
    const rest = code.let('rest', 'i32', 'a % b');
    code.return(`a / b - ${code.select(`${rest} != 0 && (${rest} < 0) != (b < 0)`, code.i32(1), code.i32(0))}`);
  },
};
const ceilDivide: FunctionDefinition = {
  name: 'ceil_divide',
  parameters: pair,
  result: 'i32',
  uses: [floorDivide],
  body: (code) => code.return('-floor_divide(-a, b)'),
};

/** An ir size over named i32 values, as the runtime evaluates it: division rounds down (or up), also below zero. */
export function sizeExpression(k: KernelBuilder, size: Size, symbols: Readonly<Record<string, string>>): string {
  if (typeof size === 'number') return k.i32(size);
  if (typeof size === 'string') {
    const value = symbols[size];
    if (value === undefined) throw new RangeError(`The size has the symbol '${size}', which is not bound in this kernel.`);
    return value;
  }
  const [a, b] = [sizeExpression(k, size[1], symbols), sizeExpression(k, size[2], symbols)];
  switch (size[0]) {
    case '+':
      return `(${a} + ${b})`;
    case '*':
      return `(${a} * ${b})`;
    case 'floor/':
      return `${k.use(floorDivide)}(${a}, ${b})`;
    case 'ceil/':
      return `${k.use(ceilDivide)}(${a}, ${b})`;
    case 'min':
    case 'max':
      return k.call(size[0], a, b);
  }
}
