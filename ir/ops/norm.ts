/** Norms, softmax and rotary positions: composites with a decomposition into primitive ops. */
import { expectAxis, expectElementType, expectFixedSize, expectPositiveInteger, fail, operands, tensorInputs } from './rule.ts';
import { costOf, elements } from './cost.ts';
import { elementsOf } from './strides.ts';
import type { OpAttributes } from './attributes.ts';
import type { Decomposer, OpDefinition } from './definition.ts';
import { formatType, type TensorType } from '../type.ts';
import { formatSize, multiplySizes, sizesEqual, type Size } from '../size.ts';

const f32 = (value: number): OpAttributes['constant'] => ({ elementType: 'f32', value });

/** x and the [d] vectors that scale and shift its last axis. */
function expectNormOperands(op: 'layer_norm' | 'rms_norm', x: TensorType, vectors: readonly TensorType[]): void {
  expectElementType(op, 'operand', x, 'f32');
  if (x.shape.length === 0) fail(`${op} normalises the last axis, but ${formatType(x)} has none.`);
  const last = x.shape.length - 1;
  const size = expectFixedSize(op, 'normalised axis', x, last);
  vectors.forEach((vector, index) => {
    if (vector.elementType === 'f32' && vector.shape.length === 1 && sizesEqual(vector.shape[0] as Size, size)) return;
    fail(
      `${op} needs its ${index === 0 ? 'weight' : 'bias'} to be f32[${size}] for ${formatType(x)}, not ${formatType(vector)}.`,
    );
  });
}
function expectEpsilon(op: 'layer_norm' | 'rms_norm', epsilon: number): void {
  if (!(epsilon >= 0 && Number.isFinite(epsilon))) fail(`${op} needs a finite epsilon of at least 0, not ${epsilon}.`);
}

/** The type of a node that the composite's own type rule has accepted. */
function shapeOf<N>(into: Decomposer<N>, node: N): readonly Size[] {
  const type = into.type(node);
  return type.kind === 'tensor' ? type.shape : [];
}
/** The mean over the last axis, kept with size 1. */
function meanOf<N>(into: Decomposer<N>, x: N): N {
  const shape = shapeOf(into, x);
  const size = shape.at(-1) as number;
  const sum = into.make('reduce_sum', { axis: shape.length - 1 }, [x]);
  return into.make('multiply', {}, [sum, into.make('constant', f32(1 / size), [])]);
}
function normalise<N>(into: Decomposer<N>, x: N, epsilon: number): N {
  const meanSquare = meanOf(into, into.make('multiply', {}, [x, x]));
  const deviation = into.make('sqrt', {}, [into.make('add', {}, [meanSquare, into.make('constant', f32(epsilon), [])])]);
  return into.make('divide', {}, [x, deviation]);
}

export const layer_norm: OpDefinition<'layer_norm'> = {
  name: 'layer_norm',
  inputs: 3,
  type(attributes, inputs) {
    const [x, weight, bias] = tensorInputs('layer_norm', inputs, 3);
    expectNormOperands('layer_norm', x, [weight, bias]);
    expectEpsilon('layer_norm', attributes.epsilon);
    return x;
  },
  evaluate(attributes, inputs, context) {
    const [x, weight, bias] = operands(inputs, 3);
    const size = x.shape.at(-1) as number;
    const result = context.allocate('f32', x.shape);
    for (let start = 0; start < x.data.length; start += size) {
      let sum = 0;
      for (let i = 0; i < size; i += 1) sum += x.data[start + i] as number;
      const mean = sum / size;
      let squares = 0;
      for (let i = 0; i < size; i += 1) squares += ((x.data[start + i] as number) - mean) ** 2;
      const deviation = Math.sqrt(squares / size + attributes.epsilon);
      for (let i = 0; i < size; i += 1) {
        const normal = ((x.data[start + i] as number) - mean) / deviation;
        result.data[start + i] = normal * (weight.data[i] as number) + (bias.data[i] as number);
      }
    }
    return [result];
  },
  cost: (_attributes, inputs, output) => costOf(multiplySizes(8, elements(output)), inputs, output),
  decompose(attributes, inputs, into) {
    const [x, weight, bias] = inputs as readonly [(typeof inputs)[number], (typeof inputs)[number], (typeof inputs)[number]];
    const centred = into.make('subtract', {}, [x, meanOf(into, x)]);
    const scaled = into.make('multiply', {}, [normalise(into, centred, attributes.epsilon), weight]);
    return into.make('add', {}, [scaled, bias]);
  },
};

