import { expect } from 'chai';
import fc from 'fast-check';
import { elementCount, type Size } from '../../ir/size.ts';
import type { TargetMemory } from '../../compiler/codegen/target.ts';
import type { Dispatch, RepeatPlace } from '../../compiler/kernel/dispatch.ts';
import type { Kernel, MapKernel } from '../../compiler/kernel/kernel.ts';
import { partsOf } from '../../compiler/kernel/map-parts.ts';
import { mergeMaps } from '../../compiler/kernel/merge-maps.ts';
import type { Buffer } from '../../compiler/kernel/view.ts';

const buffers = new Map<string, Buffer>();
/** One of its name, as long as the tests run. */
function buffer(name: string): Buffer {
  const known = buffers.get(name) ?? { name, class: 'workspace', elementType: 'f32', elements: 6, weight: null };
  buffers.set(name, known);
  return known;
}
const copy: MapKernel = {
  kind: 'map',
  rank: 2,
  operands: [{ elementType: 'f32', lastStride: 1, indirect: false }],
  reduction: null,
  body: { kind: 'load', type: 'f32', operand: 0 },
  epilogue: null,
  result: { elementType: 'f32', lastStride: 1 },
};
interface Changes {
  readonly kernel?: Kernel;
  readonly repeat?: RepeatPlace;
  readonly when?: Dispatch['when'];
  readonly extents?: readonly Size[];
}
/** Reads and writes the buffers of these names. */
function dispatch(label: string, reads: readonly string[], writes: readonly string[], changes: Changes = {}): Dispatch {
  const { kernel = copy, repeat = null, when = null, extents = [2, 3] } = changes;
  const ranges = (names: readonly string[]): Dispatch['reads'] => names.map((name) => ({ buffer: buffer(name), offset: 0 }));
  const integers = [...extents, 3, 1, 3, 1];
  const items = elementCount(extents.slice(0, -1));
  return {
    kernel,
    label,
    reads: ranges(reads),
    writes: ranges(writes),
    integers,
    items,
    when,
    repeat,
    nodes: [],
    boundary: 'layout',
  };
}
const other: Kernel = { kind: 'principal_rows', count: 1 };
const work = (label: string, reads: readonly string[], writes: readonly string[], repeat?: RepeatPlace): Dispatch =>
  dispatch(label, reads, writes, { kernel: other, ...(repeat ? { repeat } : {}) });

const oneMemory: TargetMemory = { kind: 'one memory' };
const labelsOf = (list: readonly Dispatch[], memory = oneMemory): readonly string[] =>
  mergeMaps(list, memory).map(({ label }) => label);

