/** Which weights stay in blocks on the way to a package, and that their blocks are those of the checkpoint. */
import { expect } from 'chai';
import { build, buildStateful } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { Parameters } from '../../compiler/program/parameters.ts';
import { dequantise, sameBlockFormat, type BlockFormat } from '../../compiler/weights/block-format.ts';
import { quantFormats, quantise } from '../../compiler/weights/quantise.ts';
import { matrixParameters, storedAs, storedTensorBytes } from '../../compiler/weights/stored-as.ts';
import { formatsOf, memorySource, overlaidSource, readBlocks, type TensorSource } from '../../compiler/weights/tensor-source.ts';
import { evaluateNodes } from '../../ir/interpret.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import type { CachePlan } from '../../passes/atp/cache-plan.ts';
import { uniformPlan } from '../models/compiled.ts';
import { tinyBert } from '../models/tiny-bert.ts';
import { tinyLlama, type TinyLlama } from '../models/tiny-llama.ts';

const layer = 'model.layers.0';
const stacked = `${layer}.self_attn.{q_proj,k_proj,v_proj}.weight`;
/** Rows of 64 are whole blocks of 32, and so is a head of 32. */
const wide = { hiddenSize: 64, headSize: 32, heads: 4, kvHeads: 2 } as const;

/** A checkpoint whose matrices are in blocks of different formats, as files with mixed quantisation are. */
function mixed(model: TinyLlama, formats: (name: string) => 'q8' | 'q4' | null): TensorSource {
  const [q8, q4] = (['q8', 'q4'] as const).map((type) => storedAs(model.source, model.graph, type).tensors);
  const of = (name: string): TensorSource => {
    const type = formats(name);
    return (type === 'q8' ? q8 : type === 'q4' ? q4 : undefined) ?? model.source;
  };
  return {
    names: () => model.source.names(),
    has: (name) => model.source.has(name),
    info: (name) => of(name).info(name),
    readFloat32: async (name) => await of(name).readFloat32(name),
    readRaw: async (name) => await of(name).readRaw(name),
    readBlocks: async (name) => await readBlocks(of(name), name),
  };
}
function compiled(model: TinyLlama, source: TensorSource) {
  const built = build(model.graph, { plan: densePlan, target: wasmTarget, verify: true, formatOf: formatsOf(source) });
  const { derived } = built.stage;
  return { built, parameters: new Parameters({ source, derived, computed: {}, storage: null, formats: built.formats }) };
}

