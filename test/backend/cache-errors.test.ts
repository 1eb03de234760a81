/** Calibration of the heads of a causal model: the errors that the kernels measure, against the interpreter and the formula. */
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { calibrateHeads } from '../../compiler/calibrate/calibrate-heads.ts';
import { measureCacheErrors, type HeadError } from '../../compiler/calibrate/cache-errors.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { writeCachePlanFile, readCachePlanFile } from '../../compiler/attention/cache-plan-file.ts';
import type { SourceModel } from '../../compiler/source-model.ts';
import { isOp, graphNodes, type Graph, type Node } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { causalModes } from '../../passes/atp/cache-plan.ts';
import { attentionNodes, attentionShape, type AttentionShape } from '../../passes/atp/site.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { llamaInputs, tinyLlama, tokenIds, type TinyLlama } from '../models/tiny-llama.ts';
import { cachedGraph, runCached } from '../ref/cached-attention.ts';
import { inScratch } from '../cli/command-line.ts';

const tokens = 700;
const [atoms, firstPosition] = [16, 420];

describe('errors of streaming heads', () => {
  let model: TinyLlama;
  let shapes: readonly AttentionShape[];
  const ids = tokenIds(tokens);
  before(async () => {
    model = await tinyLlama({ maxLength: 1200, trainedLength: 1200, heads: 6, kvHeads: 3 });
    shapes = attentionNodes(model.graph).map(attentionShape);
  });
  const measureAll = (
    texts: readonly (readonly number[])[],
    counts: readonly number[],
  ): Promise<readonly (readonly HeadError[])[]> =>
    measureCacheErrors({
      graph: model.graph,
      tensors: model.source,
      shapes,
      texts,
      caches: (capacity) => counts.map((count) => causalModes.stream.cache(capacity, { atoms: count })),
      firstPosition,
      target: wasmTarget,
    });
  const measure = async (texts: readonly (readonly number[])[]): Promise<readonly HeadError[]> =>
    (await measureAll(texts, [atoms]))[0] ?? [];

  it('are those of the formula, by the interpreter', async function () {
    this.timeout(300_000);
    const expected = referenceErrors(model, shapes, ids);
    const found = await measure([ids]);
    expect(found.map(({ layer, kvHead }) => [layer, kvHead])).to.deep.equal(expected.map(({ layer, kvHead }) => [layer, kvHead]));
    found.forEach(({ error }, index) => {
      const wanted = expected[index]?.error ?? 0;
      expect(wanted).to.be.above(0);
      expect(Math.abs(error / wanted - 1), `head ${index}`).to.be.below(1e-2);
    });
  });
  it('are the same twice, and the mean over the positions of several texts', async () => {
    const other = [...ids].reverse().slice(0, 500);
    const [first, again, second, both] = [
      await measure([ids]),
      await measure([ids]),
      await measure([other]),
      await measure([ids, other]),
    ];
    expect(again).to.deep.equal(first);
    const [n, m] = [tokens - firstPosition, 500 - firstPosition];
    both.forEach(({ error }, index) => {
      const mean = ((first[index]?.error ?? 0) * n + (second[index]?.error ?? 0) * m) / (n + m);
      expect(error).to.be.closeTo(mean, 1e-9 * mean);
    });
  });

  it('are the same beside other caches, and smaller with more atoms', async () => {
    const [few = [], many = []] = await measureAll([ids], [atoms, 4 * atoms]);
    expect(few).to.deep.equal(await measure([ids]));
    few.forEach(({ error }, index) => expect(many[index]?.error, `head ${index}`).to.be.below(error));
  });

  const source = (changes: Partial<SourceModel> = {}): SourceModel =>
    ({
      name: 'tiny',
      graph: model.graph,
      tensors: model.source,
      context: { trainedLength: 1200, maxLength: 1200 },
      ...changes,
    }) as SourceModel;
  /** A tokenizer of bytes. */
  const encode = (text: string, most = Infinity): readonly number[] =>
    Array.from(text.slice(0, most), (letter) => (letter.codePointAt(0) ?? 0) % 64);

  it('become a plan in which the worst heads keep every token', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'text.txt');
      await writeFile(file, String.fromCharCode(...tokenIds(1100).map((id) => 32 + id)));
      const found = await calibrateHeads({ source: source(), shapes, target: wasmTarget, encode, texts: [file], guards: 2 });
      expect(found.heads.map(({ error }) => error)).to.deep.equal(found.heads.map(({ error }) => error).sort((a, b) => b - a));
      expect(found.notes.join()).to.include('1100 tokens');
      expect(found.predicted.hybrid).to.be.below(found.predicted.stream);
      const plan = path.join(folder, 'plan.yaml');
      await writeFile(plan, writeCachePlanFile(found.plan));
      const { layers } = await readCachePlanFile(plan, [3, 3], 1200);
      const guarded = layers.flatMap((groups, layer) =>
        groups.flatMap(({ mode, kvHeads }) => (mode === 'expand' ? kvHeads.map((head) => `${layer},${head}`) : [])),
      );
      expect(guarded).to.have.members(found.heads.slice(0, 2).map(({ layer, kvHead }) => `${layer},${kvHead}`));
      expect(
        layers
          .flat()
          .filter(({ mode }) => mode === 'stream')
          .every(({ cache }) => 'atoms' in cache && cache.atoms === 128),
      ).to.equal(true);
    });
  });
  it('are refused for what cannot be calibrated, with a sentence', async () => {
    await inScratch(async (folder) => {
      const file = path.join(folder, 'text.txt');
      await writeFile(file, 'short');
      const common = { shapes, target: wasmTarget, encode, texts: [file] };
      const failure = async (work: Promise<unknown>): Promise<AtpcError> => {
        const error: unknown = await work.catch((reason: unknown) => reason);
        expect(error).to.be.instanceOf(AtpcError);
        return error as AtpcError;
      };
      const short = await failure(calibrateHeads({ ...common, source: source() }));
      expect(short.message).to.include('5 tokens').and.include('1024');
      expect((await failure(calibrateHeads({ ...common, source: source({ context: null }) }))).code).to.equal('ATPC-311');
      expect((await failure(calibrateHeads({ ...common, source: source(), encode: null }))).code).to.equal('ATPC-311');
      expect((await failure(calibrateHeads({ ...common, source: source(), guards: 7 }))).message).to.include('6 KV heads');
      expect((await failure(calibrateHeads({ ...common, source: source(), texts: [`${file}.none`] }))).code).to.equal('ATPC-608');
    });
  });
});

