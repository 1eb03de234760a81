import type { GeneratedPiece, Generation, GenerationResult } from '../api.ts';
import { AtpcError } from '../errors.ts';

/** Generates, and gives out each piece; rejects with the reason of the signal, which belongs to this one generation. */
export type Generate = (emit: (piece: GeneratedPiece) => void, signal: AbortSignal) => Promise<GenerationResult>;

/** A generation that starts when it is first asked for something, and then runs to its end at its own pace. */
export class StartedOnDemand implements Generation {
  readonly #generate: Generate;
  readonly #abort = new AbortController();
  readonly #pieces: GeneratedPiece[] = [];
  #result: Promise<GenerationResult> | undefined;
  #ended = false;
  #wake: (() => void)[] = [];

  constructor(generate: Generate) {
    this.#generate = generate;
  }

  get result(): Promise<GenerationResult> {
    if (this.#result) return this.#result;
    const notify = (): void => {
      for (const wake of this.#wake.splice(0)) wake();
    };
    const emit = (piece: GeneratedPiece): void => {
      this.#pieces.push(piece);
      notify();
    };
    this.#result = this.#generate(emit, this.#abort.signal).finally(() => {
      this.#ended = true;
      notify();
    });
    // Whoever iterates gets the error there, and need not ask for the result.
    this.#result.catch(() => undefined);
    return this.#result;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<GeneratedPiece> {
    const { result } = this;
    try {
      for (let at = 0; ;) {
        const piece = this.#pieces[at];
        if (piece !== undefined) {
          at += 1;
          yield piece;
        } else if (this.#ended) break;
        else await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    } finally {
      // After a break in the loop of the caller nobody wants the rest.
      if (!this.#ended) this.#abort.abort(new AtpcError('ATPC-609', 'The caller left the loop over the answer.'));
    }
    await result;
  }
}
