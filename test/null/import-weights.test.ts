import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { bertParameterNames } from '../../compiler/import/bert-checkpoint.ts';
import { SafetensorsFile } from '../../compiler/import/safetensors.ts';
import { checkParameters, unusedTensors } from '../../compiler/weights/check-parameters.ts';
import { memorySource, type MemoryTensor } from '../../compiler/weights/tensor-source.ts';
import { chunkBytes, weightFrom, writeWeights, type WeightTensor } from '../../compiler/weights/write.ts';
import { encodeSafetensors } from '../../compiler/weights/safetensors-layout.ts';
import bert from '../../compiler/families/bert.ts';
import type { BertConfig } from '../../compiler/families/bert-config.ts';
import { buildGraph } from '../../compiler/model/build-graph.ts';
import { graphNodes, isOp, NodeTable, type Graph } from '../../ir/graph.ts';
import { minilmFolder, requires } from '../requirements.ts';
import { failure, openBertFolder, temporaryFolder } from './import-files.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const sentimentFolder = path.join(import.meta.dirname, '../../examples/sentiment/model');

describe('weight files', () => {
  const folder = temporaryFolder();
  const fresh = async (): Promise<string> => await mkdtemp(path.join(folder(), 'out-'));
  const weight = (name: string, storage: WeightTensor['storage'], values: Float32Array): WeightTensor => ({
    name,
    storage,
    shape: [values.length],
    read: async () => values,
  });

  it('come back as they were written, whatever the tensors and the shard size', async () => {
    const tensor = fc.record({
      name: fc.string({ maxLength: 8, unit: 'binary' }),
      storage: fc.constantFrom('F32' as const, 'F16' as const, 'BF16' as const),
      // Small integers are exact in all three types.
      values: fc.array(fc.integer({ min: -128, max: 128 }), { maxLength: 9 }),
    });
    // One name is the format's own.
    const tensors = fc
      .uniqueArray(tensor, { maxLength: 8, selector: ({ name }) => name })
      .filter((list) => list.every(({ name }) => name !== '__metadata__'));
    await fc.assert(
      fc.asyncProperty(tensors, fc.integer({ min: 1, max: 64 }), async (list, shardBytes) => {
        const out = await fresh();
        const written = await writeWeights(
          out,
          list.map(({ name, storage, values }) => weight(name, storage, Float32Array.from(values))),
          { shardBytes },
        );
        expect(written.tensors).to.have.length(list.length);
        for (const { path: name, bytes, sha256: hash } of written.files) {
          const content = await readFile(path.join(out, name));
          expect([content.length, sha256(content)]).to.deep.equal([bytes, hash]);
          const dataBytes = (await SafetensorsFile.open(path.join(out, name))).names().length;
          expect(dataBytes).to.be.greaterThan(0);
        }
        for (const { name, storage, values } of list) {
          const entry = written.tensors.find((candidate) => candidate.name === name);
          if (entry === undefined) throw new Error(`${name} was not written.`);
          const file = await SafetensorsFile.open(path.join(out, entry.file));
          expect(file.info(name)).to.deep.equal({ storage, shape: [values.length], begin: entry.begin, end: entry.end });
          expect(entry.begin % (storage === 'F32' ? 4 : 2)).to.equal(0);
          expect([...(await file.readFloat32(name))]).to.deep.equal(values.map((value) => value + 0));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are split by size in the order given, a large tensor alone', async () => {
    const out = await fresh();
    const sizes = { a: 8, b: 8, large: 40, c: 8 };
    const list = Object.entries(sizes).map(([name, length]) => weight(name, 'F32', new Float32Array(length)));
    const written = await writeWeights(out, list, { shardBytes: 64 });
    expect(written.tensors.map(({ name, file }) => `${file} ${name}`)).to.deep.equal([
      'weights/00001.safetensors a',
      'weights/00001.safetensors b',
      'weights/00002.safetensors large',
      'weights/00003.safetensors c',
    ]);
    expect(await readdir(path.join(out, 'weights'))).to.have.length(3);
    expect(written.tensors.every(({ begin }) => begin % 8 === 0)).to.equal(true);
  });

  it('are hashed in chunks of 16 MiB', async () => {
    const out = await fresh();
    const values = Float32Array.from({ length: chunkBytes / 4 + 5 }, (_, index) => index);
    const { files } = await writeWeights(out, [weight('a', 'F32', values), weight('b', 'F16', new Float32Array(3))]);
    const [file] = files;
    const content = await readFile(path.join(out, 'weights/00001.safetensors'));
    expect(file?.bytes).to.equal(content.length);
    expect(file?.sha256).to.equal(sha256(content));
    expect(file?.chunks).to.deep.equal([sha256(content.subarray(0, chunkBytes)), sha256(content.subarray(chunkBytes))]);
  });

  it('refuse a value that F16 cannot hold, and name the tensor', async () => {
    const error = await failure(
      'ATPC-207',
      writeWeights(await fresh(), [weight('encoder.w', 'F16', Float32Array.of(1, -70000))]),
    );
    expect(error.message).to.include("'encoder.w'").and.include('-70000').and.include('element 1');
  });

  it('stop when the signal is aborted', async () => {
    const controller = new AbortController();
    const list = ['a', 'b'].map((name) => weight(name, 'F32', new Float32Array(2)));
    const seen: string[] = [];
    let reason: unknown;
    await writeWeights(await fresh(), list, {
      signal: controller.signal,
      onProgress: ({ tensor }) => {
        seen.push(tensor);
        controller.abort(new Error('enough'));
      },
    }).catch((error: unknown) => (reason = error));
    expect(seen).to.deep.equal(['a']);
    expect(reason).to.be.instanceOf(Error).with.property('message', 'enough');
  });

  it('keep the stored bits where the storage stays, and the values where it widens', async () => {
    const { tensors } = await openBertFolder(sentimentFolder);
    const names = ['classifier.weight', 'encoder.layer.0.output.LayerNorm.bias'];
    const out = await fresh();
    await writeWeights(out, [
      ...names.map((name) => weightFrom(tensors, name)),
      { ...weightFrom(tensors, 'classifier.bias', 'F32') },
    ]);
    const file = await SafetensorsFile.open(path.join(out, 'weights/00001.safetensors'));
    for (const name of names) expect(await file.readRaw(name)).to.deep.equal(await tensors.readRaw(name));
    expect(file.info('classifier.bias').storage).to.equal('F32');
    expect(await file.readFloat32('classifier.bias')).to.deep.equal(await tensors.readFloat32('classifier.bias'));
  });

  it('are the same bytes each time', async () => {
    const list = (): WeightTensor[] => ['b', 'a'].map((name) => weight(name, 'F16', Float32Array.of(1, 2, 3)));
    const [once, twice] = [await writeWeights(await fresh(), list()), await writeWeights(await fresh(), list())];
    expect(once).to.deep.equal(twice);
  });

  it('encode in memory as the reader reads them', async () => {
    const name = path.join(await fresh(), 'inputs.safetensors');
    await writeFile(
      name,
      encodeSafetensors([{ name: 'input_ids', storage: 'I32', shape: [1, 3], data: Int32Array.of(2, 7, 3) }]),
    );
    expect([...(await (await SafetensorsFile.open(name)).readInt32('input_ids'))]).to.deep.equal([2, 7, 3]);
  });
});

describe('checkParameters', () => {
  const graphOf = (name: string, shape: readonly number[]): Graph => {
    const nodes = new NodeTable();
    const node = nodes.make('parameter', { name, elementType: 'f32', shape }, [], { file: 'bert.ts', line: 12, column: 5 });
    return { name: 'test', dims: [], inputs: [], outputs: [{ name: 'out', node }], nodes };
  };
  const source = (name: string, shape: readonly number[]): ReturnType<typeof memorySource> => {
    const tensor: MemoryTensor = { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
    return memorySource({ [name]: tensor });
  };

  it('passes what fits, and lists what is left over', () => {
    checkParameters(graphOf('dense.weight', [2, 3]), source('dense.weight', [2, 3]));
    expect(unusedTensors(graphOf('a', [1]), source('b', [1]))).to.deep.equal(['b']);
  });

  it('names the missing tensor, its shape, the line of the model and what is near', async () => {
    const error = await failure('ATPC-205', () =>
      checkParameters(graphOf('dense.weight', [2, 3]), source('dense.wieght', [2, 3])),
    );
    expect(error.message).to.include("'dense.weight'").and.include('[2, 3]').and.include('bert.ts:12:5');
    expect(error.hint).to.equal("Did you mean 'dense.wieght'?");
  });

  it('names both shapes of a misshapen tensor', async () => {
    const error = await failure('ATPC-206', () =>
      checkParameters(graphOf('dense.weight', [2, 3]), source('dense.weight', [3, 2])),
    );
    expect(error.message).to.include('[2, 3]').and.include('[3, 2]').and.include('bert.ts:12');
  });

  it('refuses an element type that is no float', async () => {
    const stored = { ...source('a', [1]), info: () => ({ storage: 'I64' as const, shape: [1] }) };
    expect((await failure('ATPC-207', () => checkParameters(graphOf('a', [1]), stored))).message).to.include('I64');
  });

  it('agrees with the importer on what the family needs', async () => {
    for (const name of ['model', 'model-atp']) {
      const { tensors, config, unused } = await openBertFolder(path.join(sentimentFolder, '..', name));
      const graph = buildGraph(bert(config));
      checkParameters(graph, tensors);
      expect(unusedTensors(graph, tensors)).to.deep.equal(unused);
      expect(unused).to.deep.equal([]);
    }
  });

  it('agrees with the importer for every head', async () => {
    const { config } = await openBertFolder(sentimentFolder);
    const heads: readonly Pick<BertConfig, 'head' | 'pooler'>[] = [
      { head: { kind: 'hidden' } },
      { head: { kind: 'hidden' }, pooler: true },
      { head: { kind: 'embedding', pooling: 'max', normalize: true } },
      { head: config.head },
    ];
    for (const head of heads) {
      const changed = { ...config, ...head };
      const parameters = graphNodes(buildGraph(bert(changed))).flatMap((node) =>
        isOp(node, 'parameter') ? [node.attributes.name] : [],
      );
      expect(parameters).to.have.members(bertParameterNames(changed));
    }
  });

  it('agrees with the importer on MiniLM', async function () {
    requires(this, 'minilm', existsSync(minilmFolder));
    const { tensors, config, unused } = await openBertFolder(minilmFolder);
    const graph = buildGraph(bert(config));
    checkParameters(graph, tensors);
    expect(unusedTensors(graph, tensors)).to.deep.equal(unused);
  });
});
