import { AtpcError } from '../../errors.ts';
import { hasState, pastDim, type Program } from '../../format/program.ts';
import type { Dims } from '../../inputs.ts';
import { dimsAt, slotBytes, sumOf } from '../slot-bytes.ts';
import { alignPart } from './device-memory.ts';

export interface DeviceBytes {
  readonly free: number;
  readonly total: number;
}

/** Bytes of the slots of a class of memory, as they lie in one allocation. */
function bytesOf(program: Program, dims: Dims, state: boolean): number {
  const slots = slotBytes(program, dims);
  return sumOf(slots.filter((_, index) => (program.slots?.[index]?.class === 'state') === state).map(alignPart));
}
/** Inputs, outputs, workspace and scratch of a call. */
export const callBytes = (program: Program, dims: Dims): number => bytesOf(program, dims, false);

/**
 * Throws ATPC-502 for a program whose least call does not fit what is free on a device: before any weight is read. A program with state
 * has the memory of its calls from the start, and that of one session at least.
 */
export function checkMemory(program: Program, { free, total }: DeviceBytes): void {
  const stateful = hasState(program);
  const dims = dimsAt(program, stateful ? 'max' : 'min');
  const [weights, state, call] = [Number(program.arenas.weights), bytesOf(program, dims, true), callBytes(program, dims)];
  const needed = weights + state + call;
  if (needed <= free) return;
  const left = free - weights;
  const tokens = (dims[pastDim] ?? 0) + 1;
  const hint =
    stateful && left > 0
      ? `About ${Math.floor((tokens * left) / (state + call))} of its ${tokens} tokens would fit: compile with such a --max-seq, or use another backend.`
      : 'Quantise the model further, free memory of the device, or use another backend.';
  throw new AtpcError(
    'ATPC-502',
    `The model needs ${needed} bytes of the device: ${weights} of weights, ${state} for the state of a session, ${call} of workspace, inputs and outputs; ${free} of its ${total} bytes are free.`,
    { hint },
  );
}
