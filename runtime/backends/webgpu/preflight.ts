import { AtpcError } from '../../errors.ts';
import { hasState, pastDim, type Program } from '../../format/program.ts';
import type { Dims } from '../../inputs.ts';
import { callText, dimsAt, hintForCall, slotBytes, sumOf } from '../slot-bytes.ts';
import type { DeviceLimits } from './device.ts';

/** The limits of a device that was asked for none (WebGPU, section 3.6.2). */
const defaults: DeviceLimits = { maxBufferSize: 256 * 2 ** 20, maxStorageBufferBindingSize: 128 * 2 ** 20 };

/** The most bytes that one buffer can have and be bound whole. */
export const largestBinding = ({ maxBufferSize, maxStorageBufferBindingSize }: DeviceLimits): number =>
  Math.min(maxBufferSize, maxStorageBufferBindingSize);

/** Throws ATPC-502 for a weight that no binding of so many bytes reaches. */
export function checkWeights({ buffers, weights }: Program, largest: number, what: 'adapter' | 'device'): void {
  for (const { buffer: index } of weights) {
    const buffer = buffers[index];
    if (buffer && Number(buffer.bytes) > largest) {
      throw new AtpcError(
        'ATPC-502',
        `The weight '${buffer.name}' takes ${Number(buffer.bytes)} bytes; this ${what} binds at most ${largest} at a time.`,
        { hint: "Quantise the model further, or use the backend 'wasm'." },
      );
    }
  }
}

/**
 * Throws ATPC-502 for a program whose least call does not fit an adapter: before any weight is read. A program with state has all its
 * memory from the start.
 */
export function checkLimits(program: Program, limits: DeviceLimits): void {
  const largest = largestBinding(limits);
  checkWeights(program, largest, 'adapter');
  const dims = dimsAt(program, hasState(program) ? 'max' : 'min');
  const slots = slotBytes(program, dims);
  const bytes = Math.max(0, ...slots);
  if (bytes <= largest) return;
  const ofClass = (state: boolean): number =>
    sumOf(slots.filter((_, index) => (program.slots?.[index]?.class === 'state') === state));
  const parts = `${Number(program.arenas.weights)} of weights, ${ofClass(true)} for the state of a session, ${ofClass(false)} of workspace, inputs and outputs`;
  const tokens = (dims[pastDim] ?? 0) + 1;
  const hint = hasState(program)
    ? `About ${Math.floor((tokens * largest) / bytes)} of its ${tokens} tokens would fit: compile with such a --max-seq, or use the backend 'wasm'.`
    : "Use the backend 'wasm'.";
  throw new AtpcError(
    'ATPC-502',
    `The model needs a buffer of ${bytes} bytes, and ${parts} in all; this adapter binds at most ${largest} bytes at a time.`,
    { hint },
  );
}

/** What a device has to have for the largest calls of a program, as far as the adapter goes; the defaults where they suffice. */
export function neededLimits(program: Program, adapter: DeviceLimits): DeviceLimits {
  const weights = program.weights.map(({ buffer }) => Number(program.buffers[buffer]?.bytes ?? 0));
  const bytes = Math.max(0, ...weights, ...slotBytes(program, dimsAt(program, 'max')));
  const needed = (name: keyof DeviceLimits): number => Math.min(adapter[name], Math.max(defaults[name], bytes));
  return {
    maxBufferSize: needed('maxBufferSize'),
    maxStorageBufferBindingSize: needed('maxStorageBufferBindingSize'),
  };
}

/** Throws ATPC-502 for a call that needs a larger buffer than the device has, with the largest of each dim that would do. */
export function checkCall(program: Program, dims: Dims, limits: DeviceLimits): void {
  const largest = largestBinding(limits);
  const fits = (call: Dims): boolean => slotBytes(program, call).every((bytes) => bytes <= largest);
  if (fits(dims)) return;
  throw new AtpcError(
    'ATPC-502',
    `A call with ${callText(dims)} needs a buffer of ${Math.max(...slotBytes(program, dims))} bytes; this device binds at most ${largest}.`,
    { hint: hintForCall(program, dims, fits) },
  );
}
