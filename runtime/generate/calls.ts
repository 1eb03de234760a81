import type { Backend } from '../backends/backend.ts';
import { AtpcError } from '../errors.ts';
import { pastDim, type EntryPointName } from '../format/program.ts';
import type { Queue } from '../queue.ts';

/** What all sessions of a model share. */
export interface ProgramCaller {
  readonly backend: Backend;
  /** The queue of the model: calls of several sessions come one after the other, in turn. */
  readonly queue: Queue;
  readonly output: string;
}
export interface TokenCall {
  readonly entry: EntryPointName;
  readonly state: number;
  readonly ids: readonly number[];
  /** Tokens before these. */
  readonly past: number;
  readonly signal: AbortSignal | undefined;
  /** Called when the program begins: from then on the state is no longer what it was. */
  readonly onStart?: () => void;
}

/** One call of the program: reads tokens into a state, and gives their logits. */
export function readTokens({ backend, queue, output }: ProgramCaller, call: TokenCall): Promise<Float32Array<ArrayBuffer>> {
  const { entry, state, ids, past, signal, onStart } = call;
  const dims = entry === 'decode' ? { [pastDim]: past } : { seq: ids.length, [pastDim]: past };
  const tensors = [
    { name: 'input_ids', data: Int32Array.from(ids) },
    { name: 'position_ids', data: Int32Array.from(ids, (_, index) => past + index) },
  ];
  return queue.run(async () => {
    onStart?.();
    const logits = (await backend.run({ entry, state, dims, tensors }, signal))[output];
    if (logits?.elementType === 'f32') return logits.data;
    throw new AtpcError('ATPC-403', `The program gives no logits by the name '${output}'.`);
  }, signal);
}
