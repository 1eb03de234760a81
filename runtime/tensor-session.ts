import type { CallOptions, Generation, NamedInputs, NamedOutputs, Session } from './api.ts';
import { AtpcError } from './errors.ts';

/** A forward pass keeps no state, so that a session of such a model is a name for its calls and nothing else. */
export class TensorSession implements Session {
  readonly ids: readonly number[] = [];
  readonly stateBytes = 0;
  readonly #modelName: string;
  readonly #run: Session['run'];
  #disposed = false;

  constructor(modelName: string, run: Session['run']) {
    this.#modelName = modelName;
    this.#run = run;
  }
  async run(inputs: NamedInputs, options?: CallOptions): Promise<NamedOutputs> {
    if (this.#disposed) throw new AtpcError('ATPC-606', 'The session was disposed of.');
    return this.#run(inputs, options);
  }
  generate(): Generation {
    return refusedGeneration(this.#modelName, 'generate');
  }
  chat(): Generation {
    return refusedGeneration(this.#modelName, 'chat');
  }
  save(): Promise<never> {
    return Promise.reject(keepsNothing(this.#modelName));
  }
  dispose(): void {
    this.#disposed = true;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Rejects with ATPC-605 when it is asked for something. */
export function refusedGeneration(modelName: string, call: 'generate' | 'chat'): Generation {
  const refuse = (): Promise<never> =>
    Promise.reject(new AtpcError('ATPC-605', `The model '${modelName}' cannot ${call}: it gives no text.`));
  return {
    get result() {
      return refuse();
    },
    [Symbol.asyncIterator]: () => ({ next: refuse }),
  };
}
export function keepsNothing(modelName: string): AtpcError {
  return new AtpcError('ATPC-605', `The model '${modelName}' keeps nothing between calls.`);
}
