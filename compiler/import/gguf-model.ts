/** A GGUF file as a model: configuration, tensors under canonical names, tokenizer, task, licence. */
import path from 'node:path';
import type { Task } from '../../runtime/format/manifest.ts';
import type { LlamaConfig } from '../families/llama-config.ts';
import type { TensorSource } from '../weights/tensor-source.ts';
import { GgufFile } from './gguf.ts';
import { readGgufTokenizer } from './gguf-tokenizer.ts';
import { readLicense, type ModelLicense } from './license.ts';
import { readLlamaGguf } from './llama-gguf.ts';
import type { ImportedTokenizer } from './tokenizer-files.ts';

export interface GgufModel {
  readonly family: 'llama';
  /** Name of the file, without its ending and the number of a part. */
  readonly name: string;
  readonly folder: string;
  readonly config: LlamaConfig;
  /** Under the names of Hugging Face's LlamaForCausalLM, with rows in its order; matrices in blocks stay in blocks. */
  readonly tensors: TensorSource;
  /** Null where the metadata has no tokenizer, or one that is not known: such a model takes tensors only. */
  readonly tokenizer: ImportedTokenizer | null;
  readonly task: Task;
  readonly license: ModelLicense | null;
  readonly unused: readonly string[];
  readonly notes: readonly string[];
  readonly files: readonly string[];
}

export interface GgufOptions {
  /** Tokens that a session can hold; default: the positions that the model was trained for. */
  readonly maxLength?: number;
}

/**
 * Opens a GGUF file, or the first part of a split one; reads headers, no weights. Throws ATPC-201 (not there), ATPC-202
 * (metadata), ATPC-203 (architecture), ATPC-205 to ATPC-207 (tensors), ATPC-209 (tokenizer) and ATPC-210 (damaged).
 */
export async function openGguf(location: string, options: GgufOptions = {}): Promise<GgufModel> {
  const file = await GgufFile.open(location);
  const { config, tensors, unused } = await readLlamaGguf(file, options.maxLength);
  const { tokenizer, endIds, chat, notes } = readGgufTokenizer(file.metadata, config);
  const folder = path.dirname(location);
  return {
    family: 'llama',
    name: path.basename(location).replace(/(-\d{5}-of-\d{5})?\.gguf$/, ''),
    folder,
    config,
    tensors,
    tokenizer,
    task:
      tokenizer === null
        ? { kind: 'tensors' }
        : { kind: 'generate', output: 'logits', vocabulary: config.vocabSize, endIds, chat },
    license: await licenseOf(file, folder),
    unused,
    notes,
    files: file.files,
  };
}

/** What the metadata names, with the text that lies beside the file; else what a model card beside it names. */
async function licenseOf({ metadata }: GgufFile, folder: string): Promise<ModelLicense | null> {
  const beside = await readLicense(folder);
  const name = metadata.text('general.license') ?? beside?.name ?? null;
  return name === null && beside === null ? null : { name, text: beside?.text ?? null };
}
