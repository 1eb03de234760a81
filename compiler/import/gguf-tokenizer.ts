/**
 * The tokenizer and chat template in the metadata of a GGUF file, as the tokenizer.json and tokenizer_config.json that
 * Hugging Face's libraries read. Two kinds: `gpt2`, byte-level BPE, and `llama`, SentencePiece's BPE with byte fallback.
 */
import { AtpcError } from '../../runtime/errors.ts';
import { TextTokenizer } from '../../runtime/tokenizer.ts';
import type { GgufMetadata } from './gguf-metadata.ts';
import { preTokenizers } from './gguf-pre-tokenizers.ts';
import type { ImportedTokenizer } from './tokenizer-files.ts';

export interface GgufTokenizer {
  /** Null where the metadata has none, or one of a kind that is not known: a note says so. */
  readonly tokenizer: ImportedTokenizer | null;
  /** Tokens that end an answer. */
  readonly endIds: readonly number[];
  readonly chat: boolean;
  readonly notes: readonly string[];
}

export interface GgufTokenizerLimits {
  /** Rows of the embedding. */
  readonly vocabSize: number;
  readonly maxLength: number;
}

/** Values of tokenizer.ggml.token_type (enum llama_token_type). */
const tokenTypes = { unknown: 2, control: 3, userDefined: 4, byte: 6 } as const;

/** Control tokens that end a turn or a text in llama.cpp too, whether the metadata names them or not. */
const endTokens: ReadonlySet<string> = new Set([
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|end_of_text|>',
]);

/** Throws ATPC-209 for a vocabulary that is damaged, and ATPC-202 for metadata of another type than it should have. */
export function readGgufTokenizer(metadata: GgufMetadata, limits: GgufTokenizerLimits): GgufTokenizer {
  const model = metadata.text('tokenizer.ggml.model');
  const tensorsOnly = (note: string): GgufTokenizer => ({ tokenizer: null, endIds: [], chat: false, notes: [note] });
  if (model === undefined || model === 'no_vocab')
    return tensorsOnly(`${metadata.file} has no tokenizer: the package takes token ids, and no text.`);
  if (!Object.hasOwn(builders, model))
    return tensorsOnly(
      `${metadata.file} has a tokenizer of the kind '${model}', which is not known: the package takes token ids, and no text.`,
    );
  // llama.cpp takes the same where the metadata does not say.
  const pre = metadata.text('tokenizer.ggml.pre') ?? 'default';
  if (model === 'gpt2' && !preTokenizers.has(pre))
    return tensorsOnly(
      `${metadata.file} cuts texts by the rules '${pre}', which are not known: the package takes token ids, and no text.`,
    );

  const vocabulary = readVocabulary(metadata, limits.vocabSize);
  const parts = builders[model as keyof typeof builders](metadata, vocabulary);
  const special = specialTokens(metadata, vocabulary, parts.addBos);
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(vocabulary),
    normalizer: parts.normalizer,
    pre_tokenizer: parts.preTokenizer,
    post_processor: postProcessor(special),
    decoder: parts.decoder,
    model: parts.model,
  };
  const config = tokenizerConfig(metadata, special, limits.maxLength);
  refuseUnusable(metadata.file, json, config);
  return {
    tokenizer: {
      json,
      config,
      maxLength: limits.maxLength,
      padId: special.pad?.id ?? special.eos?.id ?? 0,
      files: [metadata.file],
    },
    endIds: endIds(metadata, vocabulary, special),
    chat: config['chat_template'] !== undefined,
    notes:
      metadata.has('tokenizer.ggml.pre') || model !== 'gpt2'
        ? []
        : [`${metadata.file} does not say by which rules texts are cut: those of 'default' are used, as llama.cpp does.`],
  };
}

/** Real ones have some hundred characters at most; merges are found by cutting tokens everywhere. */
const maxTokenLength = 4096;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly ids: ReadonlyMap<string, number>;
  /** Of each token; empty where the metadata has none. */
  readonly types: Float64Array;
}

function damaged(metadata: GgufMetadata, fault: string): AtpcError {
  return new AtpcError('ATPC-209', `The tokenizer of ${metadata.file} is damaged: ${fault}.`);
}