export const rms_norm: OpDefinition<'rms_norm'> = {
  name: 'rms_norm',
  inputs: 2,
  type(attributes, inputs) {
    const [x, weight] = tensorInputs('rms_norm', inputs, 2);
    expectNormOperands('rms_norm', x, [weight]);
    expectEpsilon('rms_norm', attributes.epsilon);
    return x;
  },
  evaluate(attributes, inputs, context) {
    const [x, weight] = operands(inputs, 2);
    const size = x.shape.at(-1) as number;
    const result = context.allocate('f32', x.shape);
    for (let start = 0; start < x.data.length; start += size) {
      let squares = 0;
      for (let i = 0; i < size; i += 1) squares += (x.data[start + i] as number) ** 2;
      const scale = Math.sqrt(squares / size + attributes.epsilon);
      for (let i = 0; i < size; i += 1)
        result.data[start + i] = ((x.data[start + i] as number) / scale) * (weight.data[i] as number);
    }
    return [result];
  },
  cost: (_attributes, inputs, output) => costOf(multiplySizes(5, elements(output)), inputs, output),
  decompose(attributes, inputs, into) {
    const [x, weight] = inputs as readonly [(typeof inputs)[number], (typeof inputs)[number]];
    return into.make('multiply', {}, [normalise(into, x, attributes.epsilon), weight]);
  },
};

export const softmax: OpDefinition<'softmax'> = {
  name: 'softmax',
  inputs: 1,
  type(attributes, inputs) {
    const [x] = tensorInputs('softmax', inputs, 1);
    expectElementType('softmax', 'operand', x, 'f32');
    expectAxis('softmax', x, attributes.axis);
    return x;
  },
  evaluate(attributes, inputs, context) {
    const [x] = operands(inputs, 1);
    const result = context.allocate('f32', x.shape);
    const length = x.shape[attributes.axis] as number;
    const inner = elementsOf(x.shape.slice(attributes.axis + 1));
    const weights = new Float64Array(length);
    for (let line = 0; line * length < x.data.length; line += 1) {
      const first = Math.floor(line / inner) * length * inner + (line % inner);
      let largest = -Infinity;
      for (let i = 0; i < length; i += 1) largest = Math.max(largest, x.data[first + i * inner] as number);
      let sum = 0;
      for (let i = 0; i < length; i += 1) {
        const weight = Math.exp((x.data[first + i * inner] as number) - largest);
        weights[i] = weight;
        sum += weight;
      }
      for (let i = 0; i < length; i += 1) result.data[first + i * inner] = (weights[i] as number) / sum;
    }
    return [result];
  },
  cost: (_attributes, inputs, output) => costOf(multiplySizes(5, elements(output)), inputs, output),
  decompose(attributes, inputs, into) {
    const largest = into.make('reduce_max', attributes, inputs);
    const weights = into.make('exp', {}, [into.make('subtract', {}, [...inputs, largest])]);
    return into.make('divide', {}, [weights, into.make('reduce_sum', attributes, [weights])]);
  },
};

