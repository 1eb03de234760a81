/** The kernels that are loop nests: what any target must compute, against float64. */
import { expect } from 'chai';
import type { ElementwiseOp, LoopOperand, MapKernel, MapsKernel, NormKernel, Scalar } from '../../compiler/kernel/kernel.ts';
import type { ElementType } from '../../ir/element-type.ts';
import { randomData, type KernelBuild, type KernelInstance, type RandomData } from './kernel-instance.ts';
import { applyReference, lastStrideOf, mapReference, normReference } from './kernel-reference.ts';
import type { NormedRow, Placed } from './kernel-reference.ts';

const load = (operand: number, type: ElementType = 'f32', indirect?: Scalar): Scalar =>
  indirect === undefined ? { kind: 'load', type, operand } : { kind: 'load', type, operand, indirect };
const apply = (op: ElementwiseOp, type: ElementType, ...inputs: Scalar[]): Scalar => ({ kind: 'apply', type, op, inputs });
const constant = (value: number, type: ElementType = 'f32'): Scalar => ({ kind: 'constant', type, value });
const index = (axis: number): Scalar => ({ kind: 'index', type: 'i32', axis });
const reduced: Scalar = { kind: 'reduced', type: 'f32' };
const operand = (elementType: ElementType, lastStride: LoopOperand['lastStride'], indirect = false): LoopOperand => ({
  elementType,
  lastStride,
  indirect,
});

export function expectClose(found: ArrayLike<number>, wanted: readonly number[], tolerance: number, what: string): void {
  expect(found.length, what).to.equal(wanted.length);
  wanted.forEach((value, i) => {
    const actual = found[i] ?? NaN;
    const close = Object.is(actual, value) || actual === value || Math.abs(actual - value) <= tolerance * (1 + Math.abs(value));
    if (!close) expect.fail(`${what}: element ${i} is ${actual} and should be ${value}`);
  });
}
function contiguous(extents: readonly number[]): number[] {
  return extents.map((_, axis) => extents.slice(axis + 1).reduce((a, b) => a * b, 1));
}
const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);
const seed = 7;

function placeOperand(instance: KernelInstance, placed: Placed): number {
  return instance.place(placed.data) + placed.offset * 4;
}
/** The integers of a map kernel. */
function mapIntegers(
  extents: readonly number[],
  count: number | null,
  placed: readonly Placed[],
  result: readonly number[],
): number[] {
  const strides = placed.flatMap((one) => [
    ...one.strides,
    ...(count === null ? [] : [one.reductionStride ?? 0]),
    ...(one.indirectStride === undefined ? [] : [one.indirectStride]),
  ]);
  return [...extents, ...(count === null ? [] : [count]), ...strides, ...result];
}

interface MapCase {
  readonly kernel: MapKernel;
  readonly extents: readonly number[];
  readonly count: number | null;
  readonly placed: readonly Placed[];
  readonly tolerance: number;
}
function runMap(instance: KernelInstance, name: string, { kernel, extents, count, placed, tolerance }: MapCase): void {
  const strides = contiguous(extents).map((stride) => stride * (kernel.result.lastStride === 'any' ? 3 : 1));
  const room = product(extents) * (kernel.result.lastStride === 'any' ? 3 : 1);
  const items = product(extents.slice(0, -1));
  const addresses = placed.map((one) => placeOperand(instance, one));
  const integers = mapIntegers(extents, count, placed, strides);
  const run = (cuts: readonly number[]): number[] => {
    const result = instance.reserve(room + 1);
    instance.run(name, items, [...addresses, result], integers, cuts);
    const all = kernel.result.elementType === 'f32' ? instance.floats(result, room + 1) : instance.integers(result, room + 1);
    expect(new Int32Array(all.buffer)[room], `${name}: the element after the result`).to.equal(0x7f7f7f7f);
    return Array.from({ length: product(extents) }, (_, i) => all[i * (strides.at(-1) ?? 1)] ?? NaN);
  };
  const whole = run([]);
  expectClose(whole, mapReference(kernel, extents, count ?? 0, placed), tolerance, `${name} [${extents.join(', ')}]`);
  expect(run([1, 2, 5, 7]), `${name} split`).to.deep.equal(whole);
}

