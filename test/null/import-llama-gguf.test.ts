import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { openGguf } from '../../compiler/import/gguf-model.ts';
import type { ContextOptions } from '../../compiler/import/context-length.ts';
import type { Imported } from '../../compiler/import/imported-model.ts';
import { preTokenizers } from '../../compiler/import/gguf-pre-tokenizers.ts';
import { ropeRowOrder } from '../../compiler/import/llama-gguf.ts';
import { dequantise } from '../../compiler/weights/block-format.ts';
import { quantise } from '../../compiler/weights/quantise.ts';
import type { ErrorCode } from '../../runtime/errors.ts';
import { TextTokenizer } from '../../runtime/tokenizer.ts';
import { requires, smollm2File } from '../requirements.ts';
import { sharedFile } from '../shared-data.ts';
import { f32Tensor, ggufBytes, type GgufEntry, type GgufTensorSpec } from './gguf-files.ts';
import { failure, temporaryFolder } from './import-files.ts';
import { tinyLlama, tinySizes, tinyValues, type TinyChanges } from './tiny-llama-gguf.ts';

/** Rows of a matrix [rows, columns]. */
function rowsOf(values: Float32Array, columns: number): number[][] {
  return Array.from({ length: values.length / columns }, (_, row) => [...values.subarray(row * columns, (row + 1) * columns)]);
}

/**
 * What llama.cpp's converter does to the rows of queries and keys, by its definition: reshape to [heads, 2, pairs], swap the last two
 * axes.
 */
function permuted<T>(rows: readonly T[], heads: number): T[] {
  const pairs = rows.length / heads / 2;
  const result: T[] = [];
  for (let head = 0; head < heads; head += 1)
    for (let pair = 0; pair < pairs; pair += 1)
      for (let part = 0; part < 2; part += 1) result.push(rows[(head * 2 + part) * pairs + pair] as T);
  return result;
}

/** The matrix as Q8_0: scale as F16 and 32 signed bytes a block. */
function q8Tensor(name: string, shape: readonly [number, number], values: Float32Array): GgufTensorSpec {
  const { quants, scales } = quantise(name, 'q8', values, shape);
  const data = new Uint8Array(scales.length * 34);
  const view = new DataView(data.buffer);
  for (const [block, scale] of scales.entries()) {
    // Scales here are normal halves.
    const exponent = Math.floor(Math.log2(scale));
    view.setUint16(block * 34, ((exponent + 15) << 10) | ((scale / 2 ** exponent - 1) * 1024), true);
    data.set(quants.subarray(block * 32, block * 32 + 32), block * 34 + 2);
  }
  return { name, shape, type: 8, data };
}

