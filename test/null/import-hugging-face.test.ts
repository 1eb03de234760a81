import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { openHuggingFace } from '../../compiler/import/hugging-face.ts';
import type { Imported } from '../../compiler/import/imported-model.ts';
import { hashModel } from '../../compiler/import/model-hash.ts';
import { canonicalBertName } from '../../compiler/import/bert-checkpoint.ts';
import { encodeSafetensors } from '../../compiler/weights/safetensors-layout.ts';
import { errorCatalogue, type ErrorCode } from '../../runtime/errors.ts';
import { minilmFolder, requires } from '../requirements.ts';
import { failure, openBertFolder, temporaryFolder, writeFolder } from './import-files.ts';

const sentiment = path.join(import.meta.dirname, '../../examples/sentiment');

const config = {
  architectures: ['BertModel'],
  model_type: 'bert',
  vocab_size: 8,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 6,
  max_position_embeddings: 16,
};
const tokenizer = {
  version: '1.0',
  truncation: { max_length: 4, strategy: 'LongestFirst', stride: 0 },
  padding: { strategy: { Fixed: 4 } },
  added_tokens: [{ id: 3, content: '[PAD]', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }],
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: null,
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: { '[UNK]': 0, one: 1, text: 2, '[PAD]': 3 },
  },
};
const weights = encodeSafetensors(
  ['embeddings.LayerNorm.gamma', 'embeddings.LayerNorm.beta', 'pooler.dense.bias', 'cls.predictions.bias'].map((name, index) => ({
    name: name.startsWith('cls') ? name : `bert.${name}`,
    storage: 'F32' as const,
    shape: [4],
    data: new Float32Array(4).fill(index),
  })),
);
const modules = ['Transformer', 'Pooling', 'Normalize'].map((kind, index) => ({
  idx: index,
  name: String(index),
  path: index === 0 ? '' : `${index}_${kind}`,
  type: `sentence_transformers.models.${kind}`,
}));
const pooling = {
  word_embedding_dimension: 4,
  pooling_mode_cls_token: false,
  pooling_mode_mean_tokens: true,
  pooling_mode_max_tokens: false,
};

type Files = Readonly<Record<string, string | Uint8Array | object>>;
const plain: Files = { 'config.json': config, 'model.safetensors': weights };
const withTokenizer: Files = { ...plain, 'tokenizer.json': tokenizer };
const sentence: Files = { ...withTokenizer, 'modules.json': modules, '1_Pooling/config.json': pooling };
const classifier = { ...config, architectures: ['BertForSequenceClassification'], id2label: { 0: 'NO', 1: 'YES' } };
const configured = (changes: object, base: object = config): Files => ({ ...plain, 'config.json': { ...base, ...changes } });
const without = (key: keyof typeof config): Files => ({
  ...plain,
  'config.json': Object.fromEntries(Object.entries(config).filter(([name]) => name !== key)),
});