/** An expression over the operands, bounded so that float32 stays near float64. */
function randomExpression(random: RandomData, operands: readonly LoopOperand[], rank: number, depth: number): Scalar {
  const leaf = (): Scalar => {
    const pick = random.integer(operands.length + 2);
    if (pick === operands.length) return constant(Math.fround(random.next()));
    if (pick > operands.length)
      return apply('multiply', 'f32', apply('cast', 'f32', index(random.integer(rank))), constant(0.125));
    const chosen = operands[pick] as LoopOperand;
    const inner = chosen.indirect
      ? load(pick, chosen.elementType, indirectIndex(random, operands, rank))
      : load(pick, chosen.elementType);
    return chosen.elementType === 'f32' ? inner : apply('cast', 'f32', inner);
  };
  if (depth === 0) return leaf();
  const inner = (): Scalar => randomExpression(random, operands, rank, depth - 1);
  const unary: readonly ElementwiseOp[] = ['negate', 'relu', 'tanh', 'erf', 'gelu', 'gelu_tanh', 'silu', 'sin', 'cos'];
  const binary: readonly ElementwiseOp[] = ['add', 'subtract', 'multiply', 'maximum', 'minimum'];
  switch (random.integer(5)) {
    case 0:
      return apply('where', 'f32', apply(random.next() < 0 ? 'less' : 'equal', 'bool', leaf(), leaf()), inner(), inner());
    case 1:
      return apply(unary[random.integer(unary.length)] as ElementwiseOp, 'f32', inner());
    case 2: {
      const twice = inner();
      return apply('multiply', 'f32', apply('tanh', 'f32', twice), apply('exp', 'f32', apply('tanh', 'f32', twice)));
    }
    default:
      return apply(binary[random.integer(binary.length)] as ElementwiseOp, 'f32', inner(), inner());
  }
}
/** An index below 4: loaded from an i32 operand if there is one, else from the position. */
function indirectIndex(random: RandomData, operands: readonly LoopOperand[], rank: number): Scalar {
  const at = operands.findIndex((one) => one.elementType === 'i32' && !one.indirect);
  const position = apply('minimum', 'i32', index(random.integer(rank)), constant(3, 'i32'));
  return at >= 0 && random.next() < 0.5 ? load(at, 'i32') : position;
}

function randomMapCase(random: RandomData, reductions: readonly MapKernel['reduction'][] = [null, null, 'sum', 'max']): MapCase {
  const rank = 1 + random.integer(4);
  const reduction = reductions[random.integer(reductions.length)] ?? null;
  const extents = Array.from({ length: rank }, () => 1 + random.integer(rank === 1 ? 20 : 6));
  extents[rank - 1] = [1, 3, 4, 5, 8, 11, 17][random.integer(7)] ?? 1;
  const count = reduction === null ? null : random.integer(7);
  const placed = Array.from({ length: 1 + random.integer(3) }, (): Placed & { elementType: ElementType } => {
    const elementType = (['f32', 'f32', 'f32', 'i32', 'bool'] as const)[random.integer(5)] ?? 'f32';
    // Strides of a transposed, broadcast or padded tensor: any will do.
    const strides = extents.map((_, axis) => [0, 1, 2, 7, 30][random.integer(axis === rank - 1 ? 3 : 5)] ?? 1);
    const reductionStride = count === null ? {} : { reductionStride: [0, 1, 5][random.integer(3)] ?? 1 };
    const indirectStride = random.next() < -0.4 && elementType !== 'i32' ? { indirectStride: 1 + random.integer(9) } : {};
    const reach = strides.reduce((sum, stride, axis) => sum + stride * ((extents[axis] ?? 1) - 1), 0);
    const length = 5 + reach + (reductionStride.reductionStride ?? 0) * 7 + (indirectStride.indirectStride ?? 0) * 3;
    const data =
      elementType === 'f32'
        ? random.floats(length)
        : new Int32Array(length).map(() => random.integer(elementType === 'i32' ? 4 : 2));
    return { elementType, data, offset: random.integer(4), strides, ...reductionStride, ...indirectStride };
  });
  const operands = placed.map((one) =>
    operand(one.elementType, lastStrideOf(one.strides.at(-1) ?? 0), one.indirectStride !== undefined),
  );
  const kernel: MapKernel = {
    kind: 'map',
    rank,
    operands,
    reduction,
    body: randomExpression(random, operands, rank + (reduction === null ? 0 : 1), 3),
    epilogue:
      reduction === null || random.next() < 0
        ? null
        : apply('add', 'f32', apply('tanh', 'f32', reduced), randomExpression(random, operands, rank, 1)),
    result: { elementType: 'f32', lastStride: random.next() < -0.6 ? 'any' : 1 },
  };
  return { kernel, extents, count, placed, tolerance: 2e-5 };
}

