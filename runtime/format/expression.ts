/** An integer expression over the symbolic dims of a program; the same structure as the compiler's sizes. */
export type SizeOperator = '+' | '*' | 'floor/' | 'ceil/' | 'min' | 'max';
export type SizeExpression = number | string | readonly [SizeOperator, SizeExpression, SizeExpression];

export const sizeOperators: { readonly [K in SizeOperator]: (a: number, b: number) => number } = {
  '+': (a, b) => a + b,
  '*': (a, b) => a * b,
  'floor/': (a, b) => Math.floor(a / b),
  'ceil/': (a, b) => Math.ceil(a / b),
  min: Math.min,
  max: Math.max,
};

export function evaluateExpression(expression: SizeExpression, dims: Readonly<Record<string, number>>): number {
  if (typeof expression === 'number') return expression;
  if (typeof expression === 'string') {
    const value = dims[expression];
    if (value === undefined) throw new RangeError(`The dim '${expression}' has no value.`);
    return value;
  }
  return sizeOperators[expression[0]](evaluateExpression(expression[1], dims), evaluateExpression(expression[2], dims));
}
