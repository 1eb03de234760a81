import { expect } from 'chai';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as morph from 'ts-morph';
import { buildGraph } from '../../compiler/model/build-graph.ts';
import { loadModelFile } from '../../compiler/model-file/index.ts';
import { typeDiagnostics, type TypeDiagnostic } from '../../compiler/model-file/type-check.ts';
import { AtpcError } from '../../runtime/errors.ts';

const preamble = `import { defineModel, dim, input, nn } from 'atpc';
const batch = dim('batch', { min: 1, max: 8 }), seq = dim('seq', { min: 1, max: 64 }), keys = dim('keys', seq);
const hidden = dim('hidden', 12), wide = dim('wide', 20), heads = dim('heads', 3), headSize = dim('headSize', 4);
const x = input('x', 'f32', [batch, seq, hidden]), row = input('row', 'f32', [batch, hidden]);
const turned = input('turned', 'f32', [batch, hidden, seq]), other = input('other', 'f32', [batch, seq, wide]);
const ids = input('ids', 'i32', [batch, seq]), mask = input('mask', 'bool', [batch, seq]);
const inputs = [x, row, turned, other, ids, mask];
const query = nn.splitHeads(x, heads, headSize), key = nn.rename(query, seq, keys);
`;
const model = (expression: string): string =>
  `${preamble}export default defineModel('m', inputs, () => ({ y: ${expression} }));\n`;
const line = preamble.split('\n').length;

/** Expressions that must not compile, with the sentence that tsc gives and that is thrown where types are bypassed. */
const wrong: Readonly<Record<string, string>> = {
  "nn.linear(turned, hidden, wide, { name: 'a' })": "linear: the last dimension of x is 'seq' but the layer takes 'hidden'",
  "nn.linear(ids, hidden, wide, { name: 'a' })": 'linear: x holds i32 but the call takes f32',
  "nn.linear(nn.linear(x, hidden, wide, { name: 'a' }), hidden, wide, { name: 'b' })":
    "linear: the last dimension of x is 'wide' but the layer takes 'hidden'",
  "nn.layerNorm(other, hidden, { name: 'a', epsilon: 1e-5 })":
    "layerNorm: the last dimension of x is 'wide' but the layer takes 'hidden'",
  "nn.rmsNorm(other, hidden, { name: 'a', epsilon: 1e-5 })":
    "rmsNorm: the last dimension of x is 'wide' but the layer takes 'hidden'",
  "nn.embedding(x, wide, hidden, { name: 'a' })": 'embedding: ids holds f32 but the call takes i32',
  'nn.add(x, turned)':
    'add: a is [batch, seq, hidden] but b is [batch, hidden, seq]; one must have all dimensions of the other, in the same order',
  'nn.multiply(x, other)':
    'multiply: a is [batch, seq, hidden] but b is [batch, seq, wide]; one must have all dimensions of the other, in the same order',
  'nn.add(x, ids)': 'add: a holds f32 but b holds i32',
  'nn.subtract(mask, 1)': 'subtract: a holds bool but the call takes f32 or i32',
  'nn.gelu(ids)': 'elementwise: x holds i32 but the call takes f32',
  'nn.scale(ids, 2)': 'scale: x holds i32 but the call takes f32',
  'nn.where(ids, x, 0)': 'where: condition holds i32 but the call takes bool',
  'nn.where(mask, row, 0)':
    'where: condition is [batch, seq] but x is [batch, hidden]; x must have all dimensions of condition, in the same order',
  'nn.matmul(x, other, hidden)': "matmul: b is [batch, seq, wide] and has no dimension 'hidden'",
  'nn.matmul(other, x, hidden)': "matmul: a is [batch, seq, wide] and has no dimension 'hidden'",
  'nn.softmax(x, wide)': "softmax: x is [batch, seq, hidden] and has no dimension 'wide'",
  'nn.sum(row, seq)': "sum: x is [batch, hidden] and has no dimension 'seq'",
  'nn.token(row, seq, 0)': "token: x is [batch, hidden] and has no dimension 'seq'",
  'nn.slice(row, seq, 0, wide)': "slice: x is [batch, hidden] and has no dimension 'seq'",
  'nn.rename(row, seq, keys)': "rename: x is [batch, hidden] and has no dimension 'seq'",
  'nn.concat(x, hidden, turned, seq, wide)': 'concat: a is [batch, seq, hidden] but b is [batch, hidden, seq]',
  'nn.transpose(x, [batch, hidden])': 'transpose: x is [batch, seq, hidden] but the order is [batch, hidden]',
  'nn.transpose(x, [batch, seq, wide])': 'transpose: x is [batch, seq, hidden] but the order is [batch, seq, wide]',
  'nn.gather(row, x)': 'gather: indices holds f32 but the call takes i32',
  'nn.meanPool(x, ids, seq)': 'meanPool: mask holds i32 but the call takes bool',
  'nn.maxPool(row, mask, hidden)':
    'maxPool: mask is [batch, seq] but x is [batch, hidden]; x must have all dimensions of mask, in the same order',
  'nn.l2Normalize(x, wide)': "l2Normalize: x is [batch, seq, hidden] and has no dimension 'wide'",
  'nn.attention(x, key, key)':
    'attention: query is [batch, seq, hidden] but the call takes four dimensions: batch, heads, tokens, head size',
  'nn.attention(query, nn.rename(key, headSize, dim("size", 4)), key)':
    'attention: query is [batch, heads, seq, headSize] but key is [batch, heads, keys, size]; the first and the last dimension must be the same',
  'nn.attention(query, key, query)':
    'attention: key is [batch, heads, keys, headSize] but value is [batch, heads, seq, headSize]; the first three dimensions must be the same',
  'nn.attention(query, key, key, { mask })': 'attention: mask is [batch, seq] but the keys are [batch, keys]',
  'nn.attention(query, query, query, { mask: ids })': 'attention: mask holds i32 but the call takes bool',
  'nn.rope(query, nn.positions(keys), { theta: 10000, maxPositions: 64 })':
    'rope: positions is [keys] but x is [batch, heads, seq, headSize]; it takes [seq] or [batch, seq]',
};

