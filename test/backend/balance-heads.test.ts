/** Balanced heads: another basis for queries and keys, the same model. */
import { expect } from 'chai';
import { balanceHeads } from '../../compiler/calibrate/balance-heads.ts';
import { captureAttention, type CalibrationInput, type CapturedLayer } from '../../compiler/calibrate/capture.ts';
import { targetNamed } from '../../compiler/codegen/targets.ts';
import type { TensorSource } from '../../compiler/weights/tensor-source.ts';
import { isOp, type Graph } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { rewriteGraph } from '../../ir/rewrite.ts';
import type { AttentionPlan } from '../../passes/atp/plan.ts';
import type { FloatTensor } from '../../runtime/api.ts';
import { uniformPlan } from '../models/compiled.ts';
import { bertInputs, bertSource, tinyBert, type TinyBert } from '../models/tiny-bert.ts';
import { asRunInputs, expectClose } from './conformance.ts';

const tokens = 150;
const [heads, size] = [4, 8];

async function embedding(graph: Graph, source: TensorSource, inputs: Record<string, Tensor>): Promise<ArrayLike<number>> {
  const values = new Map<string, Tensor>();
  for (const name of source.names()) {
    values.set(name, { elementType: 'f32', shape: source.info(name).shape, data: await source.readFloat32(name) });
  }
  const outputs = interpret(graph, { inputs, parameters: (name) => values.get(name) as Tensor, precision: 'f64' });
  return outputs['sentence_embedding']?.data ?? [];
}
/** q . k of the first tokens of a head. */
function products({ query, key }: CapturedLayer, head: number): number[] {
  const row = ({ data }: FloatTensor, token: number): Float32Array =>
    data.subarray((head * tokens + token) * size, (head * tokens + token + 1) * size);
  return [0, 1, 2, 3].flatMap((i) =>
    [0, 1, 2, 3].map((j) => row(query, i).reduce((sum, value, d) => sum + value * (row(key, j)[d] ?? 0), 0)),
  );
}
/** Mean square of the queries of a head in each direction of a few. */
function spread({ query }: CapturedLayer, head: number): number {
  const directions = Array.from({ length: 24 }, (_, index) =>
    Array.from({ length: size }, (__, d) => Math.cos(1 + index * (d + 1) * 1.7)),
  );
  const squares = directions.map((direction) => {
    const length = direction.reduce((sum, value) => sum + value * value, 0);
    let total = 0;
    for (let token = 0; token < tokens; token += 1) {
      let dot = 0;
      for (let d = 0; d < size; d += 1) dot += (direction[d] ?? 0) * (query.data[(head * tokens + token) * size + d] ?? 0);
      total += (dot * dot) / length;
    }
    return total;
  });
  return Math.max(...squares) / Math.min(...squares);
}

describe('balanced heads', () => {
  let model: TinyBert;
  let source: TensorSource;
  let inputs: Record<string, Tensor>;
  let captured: readonly (readonly CapturedLayer[])[];
  const calibration = (): readonly CalibrationInput[] => [{ tokens, inputs: asRunInputs(inputs) }];
  before(async () => {
    model = await tinyBert();
    source = bertSource(model);
    inputs = bertInputs([tokens], tokens);
    captured = await captureAttention(model.graph, source, calibration(), targetNamed('wasm'));
  });

  it('change nothing that a dense model computes, to 1e-6', async () => {
    const balanced = await balanceHeads(model.graph, source, uniformPlan('expand', [1, 4]), captured);
    const name = source.names().find((candidate) => candidate.endsWith('query.weight')) ?? '';
    expect(Array.from(await balanced.tensors.readFloat32(name))).to.not.deep.equal(Array.from(await source.readFloat32(name)));
    expectClose(
      await embedding(model.graph, balanced.tensors, inputs),
      await embedding(model.graph, source, inputs),
      1e-6,
      'embedding',
    );
  });
  it('spread queries alike in all directions and keep every product of query and key', async () => {
    const { captured: after } = await balanceHeads(model.graph, source, uniformPlan('cluster', [1, 2]), captured);
    for (const layer of [0, 1]) {
      const [old, balanced] = [captured[0]?.[layer] as CapturedLayer, after[0]?.[layer] as CapturedLayer];
      for (let head = 0; head < heads; head += 1) {
        // Not quite 1: directions that queries hardly use are stretched by 10 at most.
        expect(spread(balanced, head)).to.be.lessThan(spread(old, head) / 4);
        expectClose(products(balanced, head), products(old, head), 1e-4, `layer ${layer}, head ${head}`);
      }
    }
  });
  it('are what the new weights compute', async () => {
    const balanced = await balanceHeads(model.graph, source, uniformPlan('expand', [1, 4]), captured);
    const again = await captureAttention(model.graph, balanced.tensors, calibration(), targetNamed('wasm'));
    for (const part of ['query', 'key', 'value'] as const) {
      expectClose(again[0]?.[1]?.[part].data ?? [], balanced.captured[0]?.[1]?.[part].data ?? [], 1e-4, part);
    }
  });
  it('are those whose keys are clustered, no others', async () => {
    const plan: AttentionPlan = {
      reason: 'test',
      layers: [
        {
          layer: 1,
          groups: [
            { mode: 'expand', kvHeads: [2], keys: [1, 4] },
            { mode: 'topr', kvHeads: [0, 1, 3], keys: [1, 4] },
          ],
        },
      ],
    };
    const { captured: after } = await balanceHeads(model.graph, source, plan, captured);
    expect(after[0]?.[0]).to.deep.equal(captured[0]?.[0]);
    const block = (layers: readonly CapturedLayer[] | undefined, head: number): number[] =>
      Array.from(layers?.[1]?.query.data.subarray(head * tokens * size, (head + 1) * tokens * size) ?? []);
    for (const head of [0, 1, 3]) expect(block(after[0], head)).to.deep.equal(block(captured[0], head));
    expect(block(after[0], 2)).to.not.deep.equal(block(captured[0], 2));
  });
  it('leave a layer alone whose weights are used elsewhere', async () => {
    const tied = rewriteGraph(model.graph, 'tie', (node) => {
      if (!isOp(node, 'parameter') || !node.attributes.name.includes('layer.0.attention.self.key.')) return undefined;
      const name = node.attributes.name.replace('.key.', '.query.');
      return model.graph.nodes.make('parameter', { ...node.attributes, name }, []);
    });
    const balanced = await balanceHeads(tied, source, uniformPlan('expand', [1, 4]), captured);
    expect(balanced.captured[0]?.[0]).to.deep.equal(captured[0]?.[0]);
    expect(balanced.captured[0]?.[1]).to.not.deep.equal(captured[0]?.[1]);
  });
});
