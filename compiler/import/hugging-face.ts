/** A Hugging Face folder as a model: its architecture decides which family reads it. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import { parseJsonFile, readBytes, unreadable } from '../schema/json.ts';
import { absentTensors, declaredStorage } from './absent-weights.ts';
import { bertArchitectures } from './bert-checkpoint.ts';
import { openBert } from './bert-folder.ts';
import { hasCheckpointTensors, openCheckpointTensors } from './checkpoint-tensors.ts';
import { refuseContextOptions, type ContextOptions } from './context-length.ts';
import type { ImportedModel } from './imported-model.ts';
import { readLicense } from './license.ts';
import { llamaArchitectures } from './llama-checkpoint.ts';
import { openLlama } from './llama-folder.ts';
import type { ModelFolder } from './model-folder.ts';
import { openSentenceTransformer } from './sentence-transformers.ts';

/** The classes of transformers whose checkpoints are read: a row a class. */
const architectures = [
  ...bertArchitectures.map((name) => ({
    name,
    open: async (folder: ModelFolder, options: ContextOptions): Promise<ImportedModel> => {
      refuseContextOptions(folder.path, options);
      return await openBert(folder, name);
    },
  })),
  ...llamaArchitectures.map((name) => ({ name, open: openLlama })),
] as const;

export interface FolderOptions extends ContextOptions {
  /** Only the shapes of the weights are of interest: a folder without them is taken as well. */
  readonly shapesOnly?: boolean;
}

/**
 * Opens a folder; reads headers and configuration, no weights. Throws ATPC-201 (not there), ATPC-202 (configuration),
 * ATPC-203 (architecture), ATPC-204 and ATPC-208 (weight files), ATPC-209 (tokenizer), ATPC-301 (options).
 */
export async function openHuggingFace(
  folder: string,
  { shapesOnly = false, ...options }: FolderOptions = {},
): Promise<ImportedModel> {
  await requireFolder(folder);
  const sentence = await openSentenceTransformer(folder);
  const inner = sentence?.folder ?? folder;
  const configFile = path.join(inner, 'config.json');
  const config = parseJsonFile(configFile, await readBytes(configFile), 'ATPC-202');
  if (typeof config !== 'object' || config === null)
    throw new AtpcError('ATPC-202', `${configFile} is not valid: it must be an object.`);
  const architecture = architectureOf(configFile, config);
  const name = path.basename(path.resolve(folder));
  const absent = shapesOnly && !(await hasCheckpointTensors(inner));
  const openTensors: ModelFolder['openTensors'] = async () =>
    absent ? { tensors: absentTensors, files: [] } : await openCheckpointTensors(inner);
  const license = await readLicense(folder);
  const imported = await architecture.open(
    { path: folder, name, inner, configFile, config, sentence, license, openTensors },
    options,
  );
  return absent ? { ...imported, absentStorage: declaredStorage(config) } : imported;
}

/** The one architecture that config.json names, if it is known; throws ATPC-203. */
function architectureOf(
  file: string,
  config: { readonly architectures?: unknown; readonly model_type?: unknown },
): (typeof architectures)[number] {
  const names = Array.isArray(config.architectures) ? config.architectures.map(String) : [];
  const [name] = names;
  const known = architectures.find((architecture) => architecture.name === name);
  if (known !== undefined && names.length === 1) return known;
  const sentence =
    name === undefined
      ? `${file} names no architecture (model_type is ${JSON.stringify(config.model_type ?? null)}).`
      : names.length > 1
        ? `${file} names ${names.length} architectures (${names.join(', ')}), and one is needed.`
        : `${file} names the architecture '${name}', which is not known.`;
  throw new AtpcError('ATPC-203', sentence, {
    hint: `Known architectures: ${architectures.map((architecture) => architecture.name).join(', ')}.`,
  });
}

async function requireFolder(folder: string): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(folder)).isDirectory();
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  if (!isFolder) throw new AtpcError('ATPC-201', `${folder} is a file, and a folder with config.json is needed.`);
}
