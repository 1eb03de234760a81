/**
 * The one error class, with a stable code. The table is the catalogue: docs/errors.md is generated from it, and a code that
 * is not in it does not compile. 1xx model, 2xx import, 3xx compile, 4xx package, 5xx device, 6xx request.
 */
export const errorCatalogue = {
  'ATPC-101': 'The model file does not type-check.',
  'ATPC-102': 'The model file could not be run, or does not export a model.',
  'ATPC-103': 'A product, sum or gather in the model does not fit: the shapes differ.',
  'ATPC-104': 'The model declares two parameters or inputs of one name with different types.',
  'ATPC-201': 'The model folder or file is not there or cannot be read.',
  'ATPC-202': 'config.json or the metadata of a GGUF file is not valid, or has a key or value that is not understood.',
  'ATPC-203': 'The architecture is not known.',
  'ATPC-204': 'A safetensors file is damaged: truncated, overlapping, with holes, or with a header that does not hold.',
  'ATPC-205': 'A tensor that the model needs is missing from the weights.',
  'ATPC-206': 'A tensor has another shape than the model says.',
  'ATPC-207': 'A tensor has an element type that is not supported.',
  'ATPC-208': 'A shard name in the index is not a plain file name.',
  'ATPC-209': 'The tokenizer is damaged or of a kind that is not supported.',
  'ATPC-210': 'A GGUF file is damaged: truncated, or with counts, lengths, types or offsets that do not hold.',
  'ATPC-211': 'The Hugging Face hub cannot be reached, or its answer is not understood.',
  'ATPC-212': 'The Hugging Face hub has no such model, revision or file.',
  'ATPC-213': 'The Hugging Face hub does not give the model: it is private or gated, or the token is not accepted.',
  'ATPC-214': 'A downloaded file is not the one that the hub lists: its hash differs.',
  'ATPC-301': 'An option of the compiler is not understood.',
  'ATPC-302': 'The attention mode is not known.',
  'ATPC-303': 'The number of principal keys is out of range.',
  'ATPC-304': 'The plan file is not valid or does not fit the model.',
  'ATPC-305': 'Mode svd was asked for a checkpoint that was not tuned for it.',
  'ATPC-306': 'The output folder holds something else.',
  'ATPC-307': 'The target is not known or lacks something that the model needs.',
  'ATPC-308': 'The model does not fit the memory of the target.',
  'ATPC-309': 'The compiled package disagrees with the reference interpreter.',
  'ATPC-310': 'The configuration file is not valid.',
  'ATPC-311': 'The mode needs something that this model has not.',
  'ATPC-312': 'A file or folder cannot be written or used.',
  'ATPC-313': 'A CUDA compiler refuses the generated kernels.',
  'ATPC-314': 'A C compiler refuses the generated kernels.',
  'ATPC-315': 'The loss of the attention plan is above the bound, or too few texts show that it is not.',
  'ATPC-316': 'The model is not the one that the package was compiled from.',
  'ATPC-399': 'The compiler found a fault in itself.',
  'ATPC-401': 'The package folder or one of its files is not there or cannot be read.',
  'ATPC-402': 'A file of the package is not the one that was written: its size or SHA-256 differs.',
  'ATPC-403': 'The manifest or program is not valid.',
  'ATPC-404': 'The package was written in a newer or unknown format.',
  'ATPC-405': 'The self-test failed: this backend does not give the recorded outputs.',
  'ATPC-501': 'The backend is not available here.',
  'ATPC-502': 'There is not enough memory.',
  'ATPC-503': 'The worker that runs the model ended unexpectedly.',
  'ATPC-504': 'The model gave numbers that are not finite.',
  'ATPC-505': 'The device refuses a kernel.',
  'ATPC-506': 'The device was lost.',
  'ATPC-601': 'An input is missing, unknown, or of the wrong type.',
  'ATPC-602': 'An input has a shape that does not fit.',
  'ATPC-603': 'An input is longer than the model allows.',
  'ATPC-604': 'A token id is outside the vocabulary.',
  'ATPC-605': 'The package cannot do this task.',
  'ATPC-606': 'The model or session was disposed of.',
  'ATPC-607': 'An option of the request is not known.',
  'ATPC-608': 'The request file or the saved session cannot be read or is not valid.',
  'ATPC-609': 'The call was aborted.',
  'ATPC-610': 'An option of a generation is out of range.',
  'ATPC-611': 'The chat template cannot be read, or does not take the messages.',
} as const;
export type ErrorCode = keyof typeof errorCatalogue;

export interface ErrorDetails {
  /** What to do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class AtpcError extends Error {
  override readonly name = 'AtpcError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, sentence: string, details: ErrorDetails = {}) {
    super(`${code}: ${sentence}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
  }

  /**
   * Every package has a copy of this class in its bundle: an error of any copy is one, so that callers can sort errors by code.
   * By the form of its code and not by the table, whose sentences would else be in both files of every package's runtime.
   */
  static override [Symbol.hasInstance](value: unknown): value is AtpcError {
    return value instanceof Error && value.name === 'AtpcError' && 'code' in value && /^ATPC-[1-6]\d\d$/.test(String(value.code));
  }
}

/** Exit code of the command line for an error: 1 model or quality, 2 usage, 3 device. */
export function exitCodeOf(error: unknown): 1 | 2 | 3 {
  if (!(error instanceof AtpcError)) return 1;
  if (error.code.startsWith('ATPC-5')) return 3;
  const usage: readonly ErrorCode[] = ['ATPC-301', 'ATPC-302', 'ATPC-303', 'ATPC-304', 'ATPC-306', 'ATPC-307', 'ATPC-310'];
  return error.code.startsWith('ATPC-6') || usage.includes(error.code) ? 2 : 1;
}
