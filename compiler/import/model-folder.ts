/** What the readers of all architectures get to see of a folder. */
import type { CheckpointTensors } from './checkpoint-tensors.ts';
import type { ModelLicense } from './license.ts';
import type { SentenceTransformer } from './sentence-transformers.ts';

export interface ModelFolder {
  readonly path: string;
  readonly name: string;
  /** Where config.json, tokenizer and weights lie: the folder, or the transformer's in one of sentence-transformers. */
  readonly inner: string;
  readonly configFile: string;
  /** What config.json says, not checked yet. */
  readonly config: object;
  readonly sentence: SentenceTransformer | null;
  readonly license: ModelLicense | null;
  /** Its weights; throws ATPC-201 where there are none, unless only the shapes are wanted. */
  openTensors(): Promise<CheckpointTensors>;
}
