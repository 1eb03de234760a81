/** `hf:org/name` on the command line, against a server that speaks the hub's protocol. */
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeSafetensors } from '../../compiler/weights/safetensors-layout.ts';
import { tinyLlama } from '../models/tiny-llama.ts';
import { minilmFolder, requires, smollm2File } from '../requirements.ts';
import { atpc, inScratch, listing, sentimentModel, type Outcome } from './command-line.ts';
import { filesOf, startHub, type Hub } from './hub-server.ts';

describe('models from the hub', () => {
  let hub: Hub;
  before(async () => {
    hub = await startHub({
      'some/sentiment': { files: await filesOf(sentimentModel) },
      'tiny/llama': { files: await tinyLlamaFiles() },
      ...(existsSync(smollm2File) ? { 'some/SmolLM2-GGUF': { files: await filesOf(path.dirname(smollm2File)) } } : {}),
      ...(existsSync(minilmFolder) ? { 'sentence-transformers/all-MiniLM-L6-v2': { files: await filesOf(minilmFolder) } } : {}),
    });
  });
  after(async () => {
    await hub.close();
  });
  const run = (folder: string, args: readonly string[], interruptAt?: string): Promise<Outcome> =>
    atpc(args, {
      cwd: folder,
      env: { HF_ENDPOINT: hub.endpoint, HF_HOME: path.join(folder, 'home'), HF_HUB_CACHE: '', HF_TOKEN: '' },
      ...(interruptAt === undefined ? {} : { interruptAt }),
    });

  it('inspects and compiles a model as its folder would be, under the name of the repository', async () => {
    await inScratch(async (folder) => {
      const inspected = await run(folder, ['inspect', 'model', 'hf:some/sentiment', '--json']);
      expect(inspected.code, inspected.stderr + inspected.stdout).to.equal(0);
      const local = await run(folder, ['inspect', 'model', sentimentModel, '--json']);
      expect(JSON.parse(inspected.stdout)).to.deep.equal({ ...(JSON.parse(local.stdout) as object), name: 'sentiment' });

      const compiled = await run(folder, ['compile', 'hf:some/sentiment', '--json', '--quiet']);
      expect(compiled.code, compiled.stderr + compiled.stdout).to.equal(0);
      const report = JSON.parse(compiled.stdout) as {
        readonly out: string;
        readonly notes: readonly string[];
        readonly manifest: { readonly name: string; readonly modelHash: string };
      };
      expect(report.out).to.equal(path.join('dist', 'sentiment'));
      expect(report.manifest.name).to.equal('sentiment');
      expect(report.notes).to.include(`From the hub: some/sentiment at commit ${hub.commit('some/sentiment')}.`);
      const fromFolder = await run(folder, ['compile', sentimentModel, '-o', 'local', '--json', '--quiet']);
      const { manifest } = JSON.parse(fromFolder.stdout) as typeof report;
      expect(report.manifest.modelHash).to.equal(manifest.modelHash);
    });
  });
  it('compiles a model of sentence-transformers', async function () {
    requires(this, 'minilm', existsSync(minilmFolder));
    this.timeout(300_000);
    await inScratch(async (folder) => {
      const compiled = await run(folder, ['compile', 'hf:sentence-transformers/all-MiniLM-L6-v2', '-o', 'minilm', '--json']);
      expect(compiled.code, compiled.stderr + compiled.stdout).to.equal(0);
      const { manifest } = JSON.parse(compiled.stdout) as { readonly manifest: { readonly task: { readonly kind: string } } };
      expect(manifest.task.kind).to.equal('embed');
    });
  });
  it('compiles a Llama folder', async () => {
    await inScratch(async (folder) => {
      const compiled = await run(folder, ['compile', 'hf:tiny/llama', '--max-seq', '64', '--json', '--quiet']);
      expect(compiled.code, compiled.stderr + compiled.stdout).to.equal(0);
      const { manifest } = JSON.parse(compiled.stdout) as {
        readonly manifest: { readonly family: string; readonly state: { readonly maxTokens: number } };
      };
      expect(manifest.family).to.equal('llama');
      expect(manifest.state.maxTokens).to.equal(64);
    });
  });
  it('compiles the GGUF file of a repository, and runs the package', async function () {
    requires(this, 'smollm2', existsSync(smollm2File));
    this.timeout(300_000);
    await inScratch(async (folder) => {
      const compiled = await run(folder, ['compile', 'hf:some/SmolLM2-GGUF', '-o', 'smollm2', '--max-seq', '256']);
      expect(compiled.code, compiled.stderr + compiled.stdout).to.equal(0);
      expect(compiled.stdout).to.include('From the hub: some/SmolLM2-GGUF at commit');
      const said = await run(folder, ['run', 'smollm2', '--prompt', 'The capital of France is', '--max-tokens', '4']);
      expect(said.stdout).to.include('Paris');
    });
  });
  it('takes a model of the hub from a configuration file', async () => {
    await inScratch(async (folder) => {
      await writeFile(path.join(folder, 'atpc.yaml'), 'model: hf:some/sentiment\n');
      const { code, stdout } = await run(folder, ['inspect', 'plan', '--config', 'atpc.yaml', '--json', '--lengths', '128']);
      expect(code, stdout).to.equal(0);
    });
  });
  it('says what is not there, and writes nothing', async () => {
    await inScratch(async (folder) => {
      const { code, stdout } = await run(folder, ['compile', 'hf:some/nothing', '-o', 'out', '--json']);
      expect(code).to.equal(1);
      expect(JSON.parse(stdout)).to.have.nested.property('error.code', 'ATPC-212');
      expect(await listing(folder)).to.not.include('out');
    });
  });
  it('ends at ctrl-C in a download, and goes on the next time', async () => {
    await inScratch(async (folder) => {
      hub.faults['model.safetensors'] = { stallAfter: 20_000 };
      const stopped = await run(folder, ['compile', 'hf:some/sentiment', '-o', 'out'], 'read model');
      hub.faults['model.safetensors'] = {};
      expect(stopped.code).to.equal(130);
      expect(stopped.stderr).to.include('Interrupted');
      const kept = await listing(folder);
      expect(kept).to.not.include('out');
      expect(kept.filter((name) => name.endsWith('model.safetensors'))).to.deep.equal([]);
      const { code } = await run(folder, ['compile', 'hf:some/sentiment', '-o', 'out', '--quiet']);
      expect(code).to.equal(0);
      expect(await readFile(path.join(folder, 'out/manifest.json'), 'utf8')).to.include('"sentiment"');
    });
  });
});

/** config.json, weights, and a tokenizer of the letters a to p. */
async function tinyLlamaFiles(): Promise<Readonly<Record<string, Uint8Array>>> {
  const { config, weights } = await tinyLlama();
  const json = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headSize,
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.trainedLength,
    rms_norm_eps: config.rmsNormEpsilon,
    hidden_act: config.activation,
    tie_word_embeddings: config.tiedEmbeddings,
    eos_token_id: 2,
  };
  const tensors = Object.entries(weights).map(([name, tensor]) => ({ name, storage: 'F32' as const, ...tensor }));
  const letters = Array.from({ length: 16 }, (_, index) => String.fromCharCode(97 + index));
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({ id, content, special: true })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      vocab: Object.fromEntries(['<unk>', '<s>', '</s>', ...letters].map((token, id) => [token, id])),
      merges: [],
    },
  };
  return {
    'config.json': Buffer.from(JSON.stringify(json)),
    'tokenizer.json': Buffer.from(JSON.stringify(tokenizer)),
    'model.safetensors': encodeSafetensors(tensors),
  };
}
