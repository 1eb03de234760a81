/** A folder of a BERT checkpoint, alone or with the modules of sentence-transformers around it. */
import { AtpcError } from '../../runtime/errors.ts';
import type { Task } from '../../runtime/format/manifest.ts';
import type { BertConfig, BertHead } from '../families/bert-config.ts';
import { validateBertConfig, type BertConfigFile } from '../schema/bert-config.ts';
import {
  atpBlock,
  bertConfig,
  bertLabels,
  bertParameterNames,
  canonicalBertTensors,
  type BertArchitecture,
} from './bert-checkpoint.ts';
import type { Imported } from './imported-model.ts';
import type { ModelFolder } from './model-folder.ts';
import { readSentenceLimits, type SentenceTransformer } from './sentence-transformers.ts';
import { readTokenizer, type ImportedTokenizer } from './tokenizer-files.ts';

/** Tensors by canonical name: no `bert.` prefix, LayerNorm.weight and LayerNorm.bias, no buffers. */
export async function openBert(folder: ModelFolder, architecture: BertArchitecture): Promise<Imported<'bert'>> {
  const { inner, configFile, sentence } = folder;
  const raw = validateBertConfig(configFile, folder.config);
  const base = bertConfig(configFile, raw, headOf(configFile, raw, architecture, sentence));
  const checkpoint = await folder.openTensors();
  const tensors = canonicalBertTensors(checkpoint.tensors);
  // transformers' BertModel gives pooler_output too; checkpoints of other classes were saved without its weights.
  const config = base.head.kind === 'hidden' && tensors.has('pooler.dense.weight') ? { ...base, pooler: true } : base;

  const limits = await readSentenceLimits(inner);
  const tokenizer = await readTokenizer(inner, {
    vocabSize: config.vocabSize,
    maxPositions: config.maxPositions,
    maxSequence: limits?.maxLength ?? null,
    lowerCase: limits?.lowerCase ?? false,
    padId: raw.pad_token_id ?? null,
  });
  const needed = new Set(bertParameterNames(config));
  const { task, notes } = taskOf(config, raw, tokenizer);
  return {
    family: 'bert',
    name: folder.name,
    folder: folder.path,
    config,
    tensors,
    tokenizer,
    task,
    atpBlock: atpBlock(configFile, raw.atp, config.layers),
    context: null,
    license: folder.license,
    unused: tensors.names().filter((name) => !needed.has(name)),
    notes: [...(sentence?.notes ?? []), ...notes],
    files: [
      configFile,
      ...checkpoint.files,
      ...(sentence?.files ?? []),
      ...(limits === null ? [] : [limits.file]),
      ...(tokenizer === null ? [] : tokenizer.files),
    ],
  };
}

function headOf(
  file: string,
  raw: BertConfigFile,
  architecture: BertArchitecture,
  sentence: SentenceTransformer | null,
): BertHead {
  if (sentence === null) {
    return architecture === 'BertModel' ? { kind: 'hidden' } : { kind: 'classify', labels: bertLabels(file, raw) };
  }
  if (architecture !== 'BertModel') {
    throw new AtpcError(
      'ATPC-203',
      `${file} names the architecture '${architecture}', and modules.json beside it pools a BertModel: they are not of one model.`,
    );
  }
  if (sentence.size !== undefined && sentence.size !== raw.hidden_size) {
    throw new AtpcError(
      'ATPC-202',
      `The pooling module takes vectors of ${sentence.size} numbers, and ${file} has hidden_size ${raw.hidden_size}.`,
    );
  }
  return { kind: 'embedding', pooling: sentence.pooling, normalize: sentence.normalize };
}

function taskOf(
  config: BertConfig,
  raw: BertConfigFile,
  tokenizer: ImportedTokenizer | null,
): { task: Task; notes: readonly string[] } {
  const tensorsOnly = (note: string): { task: Task; notes: readonly string[] } => ({ task: { kind: 'tensors' }, notes: [note] });
  if (tokenizer === null) return tensorsOnly('The folder has no tokenizer.json: the package takes token ids, and no text.');
  const { head } = config;
  if (head.kind === 'hidden') return { task: { kind: 'tensors' }, notes: [] };
  if (head.kind === 'embedding') {
    return {
      task: { kind: 'embed', output: 'sentence_embedding', normalized: head.normalize, size: config.hiddenSize },
      notes: [],
    };
  }
  // A softmax over the labels is right only where exactly one of them holds.
  const problem = raw.problem_type ?? (head.labels.length === 1 ? 'regression' : 'single_label_classification');
  if (problem !== 'single_label_classification') {
    return tensorsOnly(
      `The model is for ${problem}, not for one label of several: the package gives its logits, and does not classify.`,
    );
  }
  return { task: { kind: 'classify', output: 'logits', labels: head.labels }, notes: [] };
}
