/** The ops that build principal keys, and that rank keys (atp-modes.md, section 2). All of them see unpadded tokens only. */
import {
  expectElementType,
  expectGroupedHeads,
  expectPositiveInteger,
  expectRank,
  expectSameSize,
  fail,
  operands,
  tensorInputs,
} from './rule.ts';
import { costOf } from './cost.ts';
import { best } from './best.ts';
import { countAtMost, elementsIn, sizeOf } from './type-sizes.ts';
import { principalRows } from '../principal-rows.ts';
import { assignClusters } from '../k-means.ts';
import type { EvaluationContext, OpDefinition, Tensor } from './definition.ts';
import type { OpName } from './attributes.ts';
import { formatType, tensorType, tupleType, type TensorType } from '../type.ts';
import { addSizes, ceilDivideSizes, formatSize, multiplySizes, type Size } from '../size.ts';

function expectKeysAndMask(op: OpName, key: TensorType, value: TensorType, mask: TensorType): void {
  expectElementType(op, 'key', key, 'f32');
  expectRank(op, 'key [b, G, s, e]', key, 4);
  expectElementType(op, 'value', value, 'f32');
  expectRank(op, 'value [b, G, s, ev]', value, 4);
  expectSameSize(op, 'batch', key, 0, value, 0);
  expectSameSize(op, 'key/value heads', key, 1, value, 1);
  expectSameSize(op, 'number of tokens', key, 2, value, 2);
  expectMask(op, key, 2, mask);
}
function expectMask(op: OpName, x: TensorType, tokenAxis: number, mask: TensorType): void {
  expectElementType(op, 'mask', mask, 'bool');
  expectRank(op, 'mask [b, s]', mask, 2);
  expectSameSize(op, 'batch', x, 0, mask, 0);
  expectSameSize(op, 'number of tokens', x, tokenAxis, mask, 1);
}

/** The positions of one sequence's unpadded tokens, ascending. */
function unpadded(mask: Tensor, batch: number): number[] {
  const tokens = mask.shape[1] as number;
  const positions: number[] = [];
  for (let t = 0; t < tokens; t += 1) if (mask.data[batch * tokens + t] !== 0) positions.push(t);
  return positions;
}
/** Adds row `from` of `x` to row `to` of `sum`; both have rows of `size`. */
function addRow(sum: Tensor['data'], to: number, x: Tensor, from: number, size: number): void {
  for (let i = 0; i < size; i += 1) sum[to * size + i] = (sum[to * size + i] as number) + (x.data[from * size + i] as number);
}
function store(values: Float64Array, shape: readonly number[], context: EvaluationContext): Tensor {
  const result = context.allocate('f32', shape);
  result.data.set(values);
  return result;
}

