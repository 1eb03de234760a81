import type { Size } from '../../../ir/size.ts';
import { writeSize, type SizeLanguage } from '../write-size.ts';
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
const divisions = { 'floor/': floorDivide, 'ceil/': ceilDivide };

/** An ir size over named i32 values. */
export function sizeExpression(k: KernelBuilder, size: Size, symbols: Readonly<Record<string, string>>): string {
  const language: SizeLanguage = {
    integer: (value) => k.i32(value),
    call: (operator, a, b) =>
      operator === 'min' || operator === 'max' ? k.call(operator, a, b) : `${k.use(divisions[operator])}(${a}, ${b})`,
  };
  return writeSize(language, size, symbols);
}
