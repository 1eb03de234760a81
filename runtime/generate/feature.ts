import type { CallOptions, Generation, NamedInputs, NamedOutputs, Session } from '../api.ts';
import type { Backend } from '../backends/backend.ts';
import type { Manifest, ManifestTarget } from '../format/manifest.ts';
import type { PreparedInputs } from '../inputs.ts';
import type { Queue } from '../queue.ts';
import type { TextTokenizer } from '../tokenizer.ts';

/**
 * What a model that generates has beside the others. Its code is in the bundles of packages that generate alone, and comes in by the
 * entry file (runtime/entry).
 */
export interface GenerationFeature {
  session(): Session;
  /** A generation in a session of its own, which ends with it. */
  alone(use: (session: Session) => Generation): Generation;
  restore(bytes: Uint8Array): Promise<Session>;
  /** Logits of every token of `input_ids`. */
  score(inputs: PreparedInputs, signal: AbortSignal | undefined): Promise<NamedOutputs>;
}
export interface GenerationContext {
  readonly manifest: Manifest;
  readonly target: ManifestTarget;
  readonly backend: Backend;
  readonly tokenizer: TextTokenizer | undefined;
  /** Of the model's calls. */
  readonly queue: Queue;
  /** The model's own `run`. */
  readonly run: (inputs: NamedInputs, options?: CallOptions) => Promise<NamedOutputs>;
}
export type CreateGeneration = (context: GenerationContext) => GenerationFeature;