export const cluster: OpDefinition<'cluster'> = {
  name: 'cluster',
  inputs: 3,
  type(attributes, inputs) {
    const [key, value, mask] = tensorInputs('cluster', inputs, 3);
    expectKeysAndMask('cluster', key, value, mask);
    expectPositiveInteger('cluster', 'blockTokens', attributes.blockTokens);
    expectPositiveInteger('cluster', 'iterations', attributes.iterations);
    const perBlock = countAtMost(attributes.keysPerBlock, attributes.blockTokens);
    if (typeof perBlock !== 'number' || perBlock < 1) {
      fail(`cluster needs a number of keys for a block of ${attributes.blockTokens} tokens, not ${formatSize(perBlock)}.`);
    }
    const [batch, groups, tokens, size] = key.shape as readonly [Size, Size, Size, Size];
    const clusters = multiplySizes(ceilDivideSizes(tokens, attributes.blockTokens), perBlock);
    return tupleType([
      tensorType('i32', [batch, groups, tokens]),
      tensorType('i32', [batch, groups, addSizes(clusters, 1)]),
      tensorType('f32', [batch, groups, clusters, size]),
      tensorType('f32', [batch, groups, clusters, sizeOf(value, 3)]),
      tensorType('f32', [batch, groups, clusters]),
      tensorType('f32', [batch, groups, clusters]),
    ]);
  },
  evaluate(attributes, inputs, context) {
    const [key, value, mask] = operands(inputs, 3);
    const { blockTokens } = attributes;
    const [batches, groups, tokens, size] = key.shape as readonly [number, number, number, number];
    const valueSize = value.shape[3] as number;
    const capacity = context.size(attributes.keysPerBlock, { tokens: blockTokens });
    const clusters = Math.ceil(tokens / blockTokens) * capacity;
    const order = context.allocate('i32', [batches, groups, tokens]);
    const offsets = context.allocate('i32', [batches, groups, clusters + 1]);
    const rows = batches * groups * clusters;
    const meanKey = new Float64Array(rows * size);
    const meanValue = new Float64Array(rows * valueSize);
    const logMass = new Float64Array(rows).fill(-Infinity);
    const radius = new Float64Array(rows);

    for (let head = 0; head < batches * groups; head += 1) {
      const batch = Math.floor(head / groups);
      const positions = unpadded(mask, batch);
      const members: number[][] = Array.from({ length: clusters }, () => []);
      for (let block = 0; block * blockTokens < positions.length; block += 1) {
        const own = positions.slice(block * blockTokens, (block + 1) * blockTokens);
        const count = context.size(attributes.keysPerBlock, { tokens: own.length });
        if (count < 1 || count > capacity) {
          throw new RangeError(`cluster has ${capacity} keys a block, but a block of ${own.length} tokens asks for ${count}.`);
        }
        const points = new Float64Array(own.length * size);
        own.forEach((t, i) =>
          points.set(key.data.subarray((head * tokens + t) * size, (head * tokens + t + 1) * size), i * size),
        );
        assignClusters(points, own.length, size, count, attributes.iterations).forEach((assigned, i) => {
          members[block * capacity + assigned]?.push(own[i] as number);
        });
      }
      let next = 0;
      members.forEach((list, index) => {
        const row = head * clusters + index;
        offsets.data[head * (clusters + 1) + index] = next;
        for (const t of list) {
          order.data[head * tokens + next] = t;
          next += 1;
          addRow(meanKey, row, key, head * tokens + t, size);
          addRow(meanValue, row, value, head * tokens + t, valueSize);
        }
        if (list.length === 0) return;
        for (let i = 0; i < size; i += 1) meanKey[row * size + i] = (meanKey[row * size + i] as number) / list.length;
        for (let i = 0; i < valueSize; i += 1)
          meanValue[row * valueSize + i] = (meanValue[row * valueSize + i] as number) / list.length;
        let squares = 0;
        for (const t of list) {
          const from = (head * tokens + t) * size;
          for (let i = 0; i < size; i += 1)
            squares += ((key.data[from + i] as number) - (meanKey[row * size + i] as number)) ** 2;
        }
        logMass[row] = Math.log(list.length);
        radius[row] = squares / list.length;
      });
      offsets.data[head * (clusters + 1) + clusters] = next;
      for (let t = 0; t < tokens; t += 1) {
        if (mask.data[batch * tokens + t] !== 0) continue;
        order.data[head * tokens + next] = t;
        next += 1;
      }
    }
    const shape = [batches, groups, clusters];
    return [
      order,
      offsets,
      store(meanKey, [...shape, size], context),
      store(meanValue, [...shape, valueSize], context),
      store(logMass, shape, context),
      store(radius, shape, context),
    ];
  },
  cost(attributes, inputs, output) {
    const perBlock = countAtMost(attributes.keysPerBlock, attributes.blockTokens);
    const assign = multiplySizes(2 * attributes.iterations, perBlock, elementsIn(inputs[0]));
    const means = multiplySizes(attributes.iterations + 2, addSizes(elementsIn(inputs[0]), elementsIn(inputs[1])));
    return costOf(addSizes(assign, means), inputs, output);
  },
  decompose: null,
};