describe('Hugging Face folders', () => {
  const parent = temporaryFolder();
  const open = async (files: Files): Promise<Imported<'bert'>> => await openBertFolder(await writeFolder(parent(), files));

  it('opens the committed classifier', async () => {
    const model = await openHuggingFace(path.join(sentiment, 'model'));
    expect(model.config).to.deep.equal({
      vocabSize: 6500,
      hiddenSize: 384,
      layers: 3,
      heads: 12,
      intermediateSize: 512,
      maxPositions: 512,
      typeVocabSize: 2,
      layerNormEpsilon: 1e-12,
      activation: 'gelu',
      head: { kind: 'classify', labels: ['NEGATIVE', 'POSITIVE'] },
    });
    expect(model.task).to.deep.equal({ kind: 'classify', output: 'logits', labels: ['NEGATIVE', 'POSITIVE'] });
    expect(model.tokenizer).to.include({ maxLength: 512, padId: 0 });
    expect([model.atpBlock, model.unused, model.notes]).to.deep.equal([null, [], []]);
    expect(model.tensors.has('encoder.layer.2.attention.self.query.weight')).to.equal(true);
  });

  it('opens the checkpoint that was tuned with literal ATP', async () => {
    const model = await openHuggingFace(path.join(sentiment, 'model-atp'));
    expect(model.atpBlock).to.deep.equal({ mode: 'svd', ratio: 0.25, minKeys: 2, layers: [0, 1, 2] });
  });

  it('opens MiniLM as a sentence encoder', async function () {
    requires(this, 'minilm', existsSync(minilmFolder));
    const model = await openBertFolder(minilmFolder);
    expect(model.config.head).to.deep.equal({ kind: 'embedding', pooling: 'mean', normalize: true });
    expect(model.task).to.deep.equal({ kind: 'embed', output: 'sentence_embedding', normalized: true, size: 384 });
    // 256 is in sentence_bert_config.json; tokenizer.json truncates and pads at 128.
    expect(model.tokenizer).to.include({ maxLength: 256, padId: 0 });
    expect(model.tokenizer?.json).to.include({ truncation: null, padding: null });
    expect(model.unused).to.deep.equal(['pooler.dense.bias', 'pooler.dense.weight']);
    expect(model.tensors.has('embeddings.position_ids')).to.equal(false);
    expect(model.license).to.deep.equal({ name: 'apache-2.0', text: null });
  });

  it('gives tensors their canonical names and lists what is unused', async () => {
    const model = await open(plain);
    expect([...(await model.tensors.readFloat32('embeddings.LayerNorm.weight'))]).to.deep.equal([0, 0, 0, 0]);
    expect([...(await model.tensors.readFloat32('embeddings.LayerNorm.bias'))]).to.deep.equal([1, 1, 1, 1]);
    expect(model.unused).to.deep.equal(['pooler.dense.bias', 'cls.predictions.bias']);
    expect(canonicalBertName('bert.encoder.layer.3.output.LayerNorm.gamma')).to.equal('encoder.layer.3.output.LayerNorm.weight');
  });

  it('refuses two names of one parameter', async () => {
    const both = encodeSafetensors(
      ['bert.pooler.dense.bias', 'pooler.dense.bias'].map((name) => ({
        name,
        storage: 'F32' as const,
        shape: [1],
        data: new Float32Array(1),
      })),
    );
    expect((await failure('ATPC-204', open({ ...plain, 'model.safetensors': both }))).message).to.include(
      "'bert.pooler.dense.bias' and 'pooler.dense.bias'",
    );
  });

  it('gives pooler_output where a BertModel has the weights of its pooler', async () => {
    const tensor = (name: string) => ({ name, storage: 'F32' as const, shape: [1], data: new Float32Array(1) });
    const pooled = { 'model.safetensors': encodeSafetensors(['pooler.dense.weight', 'pooler.dense.bias'].map(tensor)) };
    expect((await open({ ...plain, ...pooled })).config.pooler).to.equal(true);
    expect((await open({ ...plain, ...pooled })).unused).to.deep.equal([]);
    expect((await open(plain)).config.pooler).to.equal(undefined);
    expect((await open({ ...sentence, ...pooled })).unused).to.have.length(2);
  });

  it('takes a folder without tokenizer as one for tensors only, and says so', async () => {
    const model = await open({ ...plain, 'config.json': classifier });
    expect([model.tokenizer, model.task.kind]).to.deep.equal([null, 'tensors']);
    expect(model.notes.join()).to.include('no tokenizer.json');
  });

  it('reads every spelling of the activations', async () => {
    const names = {
      gelu: 'gelu',
      gelu_new: 'gelu_tanh',
      gelu_pytorch_tanh: 'gelu_tanh',
      relu: 'relu',
      silu: 'silu',
      swish: 'silu',
    };
    for (const [name, activation] of Object.entries(names)) {
      expect((await open(configured({ hidden_act: name }))).config.activation, name).to.equal(activation);
    }
  });

  it('gives logits only where a softmax over the labels would be wrong', async () => {
    const model = await open({ ...withTokenizer, 'config.json': { ...classifier, problem_type: 'multi_label_classification' } });
    expect([model.task.kind, model.config.head]).to.deep.equal(['tensors', { kind: 'classify', labels: ['NO', 'YES'] }]);
    expect(model.notes.join()).to.include('multi_label_classification');
    expect((await open({ ...withTokenizer, 'config.json': { ...classifier, id2label: { 0: 'SCORE' } } })).task.kind).to.equal(
      'tensors',
    );
  });

  it('reads the modules of sentence-transformers', async () => {
    const model = await open(sentence);
    expect(model.config.head).to.deep.equal({ kind: 'embedding', pooling: 'mean', normalize: true });
    const cls = { ...pooling, pooling_mode_mean_tokens: false, pooling_mode_cls_token: true };
    const bare = await open({ ...sentence, 'modules.json': modules.slice(0, 2), '1_Pooling/config.json': cls });
    expect(bare.config.head).to.deep.equal({ kind: 'embedding', pooling: 'cls', normalize: false });
    const nested = Object.fromEntries(Object.entries(withTokenizer).map(([name, content]) => [`0_Transformer/${name}`, content]));
    const first = { ...modules[0], path: '0_Transformer' };
    const moved = await open({ ...nested, 'modules.json': [first, ...modules.slice(1)], '1_Pooling/config.json': pooling });
    expect(moved.task.kind).to.equal('embed');
  });

  it('finds the longest input: sentence_bert_config, then tokenizer_config, never more than the positions', async () => {
    const maxLength = async (files: Files): Promise<number | undefined> => (await open(files)).tokenizer?.maxLength;
    expect(await maxLength(withTokenizer)).to.equal(16);
    const limited: Files = { ...withTokenizer, 'tokenizer_config.json': { model_max_length: 10 } };
    expect(await maxLength(limited)).to.equal(10);
    expect(await maxLength({ ...limited, 'sentence_bert_config.json': { max_seq_length: 12 } })).to.equal(12);
    expect(await maxLength({ ...withTokenizer, 'tokenizer_config.json': { model_max_length: 1e30 } })).to.equal(16);
    expect(await maxLength({ ...withTokenizer, 'sentence_bert_config.json': { max_seq_length: 512 } })).to.equal(16);
  });

  it('finds the id of padding by its token', async () => {
    expect(
      (await open({ ...withTokenizer, 'tokenizer_config.json': { pad_token: { content: '[PAD]' } } })).tokenizer?.padId,
    ).to.equal(3);
    expect((await open({ ...withTokenizer, 'config.json': { ...config, pad_token_id: 2 } })).tokenizer?.padId).to.equal(2);
  });

  it('reads the licence', async () => {
    const readme = '---\nlanguage: en\nlicense: mit\n---\n# A model\n';
    expect((await open({ ...plain, 'README.md': readme, LICENSE: 'Permission ...' })).license).to.deep.equal({
      name: 'mit',
      text: 'Permission ...',
    });
    expect((await open({ ...plain, 'README.md': '# license: mit\n' })).license).to.equal(null);
    expect((await open({ ...plain, 'README.md': '---\n: [broken\n---\n' })).license).to.equal(null);
  });

  it('hashes what decides the result, and nothing else', async () => {
    const hash = async (files: Files): Promise<string> => {
      const model = await open(files);
      return await hashModel(model.folder, model.files);
    };
    const base = await hash(sentence);
    expect(await hash({ ...sentence, 'README.md': 'other' })).to.equal(base);
    expect(await hash({ ...sentence, 'tokenizer.json': { ...tokenizer, version: '1.1' } })).to.not.equal(base);
    expect(await hash({ ...sentence, '1_Pooling/config.json': { ...pooling, include_prompt: true } })).to.not.equal(base);
    const changed = weights.slice();
    changed[changed.length - 1] = 7;
    expect(await hash({ ...sentence, 'model.safetensors': changed })).to.not.equal(base);
  });

  const refused: readonly (readonly [string, ErrorCode, Files, readonly string[]])[] = [
    ['no config.json', 'ATPC-201', { 'model.safetensors': weights }, ['config.json is not there']],
    ['no weights', 'ATPC-201', { 'config.json': config }, ['model.safetensors']],
    ['config.json that is not JSON', 'ATPC-202', { ...plain, 'config.json': '{' }, ['config.json is not JSON']],
    ['config.json that is a list', 'ATPC-203', { ...plain, 'config.json': '[]' }, ['no architecture']],
    ['config.json with a key twice', 'ATPC-202', { ...plain, 'config.json': '{"a":1,"a":2}' }, ["'a' twice"]],
    ['a lacking size', 'ATPC-202', without('hidden_size'), ["lacks 'hidden_size'"]],
    ['a size that is no number', 'ATPC-202', configured({ hidden_size: '4' }), ["'hidden_size'", 'integer', '"4"']],
    ['a size of zero', 'ATPC-202', configured({ num_hidden_layers: 0 }), ["'num_hidden_layers'"]],
    [
      'heads that do not divide the width',
      'ATPC-202',
      configured({ num_attention_heads: 3 }),
      ['hidden_size 4', 'num_attention_heads 3'],
    ],
    ['an unknown key', 'ATPC-202', configured({ hiden_act: 'relu' }), ["'hiden_act'"]],
    ['an unknown activation', 'ATPC-202', configured({ hidden_act: 'mish' }), ["'mish'"]],
    [
      'another kind of positions',
      'ATPC-202',
      configured({ position_embedding_type: 'relative_key' }),
      ["'relative_key'", "'absolute'"],
    ],
    ['a decoder', 'ATPC-202', configured({ is_decoder: true }), ['is_decoder']],
    ['cross attention', 'ATPC-202', configured({ add_cross_attention: true }), ['add_cross_attention']],
    ['pruned heads', 'ATPC-202', configured({ pruned_heads: { 0: [1] } }), ["'pruned_heads'"]],
    ['another model type', 'ATPC-202', configured({ model_type: 'roberta' }), ["'model_type'", 'roberta']],
    ['an unknown architecture', 'ATPC-203', configured({ architectures: ['MambaForCausalLM'] }), ["'MambaForCausalLM'"]],
    ['two architectures', 'ATPC-203', configured({ architectures: ['BertModel', 'BertForMaskedLM'] }), ['2 architectures']],
    ['no architecture', 'ATPC-203', without('architectures'), ['no architecture']],
    ['labels with a gap', 'ATPC-202', configured({ id2label: { 0: 'A', 2: 'B' } }, classifier), ['no label for 1']],
    ['an atp block of another mode', 'ATPC-202', configured({ atp: { mode: 'expand', ratio: 0.5 } }), ['atp.mode', 'svd']],
    [
      'an atp block that counts mass',
      'ATPC-202',
      configured({ atp: { mode: 'svd', ratio: 0.5, log_mass: true } }),
      ['atp.log_mass'],
    ],
    ['an atp block for a layer too many', 'ATPC-202', configured({ atp: { mode: 'svd', ratio: 0.5, layers: [1] } }), ['layer 1']],
    [
      'an unknown module',
      'ATPC-202',
      { ...sentence, 'modules.json': [...modules, { path: '3_Dense', type: 'sentence_transformers.models.Dense' }] },
      ['models.Dense'],
    ],
    [
      'a module of another package',
      'ATPC-202',
      { ...sentence, 'modules.json': [{ path: '', type: 'evil.Transformer' }] },
      ["'evil.Transformer'"],
    ],
    [
      'modules in another order',
      'ATPC-202',
      { ...sentence, 'modules.json': modules.toReversed() },
      ['Normalize, Pooling, Transformer'],
    ],
    [
      'a module path out of the folder',
      'ATPC-202',
      { ...sentence, 'modules.json': [modules[0], { ...modules[1], path: '../1_Pooling' }] },
      ["'../1_Pooling'"],
    ],
    [
      'an unknown pooling',
      'ATPC-202',
      { ...sentence, '1_Pooling/config.json': { pooling_mode_lasttoken: true } },
      ['pooling_mode_lasttoken'],
    ],
    [
      'two poolings',
      'ATPC-202',
      { ...sentence, '1_Pooling/config.json': { ...pooling, pooling_mode_max_tokens: true } },
      ['mean_tokens + pooling_mode_max_tokens'],
    ],
    [
      'a pooling of another width',
      'ATPC-202',
      { ...sentence, '1_Pooling/config.json': { ...pooling, word_embedding_dimension: 5 } },
      ['5 numbers', 'hidden_size 4'],
    ],
    ['a classifier that is pooled', 'ATPC-203', { ...sentence, 'config.json': classifier }, ['BertForSequenceClassification']],
    ['an unknown limit', 'ATPC-202', { ...withTokenizer, 'sentence_bert_config.json': { max_length: 3 } }, ["'max_length'"]],
    ['tokenizer.json that is not JSON', 'ATPC-209', { ...plain, 'tokenizer.json': 'x' }, ['tokenizer.json is not JSON']],
    [
      'an unknown kind of tokenizer',
      'ATPC-209',
      { ...plain, 'tokenizer.json': { ...tokenizer, model: { type: 'Magic', vocab: {} } } },
      ['model.type', 'Magic'],
    ],
    [
      'an unknown normalizer',
      'ATPC-209',
      { ...plain, 'tokenizer.json': { ...tokenizer, normalizer: { type: 'Magic' } } },
      ['Magic'],
    ],
    [
      'a token beyond the vocabulary',
      'ATPC-209',
      { ...withTokenizer, 'config.json': { ...config, vocab_size: 3 } },
      ["'[PAD]'", 'id 3', 'vocab_size 3'],
    ],
    [
      'a tokenizer_config.json of another kind',
      'ATPC-209',
      { ...withTokenizer, 'tokenizer_config.json': { model_max_length: 'many' } },
      ['model_max_length'],
    ],
  ];
  for (const [what, code, files, parts] of refused) {
    it(`refuses ${what} (${code})`, async () => {
      const { message } = await failure(code, open(files));
      for (const part of parts) expect(message).to.include(part);
    });
  }

  it('refuses a case-keeping tokenizer for a model whose texts are lower-cased', async () => {
    const cased = { ...tokenizer, normalizer: { ...tokenizer.normalizer, lowercase: false } };
    const limits = { 'sentence_bert_config.json': { max_seq_length: 8, do_lower_case: true } };
    expect((await failure('ATPC-209', open({ ...plain, ...limits, 'tokenizer.json': cased }))).message).to.include(
      'do_lower_case',
    );
    expect((await open({ ...withTokenizer, ...limits })).tokenizer?.maxLength).to.equal(8);
  });

  it('helps with what it refuses', async () => {
    expect((await failure('ATPC-202', open(configured({ hiden_act: 'relu' })))).hint).to.equal("Did you mean 'hidden_act'?");
    expect((await failure('ATPC-203', open(configured({ architectures: ['T5Model'] })))).hint).to.include(
      'BertModel, BertForSequenceClassification, LlamaForCausalLM',
    );
    expect((await failure('ATPC-201', openHuggingFace(path.join(parent(), 'nowhere')))).message).to.include(
      'nowhere is not there',
    );
    expect((await failure('ATPC-201', openHuggingFace(path.join(sentiment, 'model/config.json')))).message).to.include(
      'is a file',
    );
    expect(Object.keys(errorCatalogue)).to.include('ATPC-209');
  });

  it('accepts each damaged copy of a real model only with a coded error', async () => {
    const files = ['config.json', 'tokenizer.json', 'tokenizer_config.json'];
    const whole = Object.fromEntries(
      await Promise.all(files.map(async (name) => [name, await readFile(path.join(sentiment, 'model', name))] as const)),
    );
    const bytes = await readFile(path.join(sentiment, 'model/model.safetensors'));
    for (const length of [0, 9, 5000, bytes.length - 1]) {
      await failure('ATPC-204', open({ ...whole, 'model.safetensors': bytes.subarray(0, length) }));
    }
    await failure('ATPC-204', open({ ...whole, 'model.safetensors': Buffer.concat([bytes, Buffer.alloc(1)]) }));
  });
});