/** Of norms of rows whose values are not close together. */
const normTolerance = 2e-6;
/** A mean that is far above the distances from it, which are below 1. */
const farMean = 1000;
/**
 * Expects layer_norm to be as close as f32 lets it where the distances of a row from its mean may be small beside its values. With
 * u = 2^-24 for what one rounding changes at most, x for the largest magnitude of a row, and m = ceil(width / 4): targets sum a row in four
 * parts or more, whose k-th addition rounds a sum of k values, to within u x k, and then put these and up to three values more together
 * in five additions, each to within u x width. In the mean that is u x ((m + 1) / 2 + 5); its own rounding and that of the values are u x
 * each. So distances from the mean, and with them the deviation d, are off by D = u x ((m + 1) / 2 + 7) at most, and a normalised value v
 * by (1 + |v|) D / (d - D): around 1000 and at a width of 384, where d is 0.58, by 0.006 (1 + |v|). Roundings cancel: over 200 seeds the
 * largest error there was 0.0005 on wasm, 9 % of the bound, and 0.0003 on native, 5 %; at a width of 33 it was 0.0003 on both, 23 %.
 */
function expectCentred(
  found: Float32Array,
  rows: readonly NormedRow[],
  { weight, bias, epsilon }: { readonly weight: Float32Array; readonly bias: Float32Array; readonly epsilon: number },
  what: string,
): void {
  const width = weight.length;
  rows.forEach(({ values, deviation, largest }, row) => {
    const distanceError = 2 ** -24 * largest * ((Math.ceil(width / 4) + 1) / 2 + 7);
    const least = Math.max(deviation - distanceError, Math.sqrt(epsilon));
    values.forEach((value, column) => {
      const actual = found[row * width + column] ?? NaN;
      const scaled = Math.abs(weight[column] ?? NaN) + Math.abs(value - (bias[column] ?? NaN));
      // What the multiplications and the addition of the bias round comes on top.
      const bound = (scaled * distanceError) / least + normTolerance * (1 + Math.abs(value));
      if (!(Math.abs(actual - value) <= bound))
        expect.fail(`${what}: element ${column} of row ${row} is ${actual} and should be ${value}, to ${bound}`);
    });
  });
}
export function loopKernels(build: KernelBuild): void {
  describe(`map kernels, ${build.title}`, () => {
    before(function () {
      build.skip(this);
    });
    it('agree with a float64 reference on random loop nests', async () => {
      const random = randomData(seed);
      const cases = Array.from({ length: 120 }, () => randomMapCase(random));
      const instance = await build.instantiate(Object.fromEntries(cases.map(({ kernel }, i) => [`map_${i}`, kernel])));
      cases.forEach((one, i) => runMap(instance, `map_${i}`, one));
    });

    it('side by side: each computes what it does alone, however their items are split', async () => {
      const random = randomData(seed);
      const groups = Array.from({ length: 20 }, (_, size) =>
        Array.from({ length: 2 + (size % 4) }, () => randomMapCase(random, [null])),
      );
      const kernels = groups.map((cases, i): readonly [string, MapsKernel] => {
        const parts = cases.map(({ kernel }) => ({ ...kernel, reduction: null, epilogue: null }));
        return [`maps_${i}`, { kind: 'maps', parts }];
      });
      const instance = await build.instantiate(Object.fromEntries(kernels));
      groups.forEach((cases, i) => {
        const strides = cases.map(({ kernel, extents }) =>
          contiguous(extents).map((stride) => stride * (kernel.result.lastStride === 'any' ? 3 : 1)),
        );
        const reads = cases.flatMap(({ placed }) => placed.map((one) => placeOperand(instance, one)));
        const integers = cases.flatMap(({ extents, placed }, at) => mapIntegers(extents, null, placed, strides[at] ?? []));
        const items = cases.reduce((sum, { extents }) => sum + product(extents.slice(0, -1)), 0);
        for (const cuts of [[], [1, 2, 5, 7].filter((cut) => cut < items)]) {
          const rooms = cases.map(({ extents }) => 3 * product(extents));
          const results = rooms.map((room) => instance.reserve(room + 1));
          instance.run(`maps_${i}`, items, [...reads, ...results], integers, cuts);
          cases.forEach(({ kernel, extents, placed, tolerance }, at) => {
            const all = instance.floats(results[at] ?? 0, (rooms[at] ?? 0) + 1);
            expect(new Int32Array(all.buffer)[rooms[at] ?? 0], 'the element after the result').to.equal(0x7f7f7f7f);
            const found = Array.from({ length: product(extents) }, (_, e) => all[e * (strides[at]?.at(-1) ?? 1)] ?? NaN);
            const what = `part ${at} of maps_${i}, cut at ${cuts.join(', ')}`;
            expectClose(found, mapReference(kernel, extents, 0, placed), tolerance, what);
          });
        }
      });
    });

    it('apply every op to every element type it takes, alike in vectors and alone', async () => {
      const floatOps: readonly ElementwiseOp[] = [
      'add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum', 'less', 'equal', 'negate', 'exp', 'log', 'sqrt', 'tanh', 'erf',
      'sin', 'cos', 'relu', 'gelu', 'gelu_tanh', 'silu',
    ]; // prettier-ignore
      const integerOps: readonly ElementwiseOp[] = [
        'add',
        'subtract',
        'multiply',
        'maximum',
        'minimum',
        'less',
        'equal',
        'negate',
      ];
      const arity = (op: ElementwiseOp): number =>
        ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum', 'less', 'equal'].includes(op) ? 2 : 1;
      const typesOf: readonly ElementType[] = ['f32', 'i32', 'bool'];
      const rows: { op: ElementwiseOp; from: ElementType; to: ElementType }[] = [
        ...floatOps.map((op) => ({
          op,
          from: 'f32' as const,
          to: op === 'less' || op === 'equal' ? ('bool' as const) : ('f32' as const),
        })),
        ...integerOps.map((op) => ({
          op,
          from: 'i32' as const,
          to: op === 'less' || op === 'equal' ? ('bool' as const) : ('i32' as const),
        })),
        { op: 'equal', from: 'bool', to: 'bool' },
        ...typesOf.flatMap((from) =>
          typesOf.filter((to) => !(from === 'i32' && to === 'i32')).map((to) => ({ op: 'cast' as const, from, to })),
        ),
        ...typesOf.map((type) => ({ op: 'where' as const, from: type, to: type })),
      ];
      const width = 11;
      const values: { readonly [K in ElementType]: readonly (readonly number[])[] } = {
      f32: [[0, 0.5, -0.5, 1, 2.5, 3e-3, 80, 1, NaN, 1e10, -3.7], [1, 0.5, 0.25, -1, 2.5, 2, -7, NaN, 1, -1e10, 0]].map((row) => row.map(Math.fround)),
      i32: [[0, 1, -1, 7, 2 ** 31 - 1, -(2 ** 31), 12, 3, 3, -9, 5], [0, 2, -2, 7, 1, -1, -5, 4, 2, -9, 0]],
      bool: [[0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0]],
    }; // prettier-ignore
      const inputsOf = ({ op, from }: (typeof rows)[number]): Scalar[] => {
        if (op === 'where') return [load(2, 'bool'), load(0, from), load(1, from)];
        return arity(op) === 2 ? [load(0, from), load(1, from)] : [load(0, from)];
      };
      const kernels: Record<string, MapKernel> = {};
      for (const [i, row] of rows.entries()) {
        for (const lastStride of [1, 'any'] as const) {
          const operands = [operand(row.from, lastStride), operand(row.from, lastStride), operand('bool', lastStride)];
          const body = apply(row.op, row.to, ...inputsOf(row));
          const result = { elementType: row.to, lastStride: 1 } as const;
          kernels[`op_${i}_${lastStride}`] = { kind: 'map', rank: 1, operands, reduction: null, body, epilogue: null, result };
        }
      }
      const instance = await build.instantiate(kernels);
      const arrayOf = (type: ElementType, row: readonly number[]): Float32Array | Int32Array =>
        type === 'f32' ? Float32Array.from(row) : Int32Array.from(row);
      for (const [i, row] of rows.entries()) {
        const [a, b] = values[row.from] as [readonly number[], readonly number[]];
        const condition = values.bool[1] as readonly number[];
        const addresses = [arrayOf(row.from, a), arrayOf(row.from, b), arrayOf('bool', condition)].map((data) =>
          instance.place(data),
        );
        const wanted = a.map((x, j) => {
          const y = b[j] ?? NaN;
          if (row.op === 'where') return condition[j] ? x : y;
          const value = applyReference(row.op, row.to, arity(row.op) === 2 ? [x, y] : [x]);
          return row.to === 'f32' ? Math.fround(value) : row.op === 'multiply' ? Math.imul(x, y) : value | 0;
        });
        const found = ([1, 'any'] as const).map((lastStride) => {
          const result = instance.reserve(width);
          instance.run(`op_${i}_${lastStride}`, 1, [...addresses, result], [width, 1, 1, 1, 1]);
          return row.to === 'f32' ? instance.floats(result, width) : instance.integers(result, width);
        });
        const what = `${row.op} of ${row.from} to ${row.to}`;
        expectClose(found[0] as Float32Array, wanted, row.op === 'sin' || row.op === 'cos' ? Infinity : 1e-6, what);
        expect([...(found[1] as Float32Array)], `${what}, alone`).to.deep.equal([...(found[0] as Float32Array)]);
      }
    });

    it('reduce integers and truth values, over no element too', async () => {
      const random = randomData(seed);
      const cases = (['sum', 'max'] as const).flatMap((reduction) =>
        (['i32', 'bool'] as const).flatMap((elementType) =>
          [0, 1, 9].map((count): MapCase => {
            if (reduction === 'sum' && elementType === 'bool') elementType = 'i32';
            const data = new Int32Array(60).map(() => (elementType === 'bool' ? random.integer(2) : random.integer(9) - 4));
            const result = { elementType, lastStride: 1 } as const;
            const operands = [operand(elementType, 1)];
            const kernel: MapKernel = {
              kind: 'map',
              rank: 1,
              operands,
              reduction,
              body: load(0, elementType),
              epilogue: null,
              result,
            };
            return { kernel, extents: [6], count, placed: [{ data, offset: 0, strides: [1], reductionStride: 6 }], tolerance: 0 };
          }),
        ),
      );
      const instance = await build.instantiate(Object.fromEntries(cases.map(({ kernel }, i) => [`map_${i}`, kernel])));
      cases.forEach((one, i) => runMap(instance, `map_${i}`, one));
    });
  });

  describe(`norm kernels, ${build.title}`, () => {
    before(function () {
      build.skip(this);
    });
    const bodies: readonly { operands: readonly LoopOperand[]; body: Scalar }[] = [
      { operands: [operand('f32', 1), operand('f32', 1)], body: apply('add', 'f32', load(0), load(1)) },
      {
        // Token, position and type embeddings: two gathers and a broadcast row.
        operands: [operand('i32', 0), operand('f32', 1, true), operand('f32', 1)],
        body: apply('add', 'f32', load(1, 'f32', load(0, 'i32')), load(2)),
      },
      { operands: [operand('f32', 'any')], body: apply('add', 'f32', load(0), constant(farMean)) },
    ];
    it('agree with a float64 reference', async () => {
      const random = randomData(seed);
      const kernels = (['layer', 'rms'] as const).flatMap((norm) =>
        bodies.map((body): NormKernel => ({ kind: 'norm', norm, epsilon: 1e-6, rank: 3, ...body })),
      );
      const instance = await build.instantiate(Object.fromEntries(kernels.map((kernel, i) => [`norm_${i}`, kernel])));
      for (const [i, kernel] of kernels.entries()) {
        for (const width of [1, 2, 4, 7, 33, 384]) {
          const extents = [2, 3, width];
          const items = 6;
          const placed = kernel.operands.map((one): Placed => {
            if (one.elementType === 'i32')
              return { data: new Int32Array(items).map(() => random.integer(5)), offset: 0, strides: [3, 1, 0] };
            if (one.indirect) return { data: random.floats(5 * width), offset: 0, strides: [0, 0, 1], indirectStride: width };
            if (one.lastStride === 'any') return { data: random.floats(items * width), offset: 0, strides: [3 * width, 1, 3] };
            return { data: random.floats(items * width + 2), offset: 2, strides: [3 * width, width, 1] };
          });
          const [weight, bias] = [random.floats(width), kernel.norm === 'layer' ? random.floats(width) : null];
          const result = instance.reserve(items * width + 1);
          const addresses = [...placed.map((one) => placeOperand(instance, one)), instance.place(weight)];
          if (bias !== null) addresses.push(instance.place(bias));
          const integers = mapIntegers(extents, null, placed, []);
          instance.run(`norm_${i}`, items, [...addresses, result], integers);
          const whole = instance.floats(result, items * width + 1);
          const wanted = normReference(kernel, extents, placed, weight, bias);
          const what = `${kernel.norm} ${i} of width ${width}`;
          // Few values may be as close together as those around a mean that is far away.
          const isClose = kernel.operands.length === 1 || width < 33;
          if (bias !== null && isClose)
            expectCentred(whole.subarray(0, -1), wanted, { weight, bias, epsilon: kernel.epsilon }, what);
          else
            expectClose(
              whole.subarray(0, -1),
              wanted.flatMap(({ values }) => values),
              normTolerance,
              what,
            );
          expect(new Int32Array(whole.buffer).at(-1)).to.equal(0x7f7f7f7f);
          instance.run(`norm_${i}`, items, [...addresses, result], integers, [1, 3, 4]);
          expect([...instance.floats(result, items * width)]).to.deep.equal([...whole.subarray(0, -1)]);
        }
      }
    });
  });
}