export const segment_means: OpDefinition<'segment_means'> = {
  name: 'segment_means',
  inputs: 3,
  type(attributes, inputs) {
    const [key, value, mask] = tensorInputs('segment_means', inputs, 3);
    expectKeysAndMask('segment_means', key, value, mask);
    const [batch, groups, tokens, size] = key.shape as readonly [Size, Size, Size, Size];
    const count = countAtMost(attributes.count, tokens);
    return tupleType([
      tensorType('f32', [batch, groups, count, size]),
      tensorType('f32', [batch, groups, count, sizeOf(value, 3)]),
      tensorType('f32', [batch, groups, count]),
    ]);
  },
  evaluate(attributes, inputs, context) {
    const [key, value, mask] = operands(inputs, 3);
    const [batches, groups, tokens, size] = key.shape as readonly [number, number, number, number];
    const valueSize = value.shape[3] as number;
    const width = context.size(attributes.count, { tokens });
    const rows = batches * groups * width;
    const meanKey = new Float64Array(rows * size);
    const meanValue = new Float64Array(rows * valueSize);
    const members = new Int32Array(rows);
    for (let head = 0; head < batches * groups; head += 1) {
      const positions = unpadded(mask, Math.floor(head / groups));
      const count = Math.min(width, context.size(attributes.count, { tokens: positions.length }));
      positions.forEach((t, index) => {
        const row = head * width + Math.floor((count * index) / positions.length);
        members[row] = (members[row] as number) + 1;
        addRow(meanKey, row, key, head * tokens + t, size);
        addRow(meanValue, row, value, head * tokens + t, valueSize);
      });
    }
    const divide = (sums: Float64Array, rowSize: number) =>
      sums.map((sum, at) => sum / Math.max(1, members[Math.floor(at / rowSize)] as number));
    const shape = [batches, groups, width];
    return [
      store(divide(meanKey, size), [...shape, size], context),
      store(divide(meanValue, valueSize), [...shape, valueSize], context),
      store(Float64Array.from(members, Math.log), shape, context),
    ];
  },
  cost: (_attributes, inputs, output) => costOf(addSizes(elementsIn(inputs[0]), elementsIn(inputs[1])), inputs, output),
  decompose: null,
};

export const rank_keys: OpDefinition<'rank_keys'> = {
  name: 'rank_keys',
  inputs: 3,
  type(attributes, inputs) {
    const [query, key, mask] = tensorInputs('rank_keys', inputs, 3);
    const op = 'rank_keys';
    expectElementType(op, 'projected query', query, 'f32');
    expectRank(op, 'projected query [b, H, n, p]', query, 4);
    expectElementType(op, 'projected key', key, 'f32');
    expectRank(op, 'projected key [b, G, s, p]', key, 4);
    expectSameSize(op, 'batch', query, 0, key, 0);
    expectGroupedHeads(op, query, key);
    expectSameSize(op, 'projected size', query, 3, key, 3);
    expectMask(op, key, 2, mask);
    return tupleType([
      tensorType('i32', [...query.shape.slice(0, 3), countAtMost(attributes.count, sizeOf(key, 2))]),
      tensorType('f32', [...query.shape.slice(0, 3), 1]),
    ]);
  },
  evaluate(attributes, inputs, context) {
    const [query, key, mask] = operands(inputs, 3);
    const [batches, heads, queries, size] = query.shape as readonly [number, number, number, number];
    const [, groups, tokens] = key.shape as readonly [number, number, number];
    const width = context.size(attributes.count, { tokens });
    const selection = context.allocate('i32', [batches, heads, queries, width]);
    const restScore = context.allocate('f32', [batches, heads, queries, 1]);
    selection.data.fill(-1);
    const score = new Float64Array(tokens);
    for (let row = 0; row < batches * heads * queries; row += 1) {
      const batch = Math.floor(row / (heads * queries));
      const head = Math.floor(row / queries) % heads;
      const first = (batch * groups + Math.floor((head * groups) / heads)) * tokens;
      const positions = unpadded(mask, batch);
      for (const t of positions) {
        let product = 0;
        for (let i = 0; i < size; i += 1)
          product += (query.data[row * size + i] as number) * (key.data[(first + t) * size + i] as number);
        score[t] = attributes.scale * product;
      }
      const count = Math.min(width, context.size(attributes.count, { tokens: positions.length }));
      const ranked = best(positions, score, positions.length);
      selection.data.set(ranked.slice(0, Math.max(0, count)), row * width);
      restScore.data[row] = logSumExp(ranked.slice(Math.max(0, count)).map((t) => score[t] as number));
    }
    return [selection, restScore];
  },
  cost(_attributes, inputs, output) {
    const [query, key] = inputs;
    const tokens = key?.kind === 'tensor' ? sizeOf(key, 2) : 0;
    return costOf(multiplySizes(2, elementsIn(query), tokens), inputs, output);
  },
  decompose: null,
};
/** Of scores in descending order; -inf of none. */
function logSumExp(scores: readonly number[]): number {
  const [largest] = scores;
  if (largest === undefined || largest === -Infinity) return -Infinity;
  return largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
}

