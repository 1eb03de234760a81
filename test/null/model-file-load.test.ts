import { expect } from 'chai';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BertConfig } from '../../compiler/families/bert-config.ts';
import { loadFamily, loadModelFile } from '../../compiler/model-file/index.ts';
import { buildGraph } from '../../compiler/model/build-graph.ts';
import { graphNodes, type Graph, type Provenance } from '../../ir/graph.ts';
import { formatType } from '../../ir/type.ts';
import { verifyGraph } from '../../ir/verify.ts';
import { AtpcError } from '../../runtime/errors.ts';

const bertConfig: BertConfig = {
  vocabSize: 11,
  hiddenSize: 8,
  layers: 1,
  heads: 2,
  intermediateSize: 12,
  maxPositions: 16,
  typeVocabSize: 2,
  layerNormEpsilon: 1e-12,
  activation: 'relu',
  head: { kind: 'classify', labels: ['no', 'yes'] },
};
const preamble = `import { defineModel, dim, input, nn, type Tensor } from 'atpc';
const batch = dim('batch', { min: 1, max: 8 });
const size = dim('size', 3), wide = dim('wide', 4);
const x = input('x', 'f32', [batch, size]);
`;
const end = 'export default defineModel("m", [x], () => ({ y }));\n';

describe('loading a model file', function () {
  this.timeout(180_000);
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atpc-model-file-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  let written = 0;
  const write = async (text: string, name = `model-${(written += 1)}.ts`): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const load = async (body: string): Promise<Graph> =>
    buildGraph(await loadModelFile(await write(preamble + body), { label: 'm.ts' }));
  const failure = async (loading: Promise<unknown>): Promise<AtpcError> => {
    const error: unknown = await loading.then(
      () => new Error('It loaded.'),
      (thrown: unknown) => thrown,
    );
    if (error instanceof AtpcError) return error;
    throw error;
  };
  const places = (graph: Graph): Record<string, Provenance> =>
    Object.fromEntries(graphNodes(graph).map((node) => [node.op, graph.nodes.provenance(node)]));

  it('names the variable, line and column of every node', async () => {
    const graph = await load(
      `const y = nn.scope('layer.0', () => {
  const inner = nn.relu(
    nn.linear(x, size, wide, { name: 'dense', bias: false }),
  );
  return nn.tanh(inner);
});
${end}`,
    );
    const found = places(graph);
    expect(found['input']).to.deep.equal({ file: 'm.ts', line: 4, column: 11, name: 'x' });
    expect(found['relu']).to.deep.equal({ file: 'm.ts', line: 6, column: 17, name: 'inner', scope: 'layer.0' });
    expect(found['matmul']).to.deep.equal({ file: 'm.ts', line: 7, column: 5, name: 'inner.linear', scope: 'layer.0' });
    expect(found['tanh']).to.deep.equal({ file: 'm.ts', line: 9, column: 10, name: 'y', scope: 'layer.0' });
  });

  it('names what is assigned, returned, destructured or a property', async () => {
    const graph = await load(
      `const activate = { gelu: nn.gelu }['gelu'];
const [a, b] = [nn.exp(x), nn.log(x)];
let c = a;
c = nn.sin(b);
function twice(t: typeof c) {
  return nn.cos(t);
}
export default defineModel('m', [x], () => ({ first: nn.sqrt(twice(c)), second: activate(a) }));
`,
    );
    const names = Object.entries(places(graph)).map(([op, { name }]) => `${op} ${name}`);
    expect(names).to.have.members(['input x', 'exp a', 'log b', 'sin c', 'cos twice', 'sqrt first', 'gelu second']);
  });

  it('reports all type errors, with file, line and column, and runs nothing', async () => {
    const key = 'atpcModelFileRan';
    const path = await write(
      `${preamble}(globalThis as Record<string, unknown>)['${key}'] = true;
const y = nn.linear(x, wide, size, { name: 'a' });
const z: string = 5;
${end}`,
    );
    const error = await failure(loadModelFile(path, { label: 'm.ts' }));
    expect(error.message).to.equal("ATPC-101: m.ts:6:21: linear: the last dimension of x is 'size' but the layer takes 'wide'.");
    expect(error.hint).to.equal("1 more:\nm.ts:7:7: Type 'number' is not assignable to type 'string'.");
    expect(key in globalThis).to.equal(false);
  });

  it('checks and instruments the files that a model file imports', async () => {
    const layers = await write(
      `import { nn, type Tensor } from 'atpc';
export const activate = (t: Tensor<'f32', ['batch', 'size']>) => nn.tanh(t);
`,
      'layers.ts',
    );
    const body = `${preamble}import { activate } from './layers.ts';\nconst y = activate(x);\n${end}`;
    const found = places(buildGraph(await loadModelFile(await write(body))));
    expect(found['tanh']).to.deep.equal({ file: layers, line: 2, column: 66, name: 'activate' });
    await write("export const activate = (t: number) => t * 'a';\n", 'layers.ts');
    const error = await failure(loadModelFile(await write(body), { label: 'm.ts' }));
    expect(error.message + (error.hint ?? '')).to.include(`${layers}:1:44: The right-hand side of an arithmetic operation`);
  });

  it('says where, when a shape differs that the types do not see', async () => {
    const error = await failure(load(`const y = nn.add(x, input('z', 'f32', [dim('size', 5)]));\n${end}`));
    expect(error.message).to.equal("ATPC-103: m.ts:5:11: add: the dimension 'size' is 3 in a but 5 in b.");
  });

  it('calls a family with its configuration', async () => {
    const path = await write(
      `${preamble}export default (config: { factor: number }) => defineModel('m', [x], () => ({ y: nn.scale(x, config.factor) }));\n`,
    );
    const graph = buildGraph(await loadModelFile(path, { config: { factor: 7 } }));
    expect(graphNodes(graph).map((node) => node.attributes)).to.deep.include({ elementType: 'f32', value: 7 });
    const error = await failure(loadModelFile(path).then(buildGraph));
    expect(error.code).to.equal('ATPC-102');
  });

  it('refuses what does not export a model', async () => {
    const nothing = await failure(loadModelFile(await write('export const model = 1;\n'), { label: 'm.ts' }));
    expect(nothing.message).to.equal('ATPC-102: The model file m.ts exports nothing as its default, not a model.');
    expect(nothing.hint).to.include('export default defineModel(');
    const number = await failure(loadModelFile(await write('export default 1;\n'), { label: 'm.ts' }));
    expect(number.message).to.include('a value of type number');
  });
  it('names the place where a model file throws', async () => {
    const thrown = await failure(load(`const read = (): Tensor => { throw new Error('no luck'); };\nconst y = read();\n${end}`));
    expect(thrown.message).to.equal('ATPC-102: m.ts:6:11: running the model file failed: no luck.');
  });
  it('refuses files that are absent, or not TypeScript', async () => {
    const absent = await failure(loadModelFile(join(folder, 'absent.ts'), { label: 'absent.ts' }));
    expect(absent.message).to.equal('ATPC-201: There is no model file absent.ts.');
    const script = await failure(loadModelFile(await write('', 'model.js'), { label: 'model.js' }));
    expect(script.message).to.equal('ATPC-102: The model file model.js is not a TypeScript file.');
    const missing = await failure(
      loadModelFile(await write(`import { a } from './absent.ts';\nexport default a;\n`), { label: 'm.ts' }),
    );
    expect(missing.message).to.match(/^ATPC-101: m\.ts:1:19: Cannot find module '\.\/absent\.ts'/);
  });

  it('loads the example of the guide, and gives the sentence that the guide prints', async () => {
    const guide = await readFile(new URL('../../docs/guide/models.md', import.meta.url), 'utf8');
    const example = /```ts\n([^]*?)```/.exec(guide)?.[1] ?? '';
    const graph = buildGraph(await loadModelFile(await write(example)));
    verifyGraph(graph);
    expect(graph.outputs.map(({ name, node }) => `${name}: ${formatType(node.type)}`)).to.deep.equal(['logits: f32[batch, 2]']);
    const transposed = example.replace('nn.linear(pooled,', 'nn.linear(nn.transpose(words, [batch, hidden, seq]),');
    const error = await failure(loadModelFile(await write(transposed), { label: 'model.ts' }));
    expect(guide).to.include(`    ${error.message.replace('ATPC-101: ', '')}\n`);
  });

  it('loads the built-in family with its lines, checked or trusted', async () => {
    const family = buildGraph(await loadFamily('bert', bertConfig));
    verifyGraph(family);
    const found = places(family);
    expect(found['attention']).to.deep.include({ file: 'atpc/families/bert.ts', scope: 'encoder.layer.0.attention.self' });
    expect(found['relu']).to.deep.include({ name: 'wide', scope: 'encoder.layer.0' });
    expect(graphNodes(family).filter((node) => family.nodes.provenance(node).line === undefined)).to.deep.equal([]);
    const path = fileURLToPath(new URL('../../compiler/families/bert.ts', import.meta.url));
    const checked = buildGraph(await loadModelFile(path, { config: bertConfig }));
    expect(graphNodes(checked).length).to.equal(graphNodes(family).length);
  });
});
