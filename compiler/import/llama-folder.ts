/** A folder of a Llama checkpoint. */
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import type { Task } from '../../runtime/format/manifest.ts';
import { readJson, readTextIfThere } from '../schema/json.ts';
import { tokenIdList, validateGenerationConfig, validateLlamaConfig, type LlamaConfigFile } from '../schema/llama-config.ts';
import { contextNotes, type ContextOptions } from './context-length.ts';
import type { Imported } from './imported-model.ts';
import { canonicalLlamaTensors, llamaConfig, llamaParameterNames } from './llama-checkpoint.ts';
import type { ModelFolder } from './model-folder.ts';
import { readTokenizer, type ImportedTokenizer } from './tokenizer-files.ts';

export async function openLlama(folder: ModelFolder, options: ContextOptions): Promise<Imported<'llama'>> {
  const { inner, configFile } = folder;
  if (folder.sentence !== null) {
    throw new AtpcError(
      'ATPC-203',
      `${configFile} is of a model that generates text, and modules.json beside it pools a BertModel: they are not of one model.`,
    );
  }
  const raw = validateLlamaConfig(configFile, folder.config);
  const config = llamaConfig(configFile, raw, options);
  const { vocabSize, trainedLength, maxLength } = config;
  const checkpoint = await folder.openTensors();
  const tensors = canonicalLlamaTensors(checkpoint.tensors);
  const tokenizer = await readTokenizer(inner, {
    vocabSize,
    maxPositions: maxLength,
    // A prompt may be as long as a session, whatever model_max_length says.
    maxSequence: maxLength,
    lowerCase: false,
    padId: raw.pad_token_id ?? null,
  });
  const ends = await endIdsOf(folder, raw, vocabSize);
  const needed = new Set(llamaParameterNames(config));
  return {
    family: 'llama',
    name: folder.name,
    folder: folder.path,
    config,
    tensors,
    tokenizer,
    task: generationTask(vocabSize, ends.ids, tokenizer),
    atpBlock: null,
    context: { trainedLength, maxLength },
    license: folder.license,
    unused: tensors.names().filter((name) => !needed.has(name)),
    notes: [
      ...contextNotes(trainedLength, maxLength),
      ...(tokenizer === null ? ['The folder has no tokenizer.json: the package takes token ids, and no text.'] : []),
    ],
    files: [configFile, ...checkpoint.files, ...ends.files, ...(tokenizer === null ? [] : tokenizer.files)],
  };
}

/** What a model with this tokenizer can do; without one it goes on from token ids, and refuses text. */
export function generationTask(vocabulary: number, endIds: readonly number[], tokenizer: ImportedTokenizer | null): Task {
  const chat = typeof tokenizer?.config['chat_template'] === 'string';
  return { kind: 'generate', output: 'logits', vocabulary, endIds, chat };
}

/** generation_config.json says what ends a text, and config.json where it says nothing, as in transformers. */
async function endIdsOf(
  { inner, configFile }: ModelFolder,
  raw: LlamaConfigFile,
  vocabSize: number,
): Promise<{ readonly ids: readonly number[]; readonly files: readonly string[] }> {
  const file = path.join(inner, 'generation_config.json');
  const isThere = (await readTextIfThere(file)) !== null;
  const generation = isThere ? tokenIdList((await readJson(file, validateGenerationConfig, 'ATPC-202')).eos_token_id) : [];
  const ids = generation.length > 0 ? generation : tokenIdList(raw.eos_token_id);
  const foreign = ids.find((id) => id >= vocabSize);
  if (foreign !== undefined) {
    throw new AtpcError(
      'ATPC-202',
      `${generation.length > 0 ? file : configFile} has the eos_token_id ${foreign}, and the vocabulary has ${vocabSize} tokens.`,
    );
  }
  return { ids: [...new Set(ids)].sort((a, b) => a - b), files: isThere ? [file] : [] };
}