describe('Llama from GGUF', () => {
  const folder = temporaryFolder();
  const open = async (changes: TinyChanges = {}, options: ContextOptions = {}): Promise<Imported<'llama'>> => {
    const file = path.join(folder(), 'tiny.gguf');
    await writeFile(file, ggufBytes(tinyLlama(changes)));
    return await openGguf(file, options);
  };

  it('reads configuration, licence and names', async () => {
    const model = await open({ tensors: [f32Tensor('blk.0.attn_rot_embd', [2], [1, 2])] });
    expect(model.config).to.deep.equal({
      vocabSize: 300,
      hiddenSize: 64,
      layers: 2,
      heads: 4,
      kvHeads: 2,
      headSize: 16,
      intermediateSize: 96,
      trainedLength: 256,
      maxLength: 256,
      rmsNormEpsilon: Math.fround(1e-5),
      activation: 'silu',
      rope: { theta: 10000, divisors: [] },
      attentionBias: false,
      mlpBias: false,
      tiedEmbeddings: true,
    });
    expect([model.family, model.name, model.license?.name]).to.deep.equal(['llama', 'tiny', 'mit']);
    expect(model.unused).to.deep.equal(['blk.0.attn_rot_embd']);
    expect(model.tensors.names()).to.include.members([
      'model.embed_tokens.weight',
      'model.layers.1.self_attn.o_proj.weight',
      'model.layers.1.mlp.down_proj.weight',
      'model.layers.0.post_attention_layernorm.weight',
      'model.norm.weight',
    ]);
    expect([...(await model.tensors.readFloat32('model.layers.1.mlp.up_proj.weight'))]).to.deep.equal([
      ...tinyValues('blk.1.ffn_up.weight', 96 * 64),
    ]);
    expect(model.tokenizer).to.equal(null);
    expect(model.task).to.deep.equal({ kind: 'generate', output: 'logits', vocabulary: 300, endIds: [], chat: false });
    expect(model.notes.join()).to.include('no tokenizer');
    expect((await open({}, { maxLength: 1000, beyondTrainedContext: true })).config.maxLength).to.equal(1000);
  });

  it("undoes the converter's order of query and key rows, in numbers, bytes and blocks", async () => {
    const { heads, kvHeads, headSize, hidden } = tinySizes;
    const original = { q: tinyValues('q', heads * headSize * hidden), k: tinyValues('k', kvHeads * headSize * hidden) };
    const stored = (kind: 'q' | 'k'): Float32Array =>
      Float32Array.from(permuted(rowsOf(original[kind], hidden), kind === 'q' ? heads : kvHeads).flat());
    const bias = tinyValues('bias', heads * headSize);
    const model = await open({
      tensors: [
        f32Tensor('blk.0.attn_q.weight', [heads * headSize, hidden], stored('q')),
        f32Tensor('blk.0.attn_q.bias', [heads * headSize], permuted([...bias], heads)),
        q8Tensor('blk.0.attn_k.weight', [kvHeads * headSize, hidden], stored('k')),
        ...[0, 1].flatMap((layer) =>
          ['attn_q', 'attn_k', 'attn_v', 'attn_output']
            .filter((part) => layer === 1 || part !== 'attn_q')
            .map((part) => {
              const rows = part === 'attn_k' || part === 'attn_v' ? kvHeads * headSize : heads * headSize;
              return f32Tensor(`blk.${layer}.${part}.bias`, [rows], new Float32Array(rows));
            }),
        ),
      ],
    });
    const q = 'model.layers.0.self_attn.q_proj';
    const k = 'model.layers.0.self_attn.k_proj.weight';
    expect(model.config.attentionBias).to.equal(true);
    expect([...(await model.tensors.readFloat32(`${q}.weight`))]).to.deep.equal([...original.q]);
    expect([...new Float32Array((await model.tensors.readRaw(`${q}.weight`)).buffer)]).to.deep.equal([...original.q]);
    expect([...(await model.tensors.readFloat32(`${q}.bias`))]).to.deep.equal([...bias]);
    const expected = quantise('k', 'q8', original.k, [kvHeads * headSize, hidden]);
    expect(model.tensors.info(k).format).to.deep.equal(expected.format);
    const blocks = await model.tensors.readBlocks?.(k);
    expect(blocks).to.deep.equal(expected);
    expect([...(await model.tensors.readFloat32(k))]).to.deep.equal([...dequantise(expected)]);
    expect(ropeRowOrder(2, 4)).to.deep.equal([0, 2, 1, 3, 4, 6, 5, 7]);
  });

  it('scales rope by a factor, by divisors, and by both', async () => {
    const divisors = Float32Array.from({ length: 8 }, (_, index) => 1 + index);
    const linear: Readonly<Record<string, GgufEntry>> = {
      'llama.rope.scaling.type': ['string', 'linear'],
      'llama.rope.scaling.factor': ['f32', 4],
    };
    const tensors = [f32Tensor('rope_freqs.weight', [8], divisors)];
    expect((await open({ metadata: linear })).config.rope.divisors).to.deep.equal(Array.from({ length: 8 }, () => 4));
    const both = await open({ metadata: linear, tensors });
    expect(both.config.rope.divisors).to.deep.equal([...divisors].map((divisor) => 4 * divisor));
    expect(both.unused).to.deep.equal([]);
    expect((await open({ tensors })).config.rope.divisors).to.deep.equal([...divisors]);
    expect(
      (await open({ metadata: { ...linear, 'llama.rope.scaling.type': ['string', 'none'] } })).config.rope.divisors,
    ).to.deep.equal([]);
  });

  it('takes the size of a head and an output layer of its own', async () => {
    const shapes = Object.fromEntries(
      [0, 1].flatMap((layer) => [
        [`blk.${layer}.attn_q.weight`, [32, 64]],
        [`blk.${layer}.attn_k.weight`, [16, 64]],
        [`blk.${layer}.attn_v.weight`, [16, 64]],
        [`blk.${layer}.attn_output.weight`, [64, 32]],
      ]),
    );
    const model = await open({
      metadata: { 'llama.attention.key_length': ['u32', 8], 'llama.rope.dimension_count': null, 'llama.rope.freq_base': null },
      shapes: { ...shapes, 'output.weight': [300, 64] },
    });
    expect([model.config.headSize, model.config.tiedEmbeddings, model.config.rope.theta]).to.deep.equal([8, false, 10000]);
    expect(model.unused).to.deep.equal([]);
  });

  const refused: readonly (readonly [string, TinyChanges, ErrorCode, readonly string[]])[] = [
    ['another architecture', { metadata: { 'general.architecture': ['string', 'mamba'] } }, 'ATPC-203', ["'mamba'"]],
    ['no architecture', { metadata: { 'general.architecture': null } }, 'ATPC-203', ['general.architecture']],
    ['no size', { metadata: { 'llama.embedding_length': null } }, 'ATPC-202', ['llama.embedding_length']],
    ['a size of 0', { metadata: { 'llama.attention.head_count': ['u32', 0] } }, 'ATPC-202', ['head_count 0']],
    ['a size that is a text', { metadata: { 'llama.block_count': ['string', '2'] } }, 'ATPC-202', ["block_count = '2'"]],
    [
      'heads by layer',
      { metadata: { 'llama.attention.head_count': ['numbers', 'i32', [4, 4]] } },
      'ATPC-202',
      ['a list of 2 numbers'],
    ],
    ['heads that do not divide', { metadata: { 'llama.attention.head_count': ['u32', 3] } }, 'ATPC-202', ['3 heads']],
    ['more layers than tensors', { metadata: { 'llama.block_count': ['u32', 2 ** 30] } }, 'ATPC-202', ['1073741824']],
    [
      'heads that the rows are not of',
      { metadata: { 'llama.attention.head_count': ['u32', 8], 'llama.rope.dimension_count': null } },
      'ATPC-206',
      ['k_proj', '2 heads of 8'],
    ],
    ['partial rotation', { metadata: { 'llama.rope.dimension_count': ['u32', 8] } }, 'ATPC-202', ['rope.dimension_count 8']],
    ['yarn', { metadata: { 'llama.rope.scaling.type': ['string', 'yarn'] } }, 'ATPC-202', ["'yarn'"]],
    ['a negative factor', { metadata: { 'llama.rope.scaling.factor': ['f32', -2] } }, 'ATPC-202', ['-2']],
    ['experts', { metadata: { 'llama.expert_count': ['u32', 8] } }, 'ATPC-202', ['8 experts']],
    ['a key that is not known', { metadata: { 'llama.logit_scale': ['f32', 2] } }, 'ATPC-202', ['llama.logit_scale']],
    ['a missing tensor', { shapes: { 'blk.1.ffn_up.weight': null } }, 'ATPC-205', ['model.layers.1.mlp.up_proj.weight']],
    ['no embedding', { shapes: { 'token_embd.weight': null } }, 'ATPC-205', ['model.embed_tokens.weight']],
    ['divisors of another size', { shapes: { 'rope_freqs.weight': [4] } }, 'ATPC-206', ['rope_freqs.weight']],
    ['divisors of 0', { tensors: [f32Tensor('rope_freqs.weight', [8], new Float32Array(8))] }, 'ATPC-202', ['frequency 0']],
    [
      'a type that is not read',
      { tensors: [{ name: 'output_norm.weight', shape: [256], type: 10, data: new Uint8Array(84) }] },
      'ATPC-207',
      ['Q2_K'],
    ],
  ];
  for (const [what, changes, code, words] of refused) {
    it(`refuses ${what}`, async () => {
      const { message } = await failure(code, open(changes));
      for (const word of words) expect(message).to.include(word);
    });
  }
});

