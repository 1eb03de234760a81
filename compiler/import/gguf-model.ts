/** A GGUF file as a model: configuration, tensors under canonical names, tokenizer, task, licence. */
import path from 'node:path';
import { contextLength, contextNotes, type ContextOptions } from './context-length.ts';
import { GgufFile } from './gguf.ts';
import { readGgufTokenizer } from './gguf-tokenizer.ts';
import type { Imported } from './imported-model.ts';
import { readLicense, type ModelLicense } from './license.ts';
import { readLlamaGguf } from './llama-gguf.ts';

/**
 * Opens a GGUF file, or the first part of a split one; reads headers, no weights. Throws ATPC-201 (not there), ATPC-202
 * (metadata), ATPC-203 (architecture), ATPC-205 to ATPC-207 (tensors), ATPC-209 (tokenizer) and ATPC-210 (damaged).
 */
export async function openGguf(location: string, options: ContextOptions = {}): Promise<Imported<'llama'>> {
  const file = await GgufFile.open(location);
  const { config, tensors, unused } = await readLlamaGguf(file, options.maxLength);
  const { trainedLength, maxLength } = config;
  contextLength(trainedLength, options);
  const { tokenizer, endIds, chat, notes } = readGgufTokenizer(file.metadata, config);
  const folder = path.dirname(location);
  return {
    family: 'llama',
    name: path.basename(location).replace(/(-\d{5}-of-\d{5})?\.gguf$/, ''),
    folder,
    config,
    tensors,
    tokenizer,
    // Without a tokenizer it goes on from token ids, and refuses text.
    task: { kind: 'generate', output: 'logits', vocabulary: config.vocabSize, endIds, chat },
    atpBlock: null,
    context: { trainedLength, maxLength },
    license: await licenseOf(file, folder),
    unused,
    notes: [...contextNotes(trainedLength, maxLength), ...notes],
    files: file.files,
  };
}

/** What the metadata names, with the text that lies beside the file; else what a model card beside it names. */
async function licenseOf({ metadata }: GgufFile, folder: string): Promise<ModelLicense | null> {
  const beside = await readLicense(folder);
  const name = metadata.text('general.license') ?? beside?.name ?? null;
  return name === null && beside === null ? null : { name, text: beside?.text ?? null };
}
