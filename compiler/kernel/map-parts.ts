import type { ElementwiseMapKernel, MapsKernel } from './kernel.ts';

/** A loop nest of several, and the integers of the dispatch that are its own. */
export interface MapPart<I> {
  readonly part: ElementwiseMapKernel;
  readonly integers: readonly I[];
}

/** How many integers a loop nest has (kernel.ts, MapKernel). */
function integerCount({ rank, operands }: ElementwiseMapKernel): number {
  return 2 * rank + operands.reduce((sum, { indirect }) => sum + rank + (indirect ? 1 : 0), 0);
}
export function partsOf<I>({ parts }: MapsKernel, integers: readonly I[]): readonly MapPart<I>[] {
  let first = 0;
  return parts.map((part) => {
    const own = integers.slice(first, first + integerCount(part));
    first += own.length;
    return { part, integers: own };
  });
}
