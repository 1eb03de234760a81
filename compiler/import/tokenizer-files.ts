/** tokenizer.json and tokenizer_config.json of a model folder. */
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { TextTokenizer } from '../../runtime/tokenizer.ts';
import { parseJsonFile, readBytes, readTextIfThere } from '../schema/json.ts';
import { validateTokenizer, validateTokenizerConfig, type TokenizerConfigFile, type TokenizerFile } from '../schema/tokenizer.ts';

export interface ImportedTokenizer {
  /** tokenizer.json, with truncation and padding off: those are left-overs of training, and cut or pad to a fixed length. */
  readonly json: Readonly<Record<string, unknown>>;
  /** tokenizer_config.json; empty where the folder has none. Its chat_template, if any, is one text. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Longest input in token ids, special tokens counted. */
  readonly maxLength: number;
  readonly padId: number;
  /** The files that were read. */
  readonly files: readonly string[];
}

export interface TokenizerLimits {
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** Of sentence_bert_config.json, which binds before tokenizer_config.json; null where it says nothing. */
  readonly maxSequence: number | null;
  /** Texts are lower-cased before they are tokenized. */
  readonly lowerCase: boolean;
  /** pad_token_id of config.json. */
  readonly padId: number | null;
}

/** Null where the folder has no tokenizer.json. Throws ATPC-209 for one that is damaged or not supported. */
export async function readTokenizer(folder: string, limits: TokenizerLimits): Promise<ImportedTokenizer | null> {
  const file = path.join(folder, 'tokenizer.json');
  if ((await readTextIfThere(file)) === null) return null;
  const invalid = (fault: string): AtpcError => new AtpcError('ATPC-209', `${file} is not valid: ${fault}.`);
  const value = parseJsonFile(file, await readBytes(file), 'ATPC-209');
  const tokenizer = validateTokenizer(value, invalid);
  refuseForeignIds(file, tokenizer, limits.vocabSize);
  if (limits.lowerCase && !lowerCases(tokenizer.normalizer)) {
    throw new AtpcError(
      'ATPC-209',
      `sentence_bert_config.json in ${folder} has do_lower_case true, and the normalizer of ${file} does not lower-case.`,
    );
  }
  const configFile = path.join(folder, 'tokenizer_config.json');
  const hasConfig = (await readTextIfThere(configFile)) !== null;
  const config = hasConfig ? parseJsonFile(configFile, await readBytes(configFile), 'ATPC-209') : {};
  const known = validateTokenizerConfig(config, (fault) => new AtpcError('ATPC-209', `${configFile} is not valid: ${fault}.`));
  const json = { ...tokenizer, truncation: null, padding: null };
  refuseUnsupported(file, json, known);
  const { chat_template: templates, ...rest } = known;
  const template = await chatTemplate(folder, templates);
  return {
    json,
    config: { ...rest, ...(template === null ? {} : { chat_template: template.text }) },
    maxLength: Math.min(limits.maxSequence ?? known.model_max_length ?? limits.maxPositions, limits.maxPositions),
    padId: padIdOf(tokenizer, known) ?? limits.padId ?? 0,
    files: [file, ...(hasConfig ? [configFile] : []), ...(template?.file === undefined ? [] : [template.file])],
  };
}

/**
 * The template of chats: chat_template.jinja, which newer versions of transformers write, before the one in
 * tokenizer_config.json; of several the one named `default`, which transformers takes unless told otherwise.
 */
async function chatTemplate(
  folder: string,
  templates: TokenizerConfigFile['chat_template'],
): Promise<{ readonly text: string; readonly file?: string } | null> {
  const file = path.join(folder, 'chat_template.jinja');
  const text = await readTextIfThere(file);
  if (text !== null) return { text, file };
  const known = typeof templates === 'string' ? templates : templates?.find(({ name }) => name === 'default')?.template;
  return known === undefined ? null : { text: known };
}

/** Every id that the tokenizer can give must be a row of the embedding. */
function refuseForeignIds(file: string, tokenizer: TokenizerFile, vocabSize: number): void {
  const { vocab } = tokenizer.model;
  const tokens = isList(vocab) ? [['the last one', vocab.length - 1] as const] : Object.entries(vocab);
  const added = (tokenizer.added_tokens ?? []).map(({ content, id }) => [content, id] as const);
  for (const [token, id] of [...tokens, ...added]) {
    if (id < vocabSize) continue;
    throw new AtpcError(
      'ATPC-209',
      `${file} gives the token '${token}' the id ${id}, and config.json has vocab_size ${vocabSize}: they are not of one model.`,
    );
  }
}

function lowerCases(normalizer: TokenizerFile['normalizer']): boolean {
  if (!normalizer) return false;
  const parts = normalizer['normalizers'];
  if (Array.isArray(parts)) return parts.some((part: TokenizerFile['normalizer']) => lowerCases(part));
  return normalizer['type'] === 'Lowercase' || normalizer['lowercase'] === true;
}

/** Builds the package's tokenizer and uses it once: a part that it does not know shows here and not in the package. */
function refuseUnsupported(file: string, json: object, config: object): void {
  try {
    new TextTokenizer(json, config, 512).encode('One text, 2 tokens.');
  } catch (cause) {
    const fault: unknown = cause instanceof AtpcError ? cause.cause : cause;
    const reason = fault instanceof Error ? fault.message : String(fault);
    throw new AtpcError('ATPC-209', `${file} cannot be used: ${reason.replace(/\.$/, '')}.`, { cause });
  }
}

function padIdOf(tokenizer: TokenizerFile, { pad_token: token }: TokenizerConfigFile): number | undefined {
  const content = typeof token === 'object' ? token?.content : token;
  if (content === undefined) return undefined;
  const added = tokenizer.added_tokens?.find((candidate) => candidate.content === content);
  const { vocab } = tokenizer.model;
  if (added !== undefined || isList(vocab)) return added?.id;
  return Object.hasOwn(vocab, content) ? vocab[content] : undefined;
}

function isList(vocab: TokenizerFile['model']['vocab']): vocab is readonly unknown[] {
  return Array.isArray(vocab);
}
