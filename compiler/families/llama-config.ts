/** What the Llama family needs to know of a checkpoint to build its graph. */
export const llamaActivations = ['silu', 'gelu', 'gelu_tanh', 'relu'] as const;
export type LlamaActivation = (typeof llamaActivations)[number];

export interface LlamaRope {
  readonly theta: number;
  /**
   * One divisor of each of the headSize / 2 frequencies theta^(-2 i / headSize): the factor of linear scaling, the piecewise
   * ones of llama3 scaling, or those that a GGUF file carries as rope_freqs.weight. Empty where nothing is scaled.
   */
  readonly divisors: readonly number[];
}

export interface LlamaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Own size of a head; hiddenSize / heads in most checkpoints. */
  readonly headSize: number;
  readonly intermediateSize: number;
  /** Positions that the model was trained for. */
  readonly trainedLength: number;
  /** Tokens that a session can hold; `--max-seq`. Sizes the rope tables and the state. */
  readonly maxLength: number;
  readonly rmsNormEpsilon: number;
  readonly activation: LlamaActivation;
  readonly rope: LlamaRope;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  /** The output layer is the embedding table. */
  readonly tiedEmbeddings: boolean;
}