/** Expressions that must compile, with the type of the node that they become. */
const right: Readonly<Record<string, string>> = {
  "nn.linear(x, hidden, wide, { name: 'a' })": 'f32[batch, seq, 20]',
  'nn.add(nn.add(x, row), 1)': 'f32[batch, seq, 12]',
  'nn.add(row, x)': 'f32[batch, seq, 12]',
  'nn.matmul(x, turned, hidden)': 'f32[batch, seq]',
  'nn.matmul(nn.rename(x, seq, keys), other, batch)': 'f32[seq, 12, seq, 20]',
  'nn.matmul(x, nn.rename(x, seq, keys), hidden)': 'f32[batch, seq, seq]',
  'nn.softmax(x, seq)': 'f32[batch, seq, 12]',
  'nn.sum(nn.cast(mask, "i32"), seq)': 'i32[batch]',
  'nn.max(x, hidden)': 'f32[batch, seq]',
  'nn.token(x, seq, 0)': 'f32[batch, 12]',
  'nn.slice(x, hidden, 3, headSize)': 'f32[batch, seq, 4]',
  'nn.concat(x, hidden, nn.slice(other, wide, 0, headSize), headSize, dim("both", 16))': 'f32[batch, seq, 16]',
  'nn.transpose(x, [hidden, batch, seq])': 'f32[12, batch, seq]',
  'nn.mergeHeads(nn.attention(query, key, key, { causal: true, window: 8 }), hidden)': 'f32[batch, seq, 12]',
  'nn.attention(query, query, query, { mask })': 'f32[batch, 3, seq, 4]',
  'nn.rope(query, nn.positions(seq), { theta: 10000, maxPositions: 64 })': 'f32[batch, 3, seq, 4]',
  'nn.rope(query, ids, { theta: 10000, maxPositions: 64 })': 'f32[batch, 3, seq, 4]',
  "nn.embedding(ids, wide, hidden, { name: 'a' })": 'f32[batch, seq, 12]',
  "nn.gather(nn.parameter('table', [wide, hidden]), ids)": 'f32[batch, seq, 12]',
  'nn.where(nn.less(x, 0), x, nn.negate(x))': 'f32[batch, seq, 12]',
  'nn.where(nn.equal(ids, 0), x, 0)': 'f32[batch, seq, 12]',
  'nn.l2Normalize(nn.meanPool(x, mask, seq), hidden)': 'f32[batch, 12]',
  'nn.maxPool(x, mask, seq)': 'f32[batch, 12]',
  'nn.divide(nn.sum(x, hidden), nn.constant("f32", 3))': 'f32[batch, seq]',
};

describe('sentences of the model language', function () {
  this.timeout(180_000);
  let folder = '';
  let diagnostics: readonly TypeDiagnostic[] = [];
  const cases = [...Object.keys(wrong), ...Object.keys(right)];
  const fileOf = (expression: string): string => join(folder, `case-${cases.indexOf(expression)}.ts`);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atpc-sentences-'));
    await Promise.all(cases.map((expression) => writeFile(fileOf(expression), model(expression))));
    const all = join(folder, 'all.ts');
    await writeFile(all, cases.map((expression) => `import './${basename(fileOf(expression))}';\n`).join(''));
    diagnostics = typeDiagnostics(morph, all, (path) => path);
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const found = (expression: string): string[] => {
    return diagnostics.filter((each) => each.file === fileOf(expression)).map((each) => `${each.line}: ${each.sentence}`);
  };

  for (const [expression, sentence] of Object.entries(wrong)) {
    it(`${expression} does not compile`, () => expect(found(expression)).to.deep.equal([`${line}: ${sentence}`]));
  }
  for (const expression of Object.keys(right)) it(`${expression} compiles`, () => expect(found(expression)).to.deep.equal([]));

  it('throws the same sentences, with the line, where types are bypassed', async () => {
    for (const [expression, sentence] of Object.entries(wrong)) {
      const error = await loadModelFile(fileOf(expression), { trusted: true, label: 'm.ts' })
        .then(buildGraph)
        .catch((thrown: unknown) => thrown);
      if (!(error instanceof AtpcError)) throw error;
      expect(error.message, expression).to.match(new RegExp(`^ATPC-103: m.ts:${line}:\\d+: `));
      expect(error.message.replace(/^.*?:\d+:\d+: /, '')).to.equal(`${sentence}.`);
    }
  });
  it('gives the right programs the types that they have in the graph', async () => {
    const { formatType } = await import('../../ir/type.ts');
    for (const [expression, type] of Object.entries(right)) {
      const graph = buildGraph(await loadModelFile(fileOf(expression), { trusted: true }));
      expect(
        graph.outputs.map(({ node }) => formatType(node.type)),
        expression,
      ).to.deep.equal([type]);
    }
  });
});
