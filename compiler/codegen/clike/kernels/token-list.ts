/** The unpadded tokens of a sequence, as the kernels that build principal keys find them. */
import type { KernelBuilder, Operand } from '../kernel-builder.ts';

interface MaskRow {
  readonly mask: Operand;
  /** Index of the first element of the row. */
  readonly row: string;
  /** Elements of the row; uniform. */
  readonly keys: string;
}
/** What a thread knows of its piece of the row: positions [begin, end), and the unpadded tokens before it. */
interface CountedPiece {
  readonly begin: string;
  readonly end: string;
  readonly before: string;
  /** Unpadded tokens of the row; uniform. */
  readonly tokens: string;
}
/** Every thread counts a piece of the row. Holds barriers. */
export function countTokens(k: KernelBuilder, { mask, row, keys }: MaskRow): CountedPiece {
  const { workgroupSize, thread } = k;
  const counts = k.sharedOnce('token_counts', 'i32', workgroupSize + 1);
  const piece = k.let('piece', 'i32', k.ceilDivide(keys, workgroupSize));
  const begin = k.let('begin', 'i32', `${thread} * ${piece}`);
  const end = k.let('end', 'i32', k.call('min', `${begin} + ${piece}`, keys));
  const own = k.var('own_tokens', 'i32');
  k.for('position', begin, end, '1', (position) =>
    k.add(own, k.select(`${mask.at(`${row} + ${position}`)} != 0`, k.i32(1), k.i32(0))),
  );
  k.assign(`${counts}[${thread}]`, own);
  k.barrier();
  const before = k.var('tokens_before', 'i32');
  k.for('other', '0', thread, '1', (other) => k.add(before, `${counts}[${other}]`));
  k.if(`${thread} == ${workgroupSize - 1}`, () => k.assign(`${counts}[${workgroupSize}]`, `${before} + ${own}`));
  k.barrier();
  const tokens = k.let('tokens', 'i32', k.dialect.uniformLoad(`${counts}[${workgroupSize}]`));
  return { begin, end, before, tokens };
}
/** Goes over the piece of a thread: each position with its rank among the unpadded tokens, or among the padded ones. */
export function visitTokens(
  k: KernelBuilder,
  { mask, row }: MaskRow,
  { begin, end, before }: CountedPiece,
  unpadded: (position: string, rank: string) => void,
  padded?: (position: string, rank: string) => void,
): void {
  const rank = k.var('rank', 'i32', before);
  k.for('position', begin, end, '1', (position) =>
    k.if(
      `${mask.at(`${row} + ${position}`)} != 0`,
      () => {
        unpadded(position, rank);
        k.add(rank, '1');
      },
      padded && (() => padded(position, `(${position} - ${rank})`)),
    ),
  );
}
