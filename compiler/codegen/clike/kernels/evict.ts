/**
 * Eviction from a cache of mode stream (ir/cache.ts): of the atoms and the tokens that leave the window, those of the largest scores
 * stay, in order of position; what stays in the window moves up behind them.
 */
import { multiplySizes, type Size } from '../../../../ir/size.ts';
import type { EvictKernel } from '../../../kernel/kernel.ts';
import { KernelBuilder, type KernelContext, type Operand } from '../kernel-builder.ts';

const workgroupSize = 256;
/** Elements that a thread moves at a time. */
const held = 4;

/** One workgroup for each key/value head. */
export function evictItems(_kernel: EvictKernel, [heads = 1]: readonly Size[]): Size {
  return heads;
}
/** Whether a candidate stays, [atoms + blockTokens], and the rows of those that do, [atoms], for each head; numbers as f32. */
const scratchOfHead = ({ atoms, blockTokens }: EvictKernel): number => 2 * atoms + blockTokens;
export function evictScratch(kernel: EvictKernel, [heads = 1]: readonly Size[]): Size {
  return multiplySizes(heads, scratchOfHead(kernel) * 4);
}

export function renderEvict(kernel: EvictKernel, context: KernelContext): string {
  const { headSize, valueSize, atoms, sinks, blockTokens } = kernel;
  const k = new KernelBuilder(context, {
    operands: ['key', 'value', 'score', 'position'],
    integers: ['key_heads', 'rows', 'atoms_before', 'leaving', 'staying'],
    workgroupSize,
    comment: `Of the atoms and the leaving tokens of one key/value head a workgroup, the ${atoms} of the largest scores stay.`,
  });
  const { thread } = k;
  const step = k.i32(workgroupSize);
  const [before, leaving] = [k.size('atoms_before'), k.size('leaving')];
  const firstRow = k.let('first_row', 'i32', `${k.item} * ${k.size('rows')}`);
  const stays = k.let('stays', 'i32', `${k.item} * ${scratchOfHead(kernel)}`);
  const list = k.let('list', 'i32', `${stays} + ${atoms + blockTokens}`);
  const candidates = k.let('candidates', 'i32', `${before} + ${leaving}`);
  const firstLeaving = atoms + sinks;
  const rowOf = (candidate: string): string =>
    k.select(`${candidate} < ${before}`, candidate, `${firstLeaving} + ${candidate} - ${before}`);
  const scoreOf = (candidate: string): string => k.operand('score').at(`${firstRow} + ${rowOf(candidate)}`);

  k.comment('where no token leaves, nothing changes');
  k.if(`${leaving} > 0`, () => {
    k.comment('a candidate stays where fewer than `atoms` others are better; ties to the earlier');
    k.for('candidate', thread, candidates, step, (candidate) => {
      const own = k.let('own', 'f32', scoreOf(candidate));
      const better = k.var('better', 'i32');
      k.for('other', '0', candidates, '1', (other) => {
        const score = k.let('score', 'f32', scoreOf(other));
        const isBetter = `${score} > ${own} || (${score} == ${own} && ${other} < ${candidate})`;
        k.add(better, k.select(isBetter, k.i32(1), k.i32(0)));
      });
      k.assign(k.scratchAt(`${stays} + ${candidate}`), k.select(`${better} < ${atoms}`, k.f32(1), k.f32(0)));
    });
    k.barrier('buffers');
    k.for('candidate', thread, candidates, step, (candidate) =>
      k.if(`${k.scratchAt(`${stays} + ${candidate}`)} > 0.0`, () => {
        const place = k.var('place', 'f32');
        k.for('other', '0', candidate, '1', (other) => k.add(place, k.scratchAt(`${stays} + ${other}`)));
        k.assign(k.scratchAt(`${list} + ${k.cast('i32', place)}`), k.cast('f32', rowOf(candidate)));
      }),
    );
    k.barrier('buffers');
    const kept = k.let('kept', 'i32', k.call('min', candidates, k.i32(atoms)));
    for (const [name, size] of [
      ['key', headSize],
      ['value', valueSize],
      ['score', 1],
      ['position', 1],
    ] as const) {
      const type = name === 'position' ? 'i32' : 'f32';
      const move = { operand: k.operand(name), type, size, firstRow } as const;
      moveRows(k, { ...move, count: kept, from: (row) => k.cast('i32', k.scratchAt(`${list} + ${row}`)), to: (row) => row });
      moveRows(k, {
        ...move,
        count: k.size('staying'),
        from: (row) => `${firstLeaving} + ${leaving} + ${row}`,
        to: (row) => `${firstLeaving} + ${row}`,
      });
    }
  });
  return k.print();
}

interface RowMove {
  readonly operand: Operand;
  readonly type: 'f32' | 'i32';
  readonly size: number;
  readonly firstRow: string;
  readonly count: string;
  from(row: string): string;
  to(row: string): string;
}
/** Moves rows in place, each to a row at or before its own and in ascending order, so that none is lost: a run of elements at a time. */
function moveRows(k: KernelBuilder, { operand, type, size, firstRow, count, from, to }: RowMove): void {
  const total = k.let('total', 'i32', `${count} * ${size}`);
  k.for('run', '0', total, k.i32(held * workgroupSize), (run) => {
    const elements = Array.from({ length: held }, (_, index) => {
      const element = k.let('element', 'i32', `${run} + ${index * workgroupSize} + ${k.thread}`);
      const value = k.var('value', type);
      const place = (row: (index: string) => string): string =>
        `(${firstRow} + ${row(`(${element} / ${size})`)}) * ${size} + ${element} % ${size}`;
      k.if(`${element} < ${total}`, () => k.assign(value, operand.at(place(from))));
      return { element, value, target: place(to) };
    });
    k.barrier('buffers');
    for (const { element, value, target } of elements) k.if(`${element} < ${total}`, () => operand.store(target, value));
    k.barrier('buffers');
  });
}
