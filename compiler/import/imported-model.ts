/** A checkpoint of a known family: configuration, tensors under the family's names, tokenizer, task, licence. */
import type { Task } from '../../runtime/format/manifest.ts';
import type { Families } from '../model-file/index.ts';
import type { TensorSource } from '../weights/tensor-source.ts';
import type { SafetensorsType } from '../schema/safetensors.ts';
import type { AtpBlock } from './bert-checkpoint.ts';
import type { ModelLicense } from './license.ts';
import type { ImportedTokenizer } from './tokenizer-files.ts';

export type Family = keyof Families;

export interface Imported<F extends Family> {
  readonly family: F;
  /** Name of the folder or file. */
  readonly name: string;
  /** What the names of `files` start from. */
  readonly folder: string;
  readonly config: Families[F];
  /** By the names of the family's parameters, without buffers. */
  readonly tensors: TensorSource;
  /** Where there are no weights, and only shapes are of interest: what config.json says that they are stored as. */
  readonly absentStorage?: SafetensorsType;
  /** Null where there is none: such a model takes tensors only. */
  readonly tokenizer: ImportedTokenizer | null;
  /** What the text functions of a package can do; outputs are named last_hidden_state, sentence_embedding and logits. */
  readonly task: Task;
  readonly atpBlock: AtpBlock | null;
  /** Null for a model that keeps nothing between calls. */
  readonly context: ImportedContext | null;
  readonly license: ModelLicense | null;
  /** Names of tensors that the model does not need. */
  readonly unused: readonly string[];
  /** Sentences that the person should read. */
  readonly notes: readonly string[];
  /** Files that decide what the model computes, for `hashModel`. */
  readonly files: readonly string[];
}
export type ImportedModel = { readonly [F in Family]: Imported<F> }[Family];

/** Lengths of a model that generates, in tokens. */
export interface ImportedContext {
  readonly trainedLength: number;
  /** What a session can hold. */
  readonly maxLength: number;
}