/** Byte-level BPE: the 256 bytes as GPT-2 writes them, and what the merges make of them. */
const byteTokens: readonly string[] = (() => {
  const visible = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : next++));
})();
const bytePair = (merges: readonly string[], pre: string): Readonly<Record<string, GgufEntry>> => {
  const tokens = [...byteTokens, ...merges.map((merge) => merge.replace(' ', '')), '<s>', '</s>', '<|im_end|>'];
  return {
    'tokenizer.ggml.model': ['string', 'gpt2'],
    'tokenizer.ggml.pre': ['string', pre],
    'tokenizer.ggml.tokens': ['strings', tokens],
    'tokenizer.ggml.token_type': ['numbers', 'i32', tokens.map((token) => (token.startsWith('<') && token.length > 1 ? 3 : 1))],
    'tokenizer.ggml.merges': ['strings', merges],
    'tokenizer.ggml.bos_token_id': ['u32', tokens.indexOf('<s>')],
    'tokenizer.ggml.eos_token_id': ['u32', tokens.indexOf('</s>')],
  };
};

describe('tokenizer from GGUF', () => {
  const folder = temporaryFolder();
  const open = async (metadata: TinyChanges['metadata']): Promise<Imported<'llama'>> => {
    const file = path.join(folder(), 'tiny.gguf');
    await writeFile(file, ggufBytes(tinyLlama({ metadata: metadata ?? {} })));
    return await openGguf(file);
  };
  const encoder = ({ tokenizer }: Imported<'llama'>): TextTokenizer => {
    if (tokenizer === null) throw new Error('There is no tokenizer.');
    return new TextTokenizer(tokenizer.json, tokenizer.config, 1000);
  };

  it('cuts texts by the rules of tokenizer.ggml.pre, then merges', async () => {
    const merges = ['1 2', '12 3', 'Ġ a', 'a b', 'Ġa b'];
    const tokens = async (pre: string, text: string): Promise<readonly string[]> =>
      encoder(await open({ ...bytePair(merges, pre), 'tokenizer.ggml.add_bos_token': ['bool', false] })).encode(text).tokens;
    expect(await tokens('smollm', 'x123 ab')).to.deep.equal(['x', '1', '2', '3', 'Ġab']);
    expect(await tokens('gpt-2', 'x123 ab')).to.deep.equal(['x', '123', 'Ġab']);
    expect(await tokens('llama-bpe', 'x1234 ab')).to.deep.equal(['x', '123', '4', 'Ġab']);
    expect(await tokens('default', 'é12 .ab')).to.deep.equal(['Ã', '©', '12', 'Ġ', '.', 'ab']);
    expect(preTokenizers.size).to.be.greaterThan(20);
  });

  it('adds bos and eos, names the end of an answer, and keeps the chat template', async () => {
    const metadata = bytePair([], 'llama-bpe');
    const model = await open({ ...metadata, 'tokenizer.chat_template': ['string', '{{ messages }}'] });
    // llama-bpe begins with bos where nothing is said.
    expect(encoder(model).encode('<s>a').tokens).to.deep.equal(['<s>', '<s>', 'a']);
    expect(model.tokenizer?.config).to.deep.include({
      bos_token: '<s>',
      eos_token: '</s>',
      add_bos_token: true,
      chat_template: '{{ messages }}',
    });
    expect(model.task).to.deep.equal({ kind: 'generate', output: 'logits', vocabulary: 300, endIds: [257, 258], chat: true });
    const without = await open({
      ...metadata,
      'tokenizer.ggml.add_bos_token': ['bool', false],
      'tokenizer.ggml.add_eos_token': ['bool', true],
    });
    expect(encoder(without).encode('a').tokens).to.deep.equal(['a', '</s>']);
    expect(without.task).to.deep.include({ chat: false });
  });

  it('reads SentencePiece vocabularies: highest score first, bytes for what is missing', async () => {
    const pieces: readonly (readonly [token: string, score: number, type: number])[] = [
      ['<unk>', 0, 2],
      ['<s>', 0, 3],
      ['</s>', 0, 3],
      ...Array.from({ length: 256 }, (_, byte) => [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 0, 6] as const),
      ['bc', -1, 1],
      ['▁a', -2, 1],
      ['ab', -3, 1],
      ['▁abc', -4, 1],
      ['▁ab', -5, 1],
      ['▁', -6, 1],
      ['a', -7, 1],
      ['b', -8, 1],
      ['c', -9, 1],
    ];
    const model = await open({
      'tokenizer.ggml.model': ['string', 'llama'],
      'tokenizer.ggml.tokens': ['strings', pieces.map(([token]) => token)],
      'tokenizer.ggml.scores': ['numbers', 'f32', pieces.map(([, score]) => score)],
      'tokenizer.ggml.token_type': ['numbers', 'i32', pieces.map(([, , type]) => type)],
      'tokenizer.ggml.bos_token_id': ['u32', 1],
      'tokenizer.ggml.eos_token_id': ['u32', 2],
    });
    const tokens = (text: string): readonly string[] => encoder(model).encode(text).tokens;
    // bc before ▁a before ▁abc, which is made of both.
    expect(tokens('abc')).to.deep.equal(['<s>', '▁abc']);
    expect(tokens('ab')).to.deep.equal(['<s>', '▁ab']);
    expect(tokens('cab é')).to.deep.equal(['<s>', '▁', 'c', 'ab', '▁', '<0xC3>', '<0xA9>']);
    expect(model.task).to.deep.include({ kind: 'generate', endIds: [2] });
  });

  it('takes no text where the rules or the kind are not known, and says so', async () => {
    const rules = await open(bytePair([], 'martian'));
    expect([rules.tokenizer, rules.task.kind, rules.notes.length]).to.deep.equal([null, 'generate', 1]);
    expect(rules.notes[0]).to.include("'martian'");
    expect((await open({ 'tokenizer.ggml.model': ['string', 'rwkv'] })).notes[0]).to.include("'rwkv'");
    expect((await open({ ...bytePair([], 'gpt-2'), 'tokenizer.ggml.pre': null })).notes[0]).to.include("'default'");
  });

  const base = bytePair(['a b'], 'gpt-2');
  const broken: readonly (readonly [string, Readonly<Record<string, GgufEntry | null>>, ErrorCode, string])[] = [
    ['no tokens', { 'tokenizer.ggml.tokens': null }, 'ATPC-202', 'tokenizer.ggml.tokens'],
    ['no merges', { 'tokenizer.ggml.merges': null }, 'ATPC-202', 'tokenizer.ggml.merges'],
    [
      'more tokens than rows',
      { 'tokenizer.ggml.tokens': ['strings', Array.from({ length: 301 }, (_, id) => `t${id}`)] },
      'ATPC-209',
      '300 rows',
    ],
    [
      'a token twice',
      { 'tokenizer.ggml.tokens': ['strings', ['a', 'a']], 'tokenizer.ggml.token_type': null },
      'ATPC-209',
      'ids 0 and 1',
    ],
    [
      'a token without end',
      { 'tokenizer.ggml.tokens': ['strings', ['a'.repeat(5000)]], 'tokenizer.ggml.token_type': null },
      'ATPC-209',
      '5000',
    ],
    ['types of other tokens', { 'tokenizer.ggml.token_type': ['numbers', 'i32', [1]] }, 'ATPC-209', '1 types'],
    ['a merge of one part', { 'tokenizer.ggml.merges': ['strings', ['ab']] }, 'ATPC-209', 'merge 0'],
    ['a merge of nothing known', { 'tokenizer.ggml.merges': ['strings', ['a c']] }, 'ATPC-209', "'ac'"],
    ['a special token that is not there', { 'tokenizer.ggml.bos_token_id': ['u32', 5000] }, 'ATPC-209', '5000'],
    [
      'a bos token to add that is not named',
      { 'tokenizer.ggml.bos_token_id': null, 'tokenizer.ggml.add_bos_token': ['bool', true] },
      'ATPC-209',
      'bos',
    ],
  ];
  for (const [what, changes, code, word] of broken) {
    it(`refuses ${what}`, async () => {
      expect((await failure(code, open({ ...base, ...changes }))).message).to.include(word);
    });
  }
});

