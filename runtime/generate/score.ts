import type { NamedOutputs } from '../api.ts';
import { StateLost } from '../backends/executor.ts';
import { AtpcError } from '../errors.ts';
import type { ManifestState } from '../format/manifest.ts';
import type { PreparedInputs } from '../inputs.ts';
import { readTokens, type ProgramCaller } from './calls.ts';

type ScoringModel = ProgramCaller & { readonly state: Pick<ManifestState, 'chunk'> };

/** Logits of every token, read in pieces into a state of their own. */
export async function score(
  model: ScoringModel,
  { tensors }: PreparedInputs,
  signal: AbortSignal | undefined,
): Promise<NamedOutputs> {
  const ids = tensors.find(({ name }) => name === 'input_ids')?.data;
  if (ids === undefined) throw new AtpcError('ATPC-601', "The input 'input_ids' is missing.");
  for (let losses = 0; ; losses += 1) {
    try {
      const data = joined(await readAll(model, ids, signal));
      return { [model.output]: { elementType: 'f32', data, shape: [1, ids.length, data.length / ids.length] } };
    } catch (error) {
      if (!(error instanceof StateLost)) throw error;
      if (losses === mostLosses) throw new AtpcError('ATPC-506', error.message, { cause: error });
    }
  }
}
// A device that is lost again and again while tokens are read into its memory is given up.
const mostLosses = 3;

async function readAll(
  model: ScoringModel,
  ids: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
  signal: AbortSignal | undefined,
): Promise<readonly Float32Array<ArrayBuffer>[]> {
  const state = await model.backend.openState();
  try {
    const rows: Float32Array<ArrayBuffer>[] = [];
    for (let past = 0; past < ids.length; past += model.state.chunk) {
      signal?.throwIfAborted();
      const piece = [...ids.subarray(past, past + model.state.chunk)];
      rows.push(await readTokens(model, { entry: 'score', state, ids: piece, past, signal }));
    }
    return rows;
  } finally {
    model.backend.closeState(state);
  }
}
function joined(parts: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer> {
  if (parts.length === 1 && parts[0]) return parts[0];
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
