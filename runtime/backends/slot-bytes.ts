import { evaluateExpression } from '../format/expression.ts';
import type { Program } from '../format/program.ts';
import type { Dims } from '../inputs.ts';

/** Whole vectors of four elements: a kernel may load them past the last element that it uses. */
export const alignBytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);
export const sumOf = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const dimsAt = ({ dims }: Program, bound: 'min' | 'max'): Dims =>
  Object.fromEntries(dims.map((dim) => [dim.name, dim[bound]]));

/** Bytes of the slots of a program. */
export function slotBytes(program: Program, dims: Dims): readonly number[] {
  return (program.slots ?? []).map(({ bytes }) => alignBytes(evaluateExpression(bytes, dims)));
}

/** What to do about a call that does not fit: the largest of each dim that would do, with the others as they are. */
export function hintForCall(program: Program, dims: Dims, fits: (dims: Dims) => boolean): string {
  const alternatives = program.dims.flatMap(({ name, min }) => {
    const value = dims[name] ?? min;
    if (value === min || !fits({ ...dims, [name]: min })) return [];
    let [low, high] = [min, value];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (fits({ ...dims, [name]: middle })) low = middle;
      else high = middle;
    }
    return [`${name} up to ${low}`];
  });
  return alternatives.length > 0 ? `It would fit with ${alternatives.join(', or ')}.` : 'Use a smaller batch or shorter inputs.';
}
/** The dims of a call, for people. */
export const callText = (dims: Dims): string =>
  Object.entries(dims)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
