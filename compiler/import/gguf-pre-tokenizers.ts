/**
 * How texts are cut before byte-level BPE, by the name in tokenizer.ggml.pre. The names and what each stands for are llama.cpp's (src/llama-vocab.cpp,
 * commit 00ad355); a pattern is that of the tokenizer.json which the name was made for, where llama.cpp quotes it.
 */
export interface PreTokenizer {
  /** Applied one after the other, each to the pieces of the one before; what a pattern does not match is a piece too. */
  readonly patterns: readonly string[];
  /** A piece that is a token as a whole is taken as it is, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
  /** Whether a text begins with the bos token where the metadata does not say. */
  readonly addBos: boolean;
}

const contractions = "'s|'t|'re|'ve|'m|'ll|'d";
const spaces = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const gpt2 = String.raw`${contractions}| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
/** The pattern of GPT-4's tokenizer with at most so many digits in a piece. */
const gpt4 = (digits: string): string =>
  String.raw`(?i:${contractions})|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${spaces}`;
const upper = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const lower = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
/** Words are cut before capitals. */
const cased = (suffix: string, digits: string): string =>
  String.raw`[^\r\n\p{L}\p{N}]?${upper}*${lower}+${suffix}|[^\r\n\p{L}\p{N}]?${upper}+${lower}*${suffix}|${digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${spaces}`;

const digit = String.raw`\p{N}`;
const upToThree = String.raw`\p{N}{1,3}`;
const plain = { ignoreMerges: false, addBos: false };

const families: readonly (PreTokenizer & { readonly names: readonly string[] })[] = [
  {
    names: ['default'],
    patterns: [String.raw`[\p{P}\$\+<=>\^~\|]+`, gpt2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'],
    ...plain,
  },
  { names: ['falcon'], patterns: [String.raw`[\p{P}\$\+<=>\^~\|\x60]+`, gpt2, '[0-9][0-9][0-9]'], ...plain },
  {
    names: ['gpt-2', 'phi-2', 'mpt', 'olmo', 'jais', 'gigachat', 'a.x-4.0', 'mellum', 'modern-bert', 'exaone4', 'trillion'],
    patterns: [gpt2],
    ...plain,
  },
  {
    names: ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'],
    patterns: [digit, gpt2],
    ...plain,
  },
  {
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'pixtral', 'midm-2.0', 'lfm2'],
    patterns: [gpt4(upToThree)],
    ignoreMerges: true,
    addBos: true,
  },
  { names: ['dbrx', 'smaug-bpe', 'glm4', 'chatglm-bpe'], patterns: [gpt4(upToThree)], ...plain },
  {
    names: ['qwen2', 'stablelm2', 'deepseek-r1-qwen', 'kormo', 'megrez', 'hunyuan', 'solar-open', 'grok-2'],
    patterns: [gpt4(digit)],
    ...plain,
  },
  { names: ['tekken'], patterns: [cased('', digit)], ignoreMerges: true, addBos: true },
  { names: ['gpt-4o', 'llama4', 'kanana2'], patterns: [cased(`(?i:${contractions})?`, upToThree)], ...plain },
];

export const preTokenizers: ReadonlyMap<string, PreTokenizer> = new Map(
  families.flatMap(({ names, ...preTokenizer }) => names.map((name) => [name, preTokenizer] as const)),
);
