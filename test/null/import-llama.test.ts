import { expect } from 'chai';
import type { ErrorCode } from '../../runtime/errors.ts';
import type { ContextOptions } from '../../compiler/import/context-length.ts';
import { openHuggingFace } from '../../compiler/import/hugging-face.ts';
import type { Imported } from '../../compiler/import/imported-model.ts';
import { openModel } from '../../compiler/source-model.ts';
import { encodeSafetensors } from '../../compiler/weights/safetensors-layout.ts';
import { float32ToBfloat16 } from '../../compiler/weights/float16.ts';
import { tinyLlama, tinyLlamaConfig } from '../models/tiny-llama.ts';
import { failure, temporaryFolder, writeFolder } from './import-files.ts';

const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 64,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 64,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  tie_word_embeddings: true,
  eos_token_id: 2,
};
const added = ['<unk>', '<s>', '</s>'].map((content, id) => ({
  id,
  content,
  special: true,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
}));
const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: added,
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    vocab: { '<unk>': 0, '<s>': 1, '</s>': 2, a: 3, b: 4, ab: 5, Ġ: 6 },
    merges: ['a b'],
  },
};
const llama3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
};

type Files = Readonly<Record<string, string | Uint8Array | object>>;

describe('Llama folders', () => {
  const parent = temporaryFolder();
  let weights: Files = {};
  before(async () => {
    const model = await tinyLlama();
    const tensors = Object.entries(model.weights).map(([name, { shape, data }]) => ({
      name,
      storage: 'F32' as const,
      shape,
      data,
    }));
    weights = { 'model.safetensors': encodeSafetensors(tensors) };
  });
  const files = (changes: object, more: Files = {}): Files => ({
    ...weights,
    'config.json': { ...config, ...changes },
    'tokenizer.json': tokenizer,
    ...more,
  });
  const open = async (content: Files, options: ContextOptions = {}): Promise<Imported<'llama'>> => {
    const model = await openHuggingFace(await writeFolder(parent(), content), options);
    if (model.family === 'llama') return model;
    throw new Error(`It was read as a ${model.family} model.`);
  };

  it('give the configuration of the family', async () => {
    const model = await open(files({}));
    expect(model.config).to.deep.equal(tinyLlamaConfig);
    expect(model.task).to.deep.equal({ kind: 'generate', output: 'logits', vocabulary: 64, endIds: [2], chat: false });
    expect(model.context).to.deep.equal({ trainedLength: 128, maxLength: 128 });
    expect([model.unused, model.notes]).to.deep.equal([[], []]);
    expect(model.tokenizer?.maxLength).to.equal(128);
  });

  it('have the defaults of transformers', async () => {
    const {
      num_key_value_heads: _groups,
      rms_norm_eps: _epsilon,
      hidden_act: _act,
      tie_word_embeddings: _tied,
      ...rest
    } = config;
    const model = await open({ ...weights, 'config.json': rest });
    expect(model.config).to.deep.include({
      kvHeads: 4,
      rmsNormEpsilon: 1e-6,
      activation: 'silu',
      tiedEmbeddings: false,
      attentionBias: false,
      mlpBias: false,
      rope: { theta: 10_000, divisors: [] },
    });
    const nulls = await open(files({ num_key_value_heads: null, head_dim: null, rope_scaling: null }));
    expect(nulls.config).to.include({ kvHeads: 4, headSize: 8 });
    expect((await open(files({ head_dim: 12 }))).config.headSize).to.equal(12);
  });

  it('open as a model, whatever the file of the weights', async () => {
    const { graph, weights: values } = await tinyLlama();
    const names = Object.keys(values);
    const tensors = names.map((name) => ({
      name,
      storage: 'F32' as const,
      shape: values[name]?.shape ?? [],
      data: values[name]?.data ?? new Float32Array(),
    }));
    const bfloat = tensors.map((tensor) => ({
      ...tensor,
      storage: 'BF16' as const,
      data: float32ToBfloat16(tensor.data).halves,
    }));
    const [first, second] = [tensors.slice(0, 5), tensors.slice(5)];
    const shards: Files = {
      'model-00001-of-00002.safetensors': encodeSafetensors(first),
      'model-00002-of-00002.safetensors': encodeSafetensors(second),
      'model.safetensors.index.json': {
        metadata: { total_size: 0 },
        weight_map: Object.fromEntries(names.map((name, index) => [name, `model-0000${index < 5 ? 1 : 2}-of-00002.safetensors`])),
      },
    };
    const described = { 'config.json': config, 'tokenizer.json': tokenizer };
    const folders: Files[] = [
      { ...described, ...weights },
      { ...described, ...shards },
      { ...described, 'model.safetensors': encodeSafetensors(bfloat) },
    ];
    const name = 'model.layers.1.mlp.up_proj.weight';
    const expected = values[name]?.data ?? new Float32Array();
    const rounded = new Float32Array(Uint32Array.from(float32ToBfloat16(expected).halves, (half) => half << 16).buffer);
    for (const [index, folder] of folders.entries()) {
      const source = await openModel(await writeFolder(parent(), folder));
      expect(source.graph.inputs.map(({ attributes }) => attributes.name)).to.deep.equal(['input_ids']);
      expect(source.graph.outputs.length).to.equal(graph.outputs.length);
      expect([...(await source.tensors.readFloat32(name))]).to.deep.equal([...(index === 2 ? rounded : expected)]);
      expect(source.context).to.deep.equal({ trainedLength: 128, maxLength: 128 });
    }
  });

  it('give rope as old and as new versions write it', async () => {
    const rope = async (changes: object): Promise<Imported<'llama'>['config']['rope']> =>
      (await open(files(changes))).config.rope;
    expect(await rope({ rope_theta: 5e5 })).to.deep.equal({ theta: 5e5, divisors: [] });
    expect(await rope({ rope_parameters: { rope_theta: 5e5, rope_type: 'default' } })).to.deep.equal({
      theta: 5e5,
      divisors: [],
    });
    const linear = { theta: 1e4, divisors: [4, 4, 4, 4] };
    expect(await rope({ rope_scaling: { type: 'linear', factor: 4 } })).to.deep.equal(linear);
    expect(await rope({ rope_parameters: { rope_type: 'linear', factor: 4, rope_theta: 1e4 } })).to.deep.equal(linear);
    expect(await rope({ rope_theta: 5e5, rope_parameters: { ...llama3, rope_theta: 5e5 } })).to.deep.equal(
      await rope({ rope_theta: 5e5, rope_scaling: llama3 }),
    );
  });

  it('scale rope as llama3 does', async () => {
    // Waves of 2 pi theta^(i / 4) tokens; original length 64: shorter than 16 as before, longer than 64 slower by 8.
    const { divisors } = (await open(files({ rope_scaling: llama3 }))).config.rope;
    const waves = [0, 1, 2, 3].map((i) => 2 * Math.PI * 10_000 ** (i / 4));
    expect(waves.map(Math.round)).to.deep.equal([6, 63, 628, 6283]);
    const smooth = (64 / (waves[1] as number) - 1) / 3;
    expect(divisors[0]).to.equal(1);
    expect(divisors[1])
      .to.be.closeTo(1 / ((1 - smooth) / 8 + smooth), 1e-12)
      .and.be.within(1, 8);
    expect(divisors.slice(2)).to.deep.equal([8, 8]);
  });

  it('say what ends a text: generation_config.json before config.json, one id or several', async () => {
    const ends = async (content: Files): Promise<readonly number[]> => {
      const { task } = await open(content);
      return task.kind === 'generate' ? task.endIds : [];
    };
    expect(await ends(files({ eos_token_id: [5, 2] }))).to.deep.equal([2, 5]);
    expect(await ends(files({ eos_token_id: null }))).to.deep.equal([]);
    expect(await ends(files({}, { 'generation_config.json': { eos_token_id: [3, 4], top_p: 0.9 } }))).to.deep.equal([3, 4]);
    expect(await ends(files({}, { 'generation_config.json': { do_sample: true } }))).to.deep.equal([2]);
  });

  it('have a chat template, in a file or in tokenizer_config.json, one or several', async () => {
    const template = async (content: Files): Promise<unknown> =>
      (await open(files({}, content))).tokenizer?.config['chat_template'];
    expect(await template({ 'tokenizer_config.json': { chat_template: '{{ a }}' } })).to.equal('{{ a }}');
    const both = { 'tokenizer_config.json': { chat_template: '{{ a }}' }, 'chat_template.jinja': '{{ b }}' };
    expect(await template(both)).to.equal('{{ b }}');
    const several = [
      { name: 'tool_use', template: '{{ c }}' },
      { name: 'default', template: '{{ d }}' },
    ];
    expect(await template({ 'tokenizer_config.json': { chat_template: several } })).to.equal('{{ d }}');
    expect(await template({ 'tokenizer_config.json': { chat_template: several.slice(0, 1) } })).to.equal(undefined);
    const { task, files: read } = await open(files({}, both));
    expect(task).to.include({ kind: 'generate', chat: true });
    expect(read.some((file) => file.endsWith('chat_template.jinja'))).to.equal(true);
  });

  it('without a tokenizer take token ids, and say so', async () => {
    const model = await open({ ...weights, 'config.json': config });
    expect([model.tokenizer, model.task.kind]).to.deep.equal([null, 'generate']);
    expect(model.notes.join()).to.include('no tokenizer.json');
  });

  it('hold as many tokens as asked for, beyond the trained length only on request', async () => {
    const folder = await writeFolder(parent(), files({}));
    expect((await openHuggingFace(folder, { maxLength: 40 })).context).to.deep.equal({ trainedLength: 128, maxLength: 40 });
    const beyond = await openHuggingFace(folder, { maxLength: 500, beyondTrainedContext: true });
    expect(beyond.context).to.deep.equal({ trainedLength: 128, maxLength: 500 });
    expect(beyond.notes.join()).to.include('500 tokens').and.include('trained for 128');
    const error = await failure('ATPC-301', openHuggingFace(folder, { maxLength: 500 }));
    expect(error.message).to.include('500').and.include('128');
    expect(error.hint).to.include('--beyond-trained-context');
    expect((await failure('ATPC-301', openHuggingFace(folder, { maxLength: 0 }))).message).to.include('is 0');
  });

  it('ignore frequencies that old checkpoints carry along, and list what else is unused', async () => {
    const tensor = (name: string) => ({ name, storage: 'F32' as const, shape: [1], data: new Float32Array(1) });
    const stored = ['model.layers.0.self_attn.rotary_emb.inv_freq', 'lm_head.weight'].map(tensor);
    const model = await open(files({}, { 'model.safetensors': encodeSafetensors(stored) }));
    expect(model.unused).to.deep.equal(['lm_head.weight']);
  });

  const refused: readonly (readonly [what: string, code: ErrorCode, changes: object, parts: readonly string[]])[] = [
    ['an unknown key', 'ATPC-202', { rope_thta: 1e4 }, ["'rope_thta'"]],
    [
      'heads that do not divide the width',
      'ATPC-202',
      { num_attention_heads: 3 },
      ['hidden_size 32', 'num_attention_heads 3', 'head_dim'],
    ],
    ['heads of an odd size', 'ATPC-202', { head_dim: 7 }, ['7 elements', 'even']],
    ['key heads that do not divide the heads', 'ATPC-202', { num_key_value_heads: 3 }, ['num_key_value_heads 3']],
    ['an unknown activation', 'ATPC-202', { hidden_act: 'mish' }, ["'mish'"]],
    ['dynamic scaling', 'ATPC-202', { rope_scaling: { type: 'dynamic', factor: 2 } }, ["'dynamic'", 'not supported']],
    ['yarn', 'ATPC-202', { rope_parameters: { rope_type: 'yarn', factor: 2, rope_theta: 1e4 } }, ["'yarn'"]],
    ['longrope', 'ATPC-202', { rope_scaling: { rope_type: 'longrope', factor: 2 } }, ["'longrope'"]],
    ['linear scaling without a factor', 'ATPC-202', { rope_scaling: { type: 'linear' } }, ["'linear'", "'factor'"]],
    [
      'llama3 scaling without its lengths',
      'ATPC-202',
      { rope_scaling: { rope_type: 'llama3', factor: 8 } },
      ["'low_freq_factor'"],
    ],
    [
      'scaling that is said twice',
      'ATPC-202',
      { rope_scaling: llama3, rope_parameters: llama3 },
      ['rope_scaling and rope_parameters'],
    ],
    [
      'two different thetas',
      'ATPC-202',
      { rope_theta: 1e4, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } },
      ['10000', '500000'],
    ],
    ['a part of the head turned', 'ATPC-202', { partial_rotary_factor: 0.5 }, ['partial_rotary_factor']],
    ['neighbours turned', 'ATPC-202', { rope_interleaved: true }, ['rope_interleaved']],
    ['quantised safetensors', 'ATPC-202', { quantization_config: { quant_method: 'awq' } }, ['awq']],
    ['an end token beyond the vocabulary', 'ATPC-202', { eos_token_id: 64 }, ['eos_token_id 64', '64 tokens']],
    ['another model type', 'ATPC-202', { model_type: 'mistral' }, ["'model_type'", 'mistral']],
    ['a number that is none', 'ATPC-202', { rms_norm_eps: 'small' }, ['rms_norm_eps']],
  ];
  for (const [what, code, changes, parts] of refused) {
    it(`refuse ${what} (${code})`, async () => {
      const { message } = await failure(code, open(files(changes)));
      for (const part of parts) expect(message).to.include(part);
    });
  }

  it('name what is supported where they refuse', async () => {
    const scaled = await failure('ATPC-202', open(files({ rope_scaling: { type: 'dynamic', factor: 2 } })));
    expect(scaled.hint).to.equal('Supported: default, linear, llama3.');
    const other = await failure('ATPC-203', open(files({ architectures: ['GemmaForCausalLM'] })));
    expect(other.hint).to.include('LlamaForCausalLM');
  });

  it('refuse a length for a model that keeps nothing', async () => {
    const bert = { ...config, architectures: ['BertModel'], model_type: 'bert' };
    const folder = await writeFolder(parent(), { 'config.json': bert });
    expect((await failure('ATPC-301', openHuggingFace(folder, { maxLength: 64 }))).message).to.include('--max-seq');
  });

  it('need a head where it is not tied', async () => {
    const folder = await writeFolder(parent(), files({ tie_word_embeddings: false }));
    expect((await failure('ATPC-205', openModel(folder))).message).to.include("'lm_head.weight'");
  });
});
