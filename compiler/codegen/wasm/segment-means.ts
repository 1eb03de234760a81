/** Principal keys by position (atp-modes.md, segment): the unpadded tokens in `count` runs of equal length, each one mean. */
import type { SegmentMeansKernel } from '../../kernel/kernel.ts';
import { listTokens, logOfCount, meanOfRows } from './mean-rows.ts';
import type { KernelContext } from './wat-builder.ts';
import { i32, select } from './wat-code.ts';

export function renderSegmentMeans(kernel: SegmentMeansKernel, { module, name }: KernelContext): void {
  const parameters = {
    operands: ['key', 'value', 'mask', 'mean_key', 'mean_value', 'log_mass'],
    integers: [
      'batches',
      'key_heads',
      'keys',
      'segments',
      'key_batch',
      'key_head',
      'key_row',
      'value_batch',
      'value_head',
      'value_row',
    ],
  };
  module.kernel(name, parameters, (f, k) => {
    const [keys, segments, list] = [k.integer('keys'), k.integer('segments'), k.scratch];
    const [item, segment] = [f.local('item', 'i32'), f.local('segment', 'i32')];
    f.for(item, k.begin, k.end, 1, () => {
      const batch = f.let('batch', i32.div_u(item, k.integer('key_heads')));
      const head = f.let('head', i32.rem_u(item, k.integer('key_heads')));
      const rows = (of: 'key' | 'value') => {
        const offset = i32.add(i32.mul(batch, k.integer(`${of}_batch`)), i32.mul(head, k.integer(`${of}_head`)));
        return f.let(`${of}_rows`, f.element(k.operand(of), offset));
      };
      const [keyRows, valueRows] = [rows('key'), rows('value')];
      const tokens = f.let('tokens', f.call(listTokens, f.element(k.operand('mask'), i32.mul(batch, keys)), keys, list));
      const used = f.let('used', f.minimum(segments, f.size(kernel.count, { tokens })));
      f.for(segment, 0, segments, 1, () => {
        f.comment('token i is in segment floor(used i / tokens)');
        const isUsed = i32.lt_s(segment, used);
        const edge = (index: typeof segment | ReturnType<typeof i32.add>) =>
          i32.div_s(i32.add(i32.mul(index, tokens), i32.sub(used, 1)), f.maximum(used, 1));
        const first = f.let('first', select(isUsed, edge(segment), i32.const(0)));
        const count = f.let('count', select(isUsed, i32.sub(edge(i32.add(segment, 1)), first), i32.const(0)));
        const row = f.let('row', i32.add(i32.mul(item, segments), segment));
        const members = f.let('members', f.element(list, first));
        const mean = (of: 'key' | 'value', size: number): void => {
          const stride = i32.shl(k.integer(`${of}_row`), 2);
          const to = i32.add(k.operand(`mean_${of}`), i32.mul(row, size * 4));
          f.run(meanOfRows, members, count, of === 'key' ? keyRows : valueRows, stride, size, to);
        };
        mean('key', kernel.headSize);
        mean('value', kernel.valueSize);
        f.store(f.element(k.operand('log_mass'), row), f.call(logOfCount, count));
      });
    });
  });
}
