import fc from 'fast-check';
import {
  cluster,
  dense,
  expand,
  keysSegment,
  padding,
  runMode,
  segment,
  topr,
  type AttentionInputs,
  type Mode,
} from './modes.ts';
import { expectClose, randomNumbers, randomTensor, tensorOfList } from './tensors.ts';
import type { AttentionSegment, VisibleRule } from '../../ir/ops/attributes.ts';
import type { Node } from '../../ir/graph.ts';
import type { Tensor } from '../../ir/ops/definition.ts';

const tolerance = 1e-9;
const runs = { numRuns: 40 };

interface Case {
  readonly seed: number;
  readonly tokens: number;
  readonly groups: number;
  readonly share: number;
}
const cases = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  tokens: fc.integer({ min: 1, max: 20 }),
  groups: fc.integer({ min: 1, max: 2 }),
  share: fc.integer({ min: 1, max: 2 }),
});

/** Two sequences whose masks have holes; in each at least one token. */
function inputsOf({ seed, tokens, groups, share }: Case): AttentionInputs {
  const next = randomNumbers(seed);
  const mask = Array.from({ length: 2 * tokens }, (_, at) => (at % tokens === seed % tokens || next() < 0.7 ? 1 : 0));
  return {
    query: randomTensor(next, [2, groups * share, tokens, 4], -3, 3),
    key: randomTensor(next, [2, groups, tokens, 4], -3, 3),
    value: randomTensor(next, [2, groups, tokens, 6]),
    mask: tensorOfList('bool', [2, tokens], mask),
  };
}
/** An orthogonal basis of a head: with all of its directions, the projected score is the score. */
const basis = tensorOfList('f32', [4, 4], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
const lowBasis = tensorOfList('f32', [4, 2], [1, 0, 0, 1, 0.5, 0, 0, -0.5]);

const modes: Readonly<
  Record<
    string,
    {
      readonly exact: Mode;
      readonly few: Mode;
      readonly parameters?: Readonly<Record<string, Tensor>>;
      /** Tiles are rows of the sequence axis, and the token count says which of them are padding. */
      readonly onlyPaddedAtEnd?: true;
    }
  >
> = {
  cluster: { exact: cluster({ blockTokens: 8, tokensPerKey: 1 }), few: cluster({ blockTokens: 8, tokensPerKey: 4 }) },
  expand: {
    exact: expand({ blockTokens: 8, tokensPerKey: 4, count: 20 }),
    few: expand({ blockTokens: 8, tokensPerKey: 4, count: 2 }),
  },
  'expand by tiles': {
    exact: expand({ blockTokens: 8, tokensPerKey: 4, count: 20, tile: 4 }),
    few: expand({ blockTokens: 8, tokensPerKey: 4, count: 2, tile: 4 }),
    onlyPaddedAtEnd: true,
  },
  segment: { exact: segment('tokens'), few: segment(['max', 1, ['floor/', 'tokens', 3]]) },
  topr: {
    exact: topr({ count: 20, basis, rest: false }),
    few: topr({ count: 3, basis: lowBasis, rest: false }),
    parameters: { basis },
  },
  'topr and the rest': {
    exact: topr({ count: 'tokens', basis, rest: true }),
    few: topr({ count: 3, basis: lowBasis, rest: true }),
    parameters: { basis },
  },
};

/** Moves the tokens to the given places of a longer sequence; what pads it is noise. */
function spread(inputs: AttentionInputs, places: readonly number[], length: number, seed: number): AttentionInputs {
  const next = randomNumbers(seed);
  const widen = (tensor: Tensor): Tensor => {
    const [batch, heads, tokens, size] = tensor.shape as [number, number, number, number];
    const wide = randomTensor(next, [batch, heads, length, size], -9, 9);
    for (let head = 0; head < batch * heads; head += 1) {
      for (let t = 0; t < tokens; t += 1) {
        const row = tensor.data.subarray((head * tokens + t) * size, (head * tokens + t + 1) * size);
        wide.data.set(row, (head * length + (places[t] as number)) * size);
      }
    }
    return wide;
  };
  const [batch, tokens] = inputs.mask.shape as [number, number];
  const mask = tensorOfList('bool', [batch, length], new Array<number>(batch * length).fill(0));
  for (let b = 0; b < batch; b += 1)
    for (let t = 0; t < tokens; t += 1)
      mask.data[b * length + (places[t] as number)] = inputs.mask.data[b * tokens + t] as number;
  return { query: widen(inputs.query), key: widen(inputs.key), value: widen(inputs.value), mask };
}
function rowsAt(out: Tensor, places: readonly number[]): Tensor {
  const [batch, heads, length, size] = out.shape as [number, number, number, number];
  const rows = Array.from({ length: batch * heads }, (_, head) =>
    places.map((place) => [...out.data.subarray((head * length + place) * size, (head * length + place + 1) * size)]),
  );
  return tensorOfList('f32', [batch, heads, places.length, size], rows.flat(2));
}

describe('ir: laws of attention and its modes', () => {
  for (const [name, { exact, few, parameters, onlyPaddedAtEnd }] of Object.entries(modes)) {
    it(`${name} with a key for every token is dense`, () => {
      fc.assert(
        fc.property(cases, (drawn) => {
          const inputs = inputsOf(drawn);
          expectClose(runMode(exact, inputs, parameters), runMode(dense, inputs), tolerance);
        }),
        runs,
      );
    });

    it(`${name} never sees padding, ${onlyPaddedAtEnd ? 'at the end of a sequence' : 'wherever it lies'}`, () => {
      fc.assert(
        fc.property(cases, fc.array(fc.nat(3), { minLength: 21, maxLength: 21 }), (drawn, gaps) => {
          const random = inputsOf(drawn);
          const inputs = onlyPaddedAtEnd ? { ...random, mask: { ...random.mask, data: random.mask.data.map(() => 1) } } : random;
          const places: number[] = [];
          for (let t = 0; t < drawn.tokens; t += 1)
            places.push((places.at(-1) ?? -1) + 1 + (onlyPaddedAtEnd ? 0 : (gaps[t] as number)));
          const length = (places.at(-1) as number) + 1 + (gaps[20] as number);
          const low = { ...parameters, ...(parameters ? { basis: lowBasis } : {}) };
          const alone = runMode(few, inputs, low);
          const padded = runMode(few, spread(inputs, places, length, drawn.seed), low);
          expectClose(rowsAt(padded, places), alone, tolerance);
        }),
        runs,
      );
    });
  }

  it('keys split into segments anywhere give the same result', () => {
    fc.assert(
      fc.property(cases, fc.array(fc.nat(20), { maxLength: 3 }), (drawn, cuts) => {
        const inputs = inputsOf(drawn);
        const ends = [...new Set([...cuts.map((cut) => cut % (drawn.tokens + 1)), drawn.tokens])].sort((a, b) => a - b);
        const split: Mode = ({ table, query, key, value, mask, scale }) => {
          const part = (x: Node, axis: number, index: number): Node => {
            const start = ends[index - 1] ?? 0;
            return table.make('slice', { axis, start, length: (ends[index] as number) - start }, [x]);
          };
          const operands = ends.flatMap((_, index) => [part(key, 2, index), part(value, 2, index), part(mask, 1, index)]);
          return table.make('attention', { scale, segments: ends.map(() => keysSegment(padding)) }, [query, ...operands]);
        };
        expectClose(runMode(split, inputs), runMode(dense, inputs), tolerance);
      }),
      runs,
    );
  });

  it('scores of a scored segment and its bias add up to the keys they stand for', () => {
    fc.assert(
      fc.property(cases, (drawn) => {
        const inputs = inputsOf({ ...drawn, share: 1 });
        const bias: AttentionSegment = { scored: true, bias: true, visible: [padding] };
        const scored: Mode = ({ table, query, key, value, mask, scale }) => {
          const products = table.make('matmul', { transposeRight: true }, [query, key]);
          const factor = table.make('constant', { elementType: 'f32', value: scale }, []);
          const scores = table.make('multiply', {}, [products, factor]);
          const zero = table.make('constant', { elementType: 'f32', value: 0 }, []);
          const biases = table.make('broadcast', { shape: inputs.key.shape.slice(0, 3) }, [zero]);
          return table.make('attention', { scale, segments: [bias] }, [query, scores, value, biases, mask]);
        };
        expectClose(runMode(scored, inputs), runMode(dense, inputs), tolerance);
      }),
      runs,
    );
  });

  const causalRules: readonly (readonly VisibleRule[])[] = [
    [{ rule: 'causal' }],
    [{ rule: 'causal' }, { rule: 'window', size: 3 }],
    [{ rule: 'causal' }, padding],
  ];
  for (const visible of causalRules) {
    it(`what comes after a query changes nothing under ${visible.map(({ rule }) => rule).join(' and ')}`, () => {
      fc.assert(
        fc.property(cases, fc.nat(19), (drawn, at) => {
          const inputs = inputsOf(drawn);
          const last = at % drawn.tokens;
          const mode: Mode = ({ table, query, key, value, mask, scale }) => {
            const operands = [query, key, value, ...(visible.includes(padding) ? [mask] : [])];
            return table.make('attention', { scale, segments: [keysSegment(...visible)] }, operands);
          };
          const change = (tensor: Tensor): Tensor => {
            const size = tensor.shape[3] as number;
            const rows = tensor.data.map((value, index) =>
              Math.floor(index / size) % drawn.tokens > last ? value * 3 - 1 : value,
            );
            return { ...tensor, data: rows };
          };
          const changed = { ...inputs, key: change(inputs.key), value: change(inputs.value) };
          const seen = Array.from({ length: last + 1 }, (_, t) => t);
          expectClose(rowsAt(runMode(mode, changed), seen), rowsAt(runMode(mode, inputs), seen), 0);
        }),
        runs,
      );
    });
  }

  it('a query that sees nothing gives zeros', () => {
    const inputs = inputsOf({ seed: 1, tokens: 5, groups: 2, share: 2 });
    const blind = { ...inputs, mask: tensorOfList('bool', [2, 5], new Array<number>(10).fill(0)) };
    const zeros = tensorOfList('f32', [2, 4, 5, 6], new Array<number>(240).fill(0));
    expectClose(runMode(dense, blind), zeros, 0);
    for (const { few, parameters } of Object.values(modes)) {
      expectClose(runMode(few, blind, { ...parameters, ...(parameters ? { basis: lowBasis } : {}) }), zeros, 0);
    }
  });

  it('a segment counts only for sequences in its range of tokens', () => {
    const inputs = inputsOf({ seed: 3, tokens: 9, groups: 1, share: 2 });
    const ranged =
      (rule: VisibleRule): Mode =>
      ({ table, query, key, value, mask, tokens, scale }) =>
        table.make('attention', { scale, segments: [keysSegment(padding, rule)] }, [query, key, value, mask, tokens]);
    const count = [...inputs.mask.data.subarray(0, 9)].filter((token) => token === 1).length;
    const firstOf = (out: Tensor): Tensor => ({ ...out, shape: [1, 2, 9, 6], data: out.data.slice(0, 108) });
    const zeros = tensorOfList('f32', [1, 2, 9, 6], new Array<number>(108).fill(0));
    expectClose(
      firstOf(runMode(ranged({ rule: 'tokens', atLeast: count, below: count + 1 }), inputs)),
      firstOf(runMode(dense, inputs)),
      0,
    );
    expectClose(firstOf(runMode(ranged({ rule: 'tokens', atLeast: count + 1 }), inputs)), zeros, 0);
    expectClose(firstOf(runMode(ranged({ rule: 'tokens', below: count }), inputs)), zeros, 0);
  });
});