export const rope: OpDefinition<'rope'> = {
  name: 'rope',
  inputs: 2,
  type(attributes, inputs) {
    const [x, positions] = tensorInputs('rope', inputs, 2);
    expectElementType('rope', 'operand', x, 'f32');
    expectElementType('rope', 'positions', positions, 'i32');
    expectPositiveInteger('rope', 'maxPositions', attributes.maxPositions);
    if (!(attributes.theta > 0 && Number.isFinite(attributes.theta)))
      fail(`rope needs a positive theta, not ${attributes.theta}.`);
    const rank = x.shape.length;
    const shared =
      positions.shape.length === 2 && rank === 4 ? [0, 2] : positions.shape.length === 1 && rank >= 2 ? [rank - 2] : null;
    if (shared === null) {
      return fail(
        `rope takes positions [n] for [..., n, e] or [b, n] for [b, H, n, e], not ${formatType(positions)} for ${formatType(x)}.`,
      );
    }
    shared.forEach((axis, at) => {
      const own = x.shape[axis] as Size;
      const other = positions.shape[at] as Size;
      if (sizesEqual(own, other)) return;
      fail(
        `rope needs a position for each row of ${formatType(x)}, but the positions ${formatType(positions)} ` +
          `have ${formatSize(other)} where it has ${formatSize(own)}.`,
      );
    });
    const size = expectFixedSize('rope', 'head size', x, rank - 1);
    if (size % 2 !== 0) fail(`rope rotates halves, so the last axis of ${formatType(x)} would have to be even.`);
    const { divisors } = attributes;
    if (divisors.length !== 0 && divisors.length !== size / 2)
      fail(`rope needs a divisor for each of the ${size / 2} frequencies of ${formatType(x)}, or none, not ${divisors.length}.`);
    const wrong = divisors.find((divisor) => !(divisor > 0 && Number.isFinite(divisor)));
    if (wrong !== undefined) fail(`rope needs positive divisors, not ${wrong}.`);
    return x;
  },
  evaluate(attributes, inputs, context) {
    const [x, positions] = operands(inputs, 2);
    const [rows, size] = x.shape.slice(-2) as [number, number];
    const half = size / 2;
    const result = context.allocate('f32', x.shape);
    const perBatch = positions.shape.length === 2 ? (x.shape[1] as number) * rows : Infinity;
    for (let row = 0; row * size < x.data.length; row += 1) {
      const batch = Math.floor(row / perBatch);
      const position = positions.data[batch * rows + (row % rows)] as number;
      if (position < 0 || position >= attributes.maxPositions) {
        throw new RangeError(`rope found the position ${position}; it has a table of ${attributes.maxPositions}.`);
      }
      for (let i = 0; i < half; i += 1) {
        const angle = position * (attributes.theta ** ((-2 * i) / size) / (attributes.divisors[i] ?? 1));
        const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
        const first = x.data[row * size + i] as number;
        const second = x.data[row * size + half + i] as number;
        result.data[row * size + i] = first * cosine - second * sine;
        result.data[row * size + half + i] = second * cosine + first * sine;
      }
    }
    return [result];
  },
  cost: (_attributes, inputs, output) => costOf(multiplySizes(3, elements(output)), inputs, output),
  decompose(attributes, inputs, into) {
    const [x, positions] = inputs as readonly [(typeof inputs)[number], (typeof inputs)[number]];
    const shape = shapeOf(into, x);
    const size = shape.at(-1) as number;
    const half = size / 2;
    // The tables depend on no parameter, so constant folding turns them into two constants; a run only gathers rows.
    const table = [attributes.maxPositions, half];
    const index = (axis: number) => into.make('cast', { to: 'f32' }, [into.make('iota', { shape: table, axis }, [])]);
    const exponent = into.make('constant', f32((-2 * Math.log(attributes.theta)) / size), []);
    const unscaled = into.make('exp', {}, [into.make('multiply', {}, [index(1), exponent])]);
    const divisors = attributes.divisors.map((divisor) =>
      into.make('reshape', { shape: [1] }, [into.make('constant', f32(divisor), [])]),
    );
    const frequency =
      divisors.length === 0 ? unscaled : into.make('divide', {}, [unscaled, into.make('concat', { axis: 0 }, divisors)]);
    const angle = into.make('multiply', {}, [index(0), frequency]);
    const batched = shapeOf(into, positions).length === 2;
    const rowsOf = (values: (typeof inputs)[number]) => {
      const rows = into.make('gather', { batchAxes: 0 }, [values, positions]);
      return batched ? into.make('reshape', { shape: [shape[0] as Size, 1, shape[2] as Size, half] }, [rows]) : rows;
    };
    const cosine = rowsOf(into.make('cos', {}, [angle]));
    const sine = rowsOf(into.make('sin', {}, [angle]));
    const axis = shape.length - 1;
    const first = into.make('slice', { axis, start: 0, length: half }, [x]);
    const second = into.make('slice', { axis, start: half, length: half }, [x]);
    const times = (a: (typeof inputs)[number], b: (typeof inputs)[number]) => into.make('multiply', {}, [a, b]);
    return into.make('concat', { axis }, [
      into.make('subtract', {}, [times(first, cosine), times(second, sine)]),
      into.make('add', {}, [times(second, cosine), times(first, sine)]),
    ]);
  },
};
