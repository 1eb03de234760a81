import type { Size } from '../../ir/size.ts';
import type { SizeOperator } from '../../runtime/format/expression.ts';

/** How a language writes the numbers of a size, and what is a function in it. */
export interface SizeLanguage {
  integer(value: number): string;
  call(operator: Exclude<SizeOperator, '+' | '*'>, a: string, b: string): string;
}

/** An ir size over named integers as an expression, with the value that the runtime gives it: division rounds down (or up), also below zero. */
export function writeSize(language: SizeLanguage, size: Size, symbols: Readonly<Record<string, string>>): string {
  if (typeof size === 'number') return language.integer(size);
  if (typeof size === 'string') {
    const value = symbols[size];
    if (value === undefined) throw new RangeError(`The size has the symbol '${size}', which is not bound in this kernel.`);
    return value;
  }
  const [operator, left, right] = size;
  const [a, b] = [writeSize(language, left, symbols), writeSize(language, right, symbols)];
  return operator === '+' || operator === '*' ? `(${a} ${operator} ${b})` : language.call(operator, a, b);
}