function readVocabulary(metadata: GgufMetadata, vocabSize: number): Vocabulary {
  const tokens = metadata.required('tokenizer.ggml.tokens', metadata.texts('tokenizer.ggml.tokens'));
  if (tokens.length > vocabSize)
    throw damaged(metadata, `it has ${tokens.length} tokens, and the embedding has ${vocabSize} rows`);
  const types = metadata.numbers('tokenizer.ggml.token_type') ?? new Float64Array(0);
  if (types.length !== 0 && types.length !== tokens.length)
    throw damaged(metadata, `it has ${tokens.length} tokens and ${types.length} types of tokens`);
  const ids = new Map<string, number>();
  // An empty token can never come out of a text, and llama.cpp names it apart too.
  const named = tokens.map((token, id) => (token === '' ? `[EMPTY_${id}]` : token));
  for (const [id, token] of named.entries()) {
    if (token.length > maxTokenLength) throw damaged(metadata, `the token ${id} has ${token.length} characters`);
    const other = ids.get(token);
    if (other !== undefined) throw damaged(metadata, `the token '${token}' has the ids ${other} and ${id}`);
    ids.set(token, id);
  }
  return { tokens: named, ids, types };
}

interface TokenizerParts {
  readonly normalizer: object | null;
  readonly preTokenizer: object | null;
  readonly decoder: object;
  readonly model: object;
  /** Where the metadata does not say. */
  readonly addBos: boolean;
}

/** By tokenizer.ggml.model. */
const builders = { gpt2: byteLevelParts, llama: sentencePieceParts } as const;

const bpeDefaults = { type: 'BPE', dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null };

function byteLevelParts(metadata: GgufMetadata, { ids }: Vocabulary): TokenizerParts {
  const pre = metadata.text('tokenizer.ggml.pre') ?? 'default';
  const rules = preTokenizers.get(pre);
  if (rules === undefined) throw new RangeError('Checked before: the rules are known.');
  const merges = metadata.required('tokenizer.ggml.merges', metadata.texts('tokenizer.ggml.merges'));
  for (const [index, merge] of merges.entries()) {
    const [left, right, ...more] = merge.split(' ');
    if (left === undefined || right === undefined || left === '' || right === '' || more.length > 0)
      throw damaged(metadata, `merge ${index}, '${merge}', is not two tokens`);
    const missing = [left, right, left + right].find((token) => !ids.has(token));
    if (missing !== undefined)
      throw damaged(metadata, `merge ${index}, '${merge}', needs the token '${missing}', which it does not have`);
  }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  return {
    normalizer: null,
    preTokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...rules.patterns.map((pattern) => ({ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false })),
        byteLevel,
      ],
    },
    decoder: byteLevel,
    model: {
      ...bpeDefaults,
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: rules.ignoreMerges,
      vocab: Object.fromEntries(ids),
      merges,
    },
    addBos: rules.addBos,
  };
}

/** What SentencePiece writes for a space. */
const metaspace = '\u2581';

function sentencePieceParts(metadata: GgufMetadata, vocabulary: Vocabulary): TokenizerParts {
  const { tokens, ids, types } = vocabulary;
  const scores = metadata.required('tokenizer.ggml.scores', metadata.numbers('tokenizer.ggml.scores'));
  if (scores.length !== tokens.length) throw damaged(metadata, `it has ${tokens.length} tokens and ${scores.length} scores`);
  const prefixes = metadata.flag('tokenizer.ggml.add_space_prefix') ?? true;
  const unknown =
    tokens.find((_, id) => types[id] === tokenTypes.unknown) ?? tokens[metadata.integer('tokenizer.ggml.unknown_token_id') ?? 0];
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: metaspace };
  return {
    normalizer: { type: 'Sequence', normalizers: [...(prefixes ? [{ type: 'Prepend', prepend: metaspace }] : []), replace] },
    preTokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: metaspace }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefixes ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      ...bpeDefaults,
      unk_token: unknown ?? null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges: mergesByScore(vocabulary, scores),
    },
    addBos: true,
  };
}

/**
 * SentencePiece joins, again and again, the two neighbours whose union is the token of the highest score. As merges by rank: every way
 * to cut a token into two tokens, in the order of falling scores (transformers' generate_merges does the same).
 */
function mergesByScore({ tokens, ids, types }: Vocabulary, scores: Float64Array): readonly string[] {
  const joins = (id: number): boolean => {
    const type = types[id];
    return (
      type !== tokenTypes.control && type !== tokenTypes.byte && type !== tokenTypes.unknown && type !== tokenTypes.userDefined
    );
  };
  const merges: { readonly left: string; readonly right: string; readonly score: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    // A merge is written with a space between its parts.
    if (!joins(id) || token.includes(' ')) continue;
    for (let cut = 1; cut < token.length; cut += 1) {
      const left = token.slice(0, cut);
      const right = token.slice(cut);
      const [leftId, rightId] = [ids.get(left), ids.get(right)];
      if (leftId !== undefined && rightId !== undefined && joins(leftId) && joins(rightId))
        merges.push({ left, right, score: scores[id] as number });
    }
  }
  // Equal scores keep the order of the vocabulary: the sort is stable.
  return merges.sort((a, b) => b.score - a.score).map(({ left, right }) => `${left} ${right}`);
}