describe('loops side by side', () => {
  it('have the operands, integers and items of each, in order', () => {
    const [merged, ...others] = mergeMaps(
      [dispatch('a', ['x'], ['p']), dispatch('b', ['y'], ['q'], { extents: [5, 4] })],
      oneMemory,
    );
    expect(others).to.deep.equal([]);
    expect(merged?.reads.map(({ buffer: { name } }) => name)).to.deep.equal(['x', 'y']);
    expect(merged?.writes.map(({ buffer: { name } }) => name)).to.deep.equal(['p', 'q']);
    expect(merged?.items).to.equal(2 + 5);
    const { kernel, integers = [] } = merged as Dispatch;
    if (kernel.kind !== 'maps') throw new Error('The loops are apart.');
    expect(partsOf(kernel, integers).map((part) => part.integers.slice(0, 2))).to.deep.equal([
      [2, 3],
      [5, 4],
    ]);
  });

  it('write parts of one value, and do not read what the other writes or write what it reads', () => {
    expect(labelsOf([dispatch('a', ['x'], ['p']), dispatch('b', ['x'], ['p'])])).to.deep.equal(['a + b']);
    expect(labelsOf([dispatch('a', ['x'], ['p']), dispatch('b', ['p'], ['q'])])).to.deep.equal(['a', 'b']);
    expect(labelsOf([dispatch('a', ['p'], ['q']), dispatch('b', ['x'], ['p'])])).to.deep.equal(['a', 'b']);
  });

  it('pass what does not depend on them, and what the second needs passes the first', () => {
    const [a, b] = [dispatch('a', ['x'], ['p']), dispatch('b', ['y'], ['state'])];
    expect(labelsOf([a, work('w', ['p'], ['r']), b])).to.deep.equal(['a + b', 'w']);
    expect(labelsOf([a, work('evict', [], ['state']), b])).to.deep.equal(['evict', 'a + b']);
    expect(labelsOf([a, work('w', ['p'], ['r']), work('evict', [], ['state']), b])).to.deep.equal(['evict', 'a + b', 'w']);
    // What the second needs reads the first, directly or not.
    expect(labelsOf([a, work('evict', ['p'], ['state']), b])).to.deep.equal(['a', 'evict', 'b']);
    expect(labelsOf([a, work('w', ['p'], ['r']), work('evict', ['r'], ['state']), b])).to.deep.equal(['a', 'w', 'evict', 'b']);
  });

  it('run under the same conditions, in the same repeat, which stays whole', () => {
    const repeat: RepeatPlace = { variable: 'round', count: 'rounds' };
    const when = (tokens: string): Dispatch['when'] => ({ tokens, atLeast: 64 });
    const [a, b] = [dispatch('a', ['x'], ['p']), dispatch('b', ['y'], ['state'])];
    expect(labelsOf([a, dispatch('b', ['y'], ['q'], { repeat })])).to.deep.equal(['a', 'b']);
    expect(labelsOf([a, dispatch('b', ['y'], ['q'], { when: when('n') })])).to.deep.equal(['a', 'b']);
    expect(
      labelsOf([dispatch('a', ['x'], ['p'], { when: when('n') }), dispatch('b', ['y'], ['q'], { when: when('n') })]),
    ).to.deep.equal(['a + b']);
    expect(labelsOf([a, work('evict', [], ['state'], repeat), b])).to.deep.equal(['a', 'evict', 'b']);
    expect(labelsOf([a, work('w', [], ['r'], repeat), b])).to.deep.equal(['a + b', 'w']);
  });

  it('are no more than a kernel has parameters for, nor in more buffers than it binds', () => {
    const many = Array.from({ length: 20 }, (_, index) => dispatch(`${index}`, ['x'], [`r${index}`]));
    expect(mergeMaps(many, oneMemory).map(({ reads }) => reads.length)).to.deep.equal([8, 8, 4]);
    const memory: TargetMemory = {
      kind: 'buffers',
      alignment: 256,
      storageBuffers: 4,
      halfWeights: false,
      weightBytes: 2 ** 20,
      vectorStrides: () => [],
    };
    for (const { reads, writes } of mergeMaps(many, memory))
      expect(new Set([...reads, ...writes].map((range) => range.buffer)).size).to.be.at.most(4);
  });

  it('keep the order of all that depends on each other', () => {
    const names = fc.subarray(['a', 'b', 'c', 'd', 'e', 'f'], { maxLength: 2 });
    const one = fc.record({ reads: names, writes: names, isLoop: fc.boolean() });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 14 }), (wanted) => {
        // As in a program: no loop reads what it writes, and a result has one loop.
        const list = wanted.flatMap(({ reads, writes, isLoop }, index) => {
          const [read = 'x', written = 'y'] = [reads[0], writes[0]];
          if (!isLoop) return [work(`w${index}`, reads, writes)];
          return read === written ? [] : [dispatch(`m${index}`, [read], [written])];
        });
        const place = new Map(
          mergeMaps(list, oneMemory).flatMap(({ label }, at) => label.split(' + ').map((name) => [name, at])),
        );
        expect(place.size).to.equal(list.length);
        const touches = (a: Dispatch['reads'], b: Dispatch['reads']): boolean =>
          a.some((range) => b.some((second) => second.buffer === range.buffer));
        list.forEach((later, index) =>
          list.slice(0, index).forEach((earlier) => {
            const isBound = touches(earlier.writes, later.reads) || touches(earlier.reads, later.writes);
            const bothWrite = touches(earlier.writes, later.writes);
            const [from, to] = [place.get(earlier.label) ?? NaN, place.get(later.label) ?? NaN];
            if (isBound) expect(from).to.be.below(to);
            if (bothWrite) expect(from).to.be.at.most(to);
          }),
        );
      }),
      { numRuns: 400 },
    );
  });
});