describe('SmolLM2 from GGUF', () => {
  before(function () {
    requires(this, 'smollm2', existsSync(smollm2File));
  });

  it('opens with its tensors in blocks', async () => {
    const model = await openGguf(smollm2File);
    expect(model.config).to.deep.include({
      vocabSize: 49152,
      layers: 30,
      heads: 9,
      kvHeads: 3,
      headSize: 64,
      tiedEmbeddings: true,
    });
    expect([model.unused, model.notes, model.license?.name]).to.deep.equal([[], [], 'apache-2.0']);
    expect(model.task).to.deep.equal({ kind: 'generate', output: 'logits', vocabulary: 49152, endIds: [2, 0], chat: true });
    expect(model.tensors.info('model.embed_tokens.weight')).to.deep.equal({
      storage: 'F16',
      shape: [49152, 576],
      format: { bits: 8, block: 32, signed: true, minima: false },
    });
    expect(model.tensors.info('model.layers.29.self_attn.k_proj.weight')).to.deep.equal({
      storage: 'F16',
      shape: [192, 576],
      format: { bits: 4, block: 32, signed: false, minima: true },
    });
  });

  it("gives the token ids of Hugging Face's tokenizer", async function () {
    const golden = sharedFile(this, 'golden', 'tokenizers.json');
    const { tokenizer } = await openGguf(smollm2File);
    if (tokenizer === null) throw new Error('There is no tokenizer.');
    const encoder = new TextTokenizer(tokenizer.json, tokenizer.config, Infinity);
    const { items } = JSON.parse(await readFile(golden, 'utf8')) as {
      readonly items: readonly { readonly text: string; readonly smollm2: readonly number[] }[];
    };
    expect(items).to.have.length(200);
    for (const { text, smollm2 } of items) expect(encoder.encode(text).ids, text).to.deep.equal(smollm2);
  });
});
