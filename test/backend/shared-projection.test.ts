/** The projection that mode shared learns: distances in it are what scores and outputs of the layer tell apart. */
import { expect } from 'chai';
import { captureAttention, type CapturedLayer } from '../../compiler/calibrate/capture.ts';
import { sharedProjection } from '../../compiler/calibrate/shared-projection.ts';
import { targetNamed } from '../../compiler/codegen/targets.ts';
import type { MemoryTensor } from '../../compiler/weights/tensor-source.ts';
import { bertInputs, bertSource, tinyBert, type TinyBert } from '../models/tiny-bert.ts';
import { randomNumbers, randomTensor } from '../ref/tensors.ts';
import { asRunInputs } from './conformance.ts';

const [tokens, width, heads, size] = [90, 32, 4, 8];
const square = (x: readonly number[]): number => x.reduce((sum, value) => sum + value * value, 0);

describe('the shared projection', () => {
  let model: TinyBert;
  let captured: readonly CapturedLayer[];
  let projection: MemoryTensor;
  const layer = 1;
  before(async () => {
    model = await tinyBert();
    const source = bertSource(model);
    const inputs = [{ tokens, inputs: asRunInputs(bertInputs([tokens], tokens)) }];
    const layers = await captureAttention(model.graph, source, inputs, targetNamed('wasm'));
    captured = layers.map((text) => text[layer] as CapturedLayer);
    projection = await sharedProjection(model.graph, layer, source, captured);
  });

  /** Rows [from, from + count) of a weight times x. */
  function rowsTimes(name: string, x: readonly number[], from: number, count: number): number[] {
    const weight = model.parameters(`encoder.layer.${layer}.attention.${name}.weight`).data;
    return Array.from({ length: count }, (_, row) =>
      x.reduce((sum, value, i) => sum + value * (weight[(from + row) * width + i] ?? NaN), 0),
    );
  }
  /** Both parts of x^T S x, unscaled: squares of scores, squares of what goes into the residual stream. */
  function parts(x: readonly number[]): readonly [number, number] {
    let [scores, outputs] = [0, 0];
    for (let head = 0; head < heads; head += 1) {
      const key = rowsTimes('self.key', x, head * size, size);
      for (const { query } of captured) {
        for (let token = 0; token < tokens; token += 1) {
          const own = query.data.subarray((head * tokens + token) * size, (head * tokens + token + 1) * size);
          scores += key.reduce((sum, value, i) => sum + value * (own[i] ?? NaN), 0) ** 2;
        }
      }
      const value = rowsTimes('self.value', x, head * size, size);
      const placed = Array.from({ length: width }, (_, i) => (Math.floor(i / size) === head ? (value[i % size] ?? NaN) : 0));
      outputs += square(rowsTimes('output.dense', placed, 0, width));
    }
    return [scores, outputs];
  }

  it('has the squares of scores and outputs as its own, where it has all directions', () => {
    expect(projection.shape).to.deep.equal([width, width]);
    const unit = (axis: number): number[] => Array.from({ length: width }, (_, i) => Number(i === axis));
    const traces = [0, 1].map((part) =>
      Array.from({ length: width }, (_, axis) => parts(unit(axis))[part] ?? NaN).reduce((sum, value) => sum + value, 0),
    );
    const random = randomNumbers(3);
    for (let trial = 0; trial < 5; trial += 1) {
      const x = Array.from(randomTensor(random, [width]).data);
      const wanted = parts(x).reduce((sum, value, part) => sum + value / (traces[part] ?? NaN), 0);
      const projected = Array.from({ length: width }, (_, row) =>
        x.reduce((sum, value, i) => sum + value * (projection.data[row * width + i] ?? NaN), 0),
      );
      expect(square(projected)).to.be.closeTo(wanted, 1e-5 * wanted);
    }
  });
  it('has its directions by weight, each a direction of its own', () => {
    const rows = Array.from({ length: width }, (_, row) => Array.from(projection.data.subarray(row * width, (row + 1) * width)));
    const weights = rows.map(square);
    weights.slice(1).forEach((weight, index) => expect(weight).to.be.at.most((weights[index] ?? NaN) * (1 + 1e-6)));
    rows.forEach((row, index) => {
      const next = rows[index + 1];
      if (!next) return;
      const product = row.reduce((sum, value, i) => sum + value * (next[i] ?? NaN), 0);
      expect(Math.abs(product)).to.be.below(1e-5 * (weights[0] ?? NaN));
    });
  });
});