export const principal_rows: OpDefinition<'principal_rows'> = {
  name: 'principal_rows',
  inputs: 2,
  type(attributes, inputs) {
    const [x, mask] = tensorInputs('principal_rows', inputs, 2);
    expectElementType('principal_rows', 'operand', x, 'f32');
    expectRank('principal_rows', 'operand [b, s, d]', x, 3);
    expectMask('principal_rows', x, 1, mask);
    const [batch, tokens, size] = x.shape as readonly [Size, Size, Size];
    const count = countAtMost(attributes.count, tokens);
    return tupleType([
      tensorType('f32', [batch, count, size]),
      tensorType('f32', [batch, count]),
      tensorType('f32', [batch, count]),
    ]);
  },
  evaluate(attributes, inputs, context) {
    const [x, mask] = operands(inputs, 2);
    const [batches, tokens, size] = x.shape as readonly [number, number, number];
    const width = context.size(attributes.count, { tokens });
    const rows = context.allocate('f32', [batches, width, size]);
    const columnSums = context.allocate('f32', [batches, width]);
    const bias = context.allocate('f32', [batches, width]);
    bias.data.fill(-Infinity);
    for (let batch = 0; batch < batches; batch += 1) {
      const positions = unpadded(mask, batch);
      const count = Math.min(width, context.size(attributes.count, { tokens: positions.length }));
      const own = new Float64Array(positions.length * size);
      positions.forEach((t, i) =>
        own.set(x.data.subarray((batch * tokens + t) * size, (batch * tokens + t + 1) * size), i * size),
      );
      const principal = principalRows(own, positions.length, size, count);
      rows.data.set(principal.rows, batch * width * size);
      columnSums.data.set(principal.columnSums, batch * width);
      bias.data.fill(0, batch * width, batch * width + principal.columnSums.length);
    }
    return [rows, columnSums, bias];
  },
  cost(_attributes, inputs, output) {
    const [x] = inputs;
    if (x?.kind !== 'tensor') return fail(`principal_rows takes a tensor, not ${x ? formatType(x) : 'nothing'}.`);
    const [batch, tokens, size] = x.shape as readonly [Size, Size, Size];
    // The Gram matrix of the features, about 9 d^3 for its eigenvectors (Golub and Van Loan, table 8.3.1), and the projection.
    const gram = multiplySizes(2, batch, tokens, size, size);
    return costOf(addSizes(gram, multiplySizes(9, batch, size, size, size), gram), inputs, output);
  },
  decompose: null,
};
