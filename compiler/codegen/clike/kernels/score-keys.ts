/** Scores of the keys of a cache of mode stream (ir/cache.ts): what the queries of a block paid to each of them. */
import { ceilDivideSizes, multiplySizes, type Size } from '../../../../ir/size.ts';
import type { ScoreKeysKernel } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext } from '../kernel-builder.ts';
import { RowFormat } from '../row-format.ts';
import { fillTile, productsWithTile, rowTile, tileRows } from '../tile-scores.ts';

export function scoreKeysItems({ schedule }: ScoreKeysKernel, integers: readonly Size[]): Size {
  const [, keyHeads = 1] = integers;
  return multiplySizes(keyHeads, ceilDivideSizes(integers[6] ?? 1, schedule.keyTile));
}
/** The queries. */
export function scoreKeysVectorStrides(
  { headSize }: ScoreKeysKernel,
  integers: readonly Size[],
): readonly (readonly Size[] | null)[] {
  return [headSize % 4 === 0 ? integers.slice(3, 5) : null];
}
/** An exponent of e that gives 0. */
const nothing = -1e4;

/** One key a thread; the queries of all heads that share it pass by in tiles, in order. */
export function renderScoreKeys(kernel: ScoreKeysKernel, context: KernelContext): string {
  const { headSize, atoms, scale, decay, schedule } = kernel;
  const { keyTile } = schedule;
  const k = new KernelBuilder(context, {
    operands: ['query', 'log_sum_exp', 'key', 'score', 'position'],
    integers: [
      ...['heads', 'key_heads', 'queries', 'query_head', 'query_row', 'log_sum_exp_head'],
      ...['rows', 'atoms_used', 'exact', 'start', 'begins_block'],
    ],
    workgroupSize: keyTile,
    comment: `What the queries paid to ${keyTile} keys of one key/value head a workgroup.`,
  });
  const [queries, rows, exact, atomsUsed] = [k.size('queries'), k.size('rows'), k.size('exact'), k.size('atoms_used')];
  const format = new RowFormat(headSize);
  const tile = rowTile(k, 'query_tile', format, tileRows(format, 16));
  const sums = k.shared('log_sum_exps', 'f32', tile.rows);
  const tiles = k.let('tiles', 'i32', k.ceilDivide(rows, keyTile));
  const keyHead = k.let('key_head', 'i32', `${k.item} / ${tiles}`);
  const first = k.let('first', 'i32', `${k.item} % ${tiles} * ${keyTile}`);
  const row = k.let('row', 'i32', `${first} + ${k.thread}`);
  const end = k.let('end', 'i32', `${atoms} + ${exact}`);
  const firstNew = k.let('first_new', 'i32', `${end} - ${queries}`);
  const isUsed = k.let('is_used', 'bool', `${row} < ${atomsUsed} || (${row} >= ${atoms} && ${row} < ${end})`);
  const share = k.let('heads_per_key_head', 'i32', `${k.size('heads')} / ${k.size('key_heads')}`);
  const queryRows = k.let('query_rows', 'i32', `${share} * ${queries}`);
  const headAndQuery = (index: string): readonly [string, string] => [
    `(${keyHead} * ${share} + ${index} / ${queries})`,
    `(${index} % ${queries})`,
  ];
  k.comment('a tile between the atoms in use and the exact rows, or after them, has nothing to do');
  k.if(`${first} < ${atomsUsed} || (${first} + ${keyTile} > ${atoms} && ${first} < ${end})`, () => {
    const keyRow = k.let('key_row', 'i32', `(${keyHead} * ${rows} + ${k.call('min', row, `${rows} - 1`)}) * ${headSize}`);
    const sum = k.var('sum', 'f32');
    k.for('first_query', '0', queryRows, k.i32(tile.rows), (firstQuery) => {
      const left = k.let('queries_left', 'i32', `${queryRows} - ${firstQuery}`);
      fillTile(k, tile, left, (index, part) => {
        const [head, query] = headAndQuery(`(${firstQuery} + ${index})`);
        const start = `${head} * ${k.size('query_head')} + ${query} * ${k.size('query_row')}`;
        return format.load(k.operand('query'), `${start} + ${format.element(part)}`);
      });
      k.if(`${k.thread} < ${k.call('min', left, k.i32(tile.rows))}`, () => {
        const [head, query] = headAndQuery(`(${firstQuery} + ${k.thread})`);
        k.assign(`${sums}[${k.thread}]`, k.operand('log_sum_exp').at(`${head} * ${k.size('log_sum_exp_head')} + ${query}`));
      });
      k.barrier();
      k.if(isUsed, () => {
        const products = productsWithTile(k, tile, (part) =>
          format.load(k.operand('key'), `${keyRow} + ${format.element(part)}`),
        );
        products.forEach((product, index) => {
          k.comment(`query ${index} sees the atoms, and the exact rows up to its own`);
          const query = `(${firstQuery} + ${index}) % ${queries}`;
          const seen = `${index} < ${left} && ${row} <= ${firstNew} + ${query}`;
          const exponent = `${product} * ${k.f32(scale)} - ${sums}[${index}]`;
          k.add(sum, k.call('exp', k.select(seen, exponent, k.f32(nothing))));
        });
      });
      k.barrier();
    });
    k.if(isUsed, () => {
      const place = k.let('place', 'i32', `${keyHead} * ${rows} + ${row}`);
      const before = k.var('before', 'f32');
      k.if(
        `${row} >= ${firstNew}`,
        () => k.operand('position').store(place, `${k.size('start')} + ${row} - ${firstNew}`),
        () => {
          const factor = k.select(`${k.size('begins_block')} != 0`, k.f32(decay), k.f32(1));
          k.assign(before, `${factor} * ${k.operand('score').at(place)}`);
        },
      );
      k.operand('score').store(place, `${before} + ${sum}`);
    });
  });
  return k.print();
}