describe('weights in blocks', () => {
  it('are the right sides of products and the embedding tables, where rows are whole blocks', async () => {
    const { graph, source } = await tinyLlama({ hiddenSize: 48, intermediateSize: 64 });
    expect(matrixParameters(graph).size).to.equal(1 + 2 * 7);
    const { tensors, approximations } = storedAs(source, graph, 'q8');
    const inBlocks = tensors.names().filter((name) => tensors.info(name).format !== undefined);
    // Of rows of 48 none; of the 32 of all heads and of the 64 of the MLP all.
    expect(inBlocks).to.deep.equal(
      [0, 1].flatMap((index) => [`model.layers.${index}.self_attn.o_proj.weight`, `model.layers.${index}.mlp.down_proj.weight`]),
    );
    expect(approximations).to.deep.equal(['4 of the weight matrices quantised to signed q8 in blocks of 32']);
    expect(storedTensorBytes(tensors, `${layer}.mlp.down_proj.weight`)).to.equal(48 * 64 + 48 * 2 * 2);
  });

  it('are quantised once: values, blocks and infos agree', async () => {
    const { graph, source, weights } = await tinyLlama();
    for (const type of ['q8', 'q4'] as const) {
      const { tensors } = storedAs(source, graph, type);
      const name = `${layer}.mlp.up_proj.weight`;
      const blocks = await readBlocks(tensors, name);
      expect(sameBlockFormat(blocks.format, tensors.info(name).format ?? null)).to.equal(true);
      expect([...(await tensors.readFloat32(name))]).to.deep.equal([...dequantise(blocks)]);
      const exact = weights[name]?.data ?? new Float32Array();
      const step = Math.max(...blocks.scales);
      exact.forEach((value, index) => expect(dequantise(blocks)[index]).to.be.closeTo(value, step * 0.51));
      expect(tensors.info('model.norm.weight')).to.deep.equal({ storage: 'F32', shape: [32] });
    }
  });

  it('are expanded where plain numbers are asked for', async () => {
    const model = await tinyLlama();
    const source = mixed(model, (name) => (name.includes('norm') ? null : 'q4'));
    const name = `${layer}.mlp.up_proj.weight`;
    for (const type of ['f32', 'f16'] as const) {
      const { tensors, approximations } = storedAs(source, model.graph, type);
      expect(tensors.info(name)).to.deep.equal({ storage: 'F32', shape: [64, 32] });
      expect(approximations).to.deep.equal([]);
      expect([...new Float32Array((await tensors.readRaw(name)).buffer)]).to.deep.equal([...(await source.readFloat32(name))]);
      expect(compiled(model, tensors).built.formats.size).to.equal(0);
    }
    expect(storedAs(source, model.graph, 'q8').tensors.info(name).format).to.deep.equal(quantFormats.q4);
  });

  it('are stacked where the formats are the same, and only there', async () => {
    const model = await tinyLlama();
    const same = compiled(
      model,
      mixed(model, (name) => (name.includes('norm') ? null : 'q8')),
    );
    expect(same.built.formats.get(stacked)).to.deep.equal(quantFormats.q8);
    expect(same.built.formats.size).to.equal(1 + 2 * 4);
    const apart = compiled(
      model,
      mixed(model, (name) => (name.includes('norm') ? null : name.includes('v_proj') ? 'q8' : 'q4')),
    );
    const formats: readonly (readonly [string, BlockFormat])[] = [
      [`${layer}.self_attn.{q_proj,k_proj}.weight`, quantFormats.q4],
      [`${layer}.self_attn.v_proj.weight`, quantFormats.q8],
    ];
    for (const [name, format] of formats) expect(apart.built.formats.get(name), name).to.deep.equal(format);
    const plain = compiled(
      model,
      mixed(model, (name) => (name.includes('k_proj') || name.includes('norm') ? null : 'q4')),
    );
    expect([...plain.built.formats.keys()].filter((name) => name.startsWith(`${layer}.self_attn`))).to.have.members([
      `${layer}.self_attn.{q_proj,v_proj}.weight`,
      `${layer}.self_attn.o_proj.weight`,
    ]);
  });

  it('have the values that the passes would compute from plain numbers, bit by bit', async () => {
    const model = await tinyLlama();
    const { built, parameters } = compiled(
      model,
      mixed(model, (name) => (name.includes('norm') ? null : 'q4')),
    );
    const source = mixed(model, (name) => (name.includes('norm') ? null : 'q4'));
    const node = built.stage.derived.get(stacked);
    expect(node).to.not.equal(undefined);
    if (!node) return;
    const values = new Map<string, Float32Array>();
    for (const name of source.names()) values.set(name, await source.readFloat32(name));
    const shape = (name: string): readonly number[] => source.info(name).shape;
    const expected = evaluateNodes([node], {
      parameters: (name) => ({ elementType: 'f32', shape: shape(name), data: values.get(name) ?? new Float32Array() }),
    }).get(node)?.[0];
    expect([...(await parameters.read(stacked))]).to.deep.equal([...(expected?.data ?? [])]);
  });

  it('move with the heads that a plan of caches puts in another order, rows and columns', async () => {
    const model = await tinyLlama(wide);
    const { tensors } = storedAs(model.source, model.graph, 'q4');
    const cache = { kind: 'dense', capacity: 64 } as const;
    const plan: CachePlan = {
      reason: 'test',
      layers: [
        [
          { mode: 'dense', kvHeads: [1], cache },
          { mode: 'dense', kvHeads: [0], cache },
        ],
        [{ mode: 'dense', kvHeads: [0, 1], cache }],
      ],
    };
    const options = { plan, maxTokens: 64, target: wasmTarget, verify: true, formatOf: formatsOf(tensors) };
    const built = buildStateful(model.graph, options);
    const { derived } = built.stage;
    const parameters = new Parameters({ source: tensors, derived, computed: {}, storage: null, formats: built.formats });
    const output = [...built.formats.keys()].find((name) => name.startsWith(`${layer}.self_attn.o_proj`));
    expect(output).to.not.equal(undefined);
    const blocks = await parameters.blocks(output ?? '');
    const original = await readBlocks(tensors, `${layer}.self_attn.o_proj.weight`);
    // Heads 2 and 3 read key head 1, which comes first now: columns of the output weight move in runs of two heads.
    const [before, after] = [dequantise(original), dequantise(blocks)];
    const row = (values: Float32Array, index: number): number[] => [...values.subarray(index * 128, (index + 1) * 128)];
    for (const index of [0, 17, 63]) {
      const whole = row(before, index);
      expect(row(after, index)).to.deep.equal([...whole.slice(64), ...whole.slice(0, 64)]);
    }
    const projections = await parameters.blocks(stacked);
    const query = dequantise(await readBlocks(tensors, `${layer}.self_attn.q_proj.weight`));
    expect([...dequantise(projections).subarray(0, 64 * 64)]).to.deep.equal([...query.subarray(64 * 64)]);
  });

  it('go into a package as quants, scales and minima', async () => {
    const model = await tinyLlama();
    const { built, parameters } = compiled(
      model,
      mixed(model, (name) => (name.includes('norm') ? null : 'q4')),
    );
    const written = parameters.weightTensors(built.program);
    const parts = written.filter(({ name }) => name.startsWith(stacked));
    expect(parts.map(({ name, storage, shape }) => [name.slice(stacked.length), storage, shape])).to.deep.equal([
      ['.quants', 'U8', [64, 16]],
      ['.scales', 'F16', [64, 1]],
      ['.minima', 'F16', [64, 1]],
    ]);
    expect(new Set(written.map(({ name }) => name)).size).to.equal(written.length);
    const tensors = new Set(built.program.weights.map(({ tensor }) => tensor));
    expect([...tensors]).to.have.members(written.map(({ name }) => name));
    for (const { name, read } of parts) expect(await read()).to.deep.equal(await parameters.readTensor(name));
  });

  it('come back into the blocks of their format where calibration changed the values', async () => {
    const model = await tinyBert();
    const shape = [32, 32] as const;
    const name = 'encoder.layer.0.attention.self.query.weight';
    const weights = Object.fromEntries(
      [...matrixParameters(model.graph)].map((each) => [
        each,
        { shape: model.parameters(each).shape, data: Float32Array.from(model.parameters(each).data) },
      ]),
    );
    const { tensors } = storedAs(memorySource(weights), model.graph, 'q8');
    const changed = Float32Array.from({ length: 1024 }, (_, index) => Math.sin(index));
    const plan = uniformPlan('dense', [1, 1]);
    const built = build(model.graph, { plan, target: wasmTarget, verify: true, formatOf: formatsOf(tensors) });
    const parameters = new Parameters({
      source: overlaidSource(tensors, { [name]: { shape, data: changed } }),
      derived: built.stage.derived,
      computed: {},
      storage: null,
      formats: built.formats,
    });
    const found = dequantise(await parameters.blocks('encoder.layer.0.attention.self.{query,key,value}.weight')).subarray(
      0,
      1024,
    );
    expect([...found]).to.deep.equal([...dequantise(quantise(name, 'q8', changed, shape))]);
  });
});