/** The formula of atp-modes.md, word by word: no kernel, no Gram matrix. */
function referenceErrors(model: TinyLlama, shapes: readonly AttentionShape[], ids: readonly number[]): readonly HeadError[] {
  const layers = attentionNodes(model.graph);
  const users = (node: Node): readonly Node[] => graphNodes(model.graph).filter((user) => user.inputs.includes(node));
  const captured = layers.flatMap((node, layer) => {
    const sum = addAfter(node, users);
    const residual = sum.inputs.find((input) => !isProduct(input)) as Node;
    return [...node.inputs.slice(0, 3), residual].map((input, index) => ({ name: `${layer}.${index}`, node: input }));
  });
  // The whole text at once, which calls of the model do not take.
  const dims = model.graph.dims.map((dim) => (dim.name === 'seq' ? { ...dim, max: ids.length } : dim));
  const graph: Graph = { ...model.graph, dims, outputs: captured };
  const values = interpret(graph, { inputs: llamaInputs(ids), parameters: model.parameters, precision: 'f64' });
  return shapes.flatMap(({ layer, kvHeads, queryHeads, valueSize, headSize }) => {
    const [query, key, value, residual] = [0, 1, 2, 3].map((index) => values[`${layer}.${index}`] as Tensor) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const shape = { heads: queryHeads, kvHeads, size: headSize, tokens: ids.length };
    const outputOf = (mode: 'dense' | 'stream'): Tensor => {
      const cache = causalModes[mode].cache(ids.length, { atoms });
      return runCached(cachedGraph(cache, shape), { query, key, value }, [ids.length]).result;
    };
    const [dense, stream] = [outputOf('dense'), outputOf('stream')];
    const weight = model.parameters(`model.layers.${layer}.self_attn.o_proj.weight`);
    const [hidden = 0, columns = 0] = weight.shape;
    const share = queryHeads / kvHeads;
    return Array.from({ length: kvHeads }, (_, kvHead): HeadError => {
      let sum = 0;
      for (let row = firstPosition; row < ids.length; row++) {
        let [error, norm] = [0, 0];
        for (let out = 0; out < hidden; out++) {
          let change = 0;
          for (let head = kvHead * share; head < (kvHead + 1) * share; head++) {
            for (let i = 0; i < valueSize; i++) {
              const at = (head * ids.length + row) * valueSize + i;
              change +=
                (weight.data[out * columns + head * valueSize + i] as number) *
                ((stream.data[at] as number) - (dense.data[at] as number));
            }
          }
          error += change ** 2;
          norm += (residual.data[row * hidden + out] as number) ** 2;
        }
        sum += error / norm;
      }
      return { layer, kvHead, error: sum / (ids.length - firstPosition) };
    });
  });
}
function isProduct(node: Node): boolean {
  return isOp(node, 'matmul');
}
function addAfter(node: Node, users: (node: Node) => readonly Node[]): Node {
  for (let at = node; ;) {
    const [user] = users(at);
    if (user === undefined) throw new Error('The attention is not used.');
    if (user.op === 'add') return user;
    at = user;
  }
}