function addedTokens({ tokens, types }: Vocabulary): readonly object[] {
  return [...types.entries()].flatMap(([id, type]) => {
    if (type !== tokenTypes.control && type !== tokenTypes.userDefined && type !== tokenTypes.unknown) return [];
    return [
      {
        id,
        content: tokens[id],
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: type !== tokenTypes.userDefined,
      },
    ];
  });
}

interface SpecialToken {
  readonly id: number;
  readonly content: string;
}
interface SpecialTokens {
  readonly bos: SpecialToken | undefined;
  readonly eos: SpecialToken | undefined;
  readonly unknown: SpecialToken | undefined;
  readonly pad: SpecialToken | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
}

function specialTokens(metadata: GgufMetadata, { tokens }: Vocabulary, addBos: boolean): SpecialTokens {
  const token = (kind: string): SpecialToken | undefined => {
    const id = metadata.integer(`tokenizer.ggml.${kind}_token_id`);
    if (id === undefined) return undefined;
    const content = tokens[id];
    if (content === undefined) throw damaged(metadata, `its ${kind} token is ${id}, and it has ${tokens.length} tokens`);
    return { id, content };
  };
  const special = { bos: token('bos'), eos: token('eos'), unknown: token('unknown'), pad: token('padding') };
  const given = { addBos: metadata.flag('tokenizer.ggml.add_bos_token'), addEos: metadata.flag('tokenizer.ggml.add_eos_token') };
  for (const [kind, asked, known] of [
    ['bos', given.addBos, special.bos],
    ['eos', given.addEos, special.eos],
  ] as const) {
    if (asked === true && known === undefined)
      throw damaged(metadata, `it adds the ${kind} token, and does not say which that is`);
  }
  return { ...special, addBos: (given.addBos ?? addBos) && special.bos !== undefined, addEos: given.addEos === true };
}

function postProcessor({ bos, eos, addBos, addEos }: SpecialTokens): object | null {
  const before = addBos && bos !== undefined ? [bos] : [];
  const after = addEos && eos !== undefined ? [eos] : [];
  if (before.length + after.length === 0) return null;
  const sequence = (id: 'A' | 'B', type: number): object[] => [
    ...before.map(({ content }) => ({ SpecialToken: { id: content, type_id: type } })),
    { Sequence: { id, type_id: type } },
    ...after.map(({ content }) => ({ SpecialToken: { id: content, type_id: type } })),
  ];
  return {
    type: 'TemplateProcessing',
    single: sequence('A', 0),
    pair: [...sequence('A', 0), ...sequence('B', 1)],
    special_tokens: Object.fromEntries(
      [...before, ...after].map(({ id, content }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  };
}

function tokenizerConfig(metadata: GgufMetadata, special: SpecialTokens, maxLength: number): Readonly<Record<string, unknown>> {
  const { bos, eos, unknown, pad, addBos, addEos } = special;
  const template = metadata.text('tokenizer.chat_template');
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    ...(bos && { bos_token: bos.content }),
    ...(eos && { eos_token: eos.content }),
    ...(unknown && { unk_token: unknown.content }),
    ...(pad && { pad_token: pad.content }),
    add_bos_token: addBos,
    add_eos_token: addEos,
    // A generated text is to come out as it was generated.
    clean_up_tokenization_spaces: false,
    model_max_length: maxLength,
    ...(template !== undefined && { chat_template: template }),
  };
}

function endIds(metadata: GgufMetadata, { tokens, types }: Vocabulary, { eos }: SpecialTokens): readonly number[] {
  const named = ['eot', 'eom'].flatMap((kind) => {
    const id = metadata.integer(`tokenizer.ggml.${kind}_token_id`);
    return id !== undefined && id < tokens.length ? [id] : [];
  });
  const known = [...types.entries()].flatMap(([id, type]) =>
    type === tokenTypes.control && endTokens.has(tokens[id] ?? '') ? [id] : [],
  );
  return [...new Set([...(eos ? [eos.id] : []), ...named, ...known])];
}

/** Builds the package's tokenizer and uses it once: what it cannot read shows here and not in the package. */
function refuseUnusable(file: string, json: object, config: object): void {
  try {
    new TextTokenizer(json, config, 512).encode('One text, 2 tokens.');
  } catch (cause) {
    const fault: unknown = cause instanceof AtpcError ? cause.cause : cause;
    const reason = fault instanceof Error ? fault.message : String(fault);
    throw new AtpcError('ATPC-209', `The tokenizer of ${file} cannot be used: ${reason.replace(/\.$/, '')}.`, { cause });
  }
}
