/** The hand-written programs as devices have them: with slots for their memory, and weights by rows. */
import type { DispatchStep, EntryPoint, Program, ProgramBuffer, ProgramSlot, Step } from '../../runtime/format/program.ts';
import { generatorProgram } from './tiny-generator.ts';
import { program as tinyProgram } from './tiny-package.ts';

const slotsOf = (slots: readonly ProgramSlot[]): Pick<Program, 'slots'> => ({ slots });
/** The last operands of the steps of each kernel are written. */
function withWrites(steps: readonly Step[], writes: Readonly<Record<string, number>>): readonly Step[] {
  return steps.map((step) =>
    step.kind === 'repeat'
      ? { ...step, steps: withWrites(step.steps, writes) }
      : { ...step, writes: writes[step.kernel] ?? 1, scratchBytes: 0 },
  );
}

const { io, workspace } = tinyProgram.arenas;
const tinySlots: Readonly<Record<string, Partial<ProgramBuffer>>> = {
  weight: { offset: 256 },
  input_ids: { slot: 0 },
  attention_mask: { slot: 0 },
  rounds: { slot: 0 },
  trap: { slot: 0 },
  spun: { slot: 1, offset: 0 },
  logits: { slot: 1, offset: 256 },
  sums: { slot: 2 },
};
const forward = tinyProgram.entryPoints.forward as EntryPoint;
export const tinySlotProgram: Program = {
  ...tinyProgram,
  buffers: tinyProgram.buffers.map((buffer) => ({ ...buffer, ...tinySlots[buffer.name] })),
  ...slotsOf([
    { class: 'io', bytes: io },
    { class: 'io', bytes: io },
    { class: 'workspace', bytes: workspace },
  ]),
  arenas: { ...tinyProgram.arenas, weights: 512, scratch: 0, io: ['+', io, io] },
  weights: tinyProgram.weights.map((weight) => ({ ...weight, packing: { kind: 'rows' } })),
  entryPoints: { forward: { ...forward, steps: withWrites(forward.steps, {}) } },
};

export function generatorSlotProgram(rewinds: boolean, rounds = 3_000_000): Program {
  const base = generatorProgram(rewinds, rounds);
  const slots: Readonly<Record<string, Partial<ProgramBuffer>>> = {
    state: { slot: 0 },
    ids: { slot: 1 },
    positions: { slot: 1 },
    logits: { slot: 2, offset: 0 },
    lastLogits: { slot: 2, offset: 0 },
    hashes: { slot: 3 },
  };
  const sink = base.buffers.length;
  const withSink = (step: Step): Step => {
    if (step.kind === 'repeat' || step.kernel !== 'wait') return step;
    return { ...step, operands: [...step.operands, { buffer: sink, offset: 0 }] } satisfies DispatchStep;
  };
  const entryPoints = Object.fromEntries(
    Object.entries(base.entryPoints).map(([name, entry]) => [
      name,
      { ...entry, steps: withWrites(entry.steps.map(withSink), { read: 2 }) },
    ]),
  );
  const sinkBuffer = { name: 'sink', class: 'workspace', elementType: 'i32', offset: 0, slot: 4, bytes: 256 } as const;
  return {
    ...base,
    buffers: [
      ...base.buffers.map((buffer) => ({ ...buffer, ...slots[buffer.name] })),
      { ...sinkBuffer, firstStep: 0, lastStep: 3 },
    ],
    ...slotsOf([
      { class: 'state', bytes: base.arenas.state },
      { class: 'io', bytes: base.arenas.io },
      { class: 'io', bytes: base.arenas.io },
      { class: 'workspace', bytes: 64 },
      { class: 'workspace', bytes: 256 },
    ]),
    arenas: { ...base.arenas, scratch: 0, workspace: 320, io: ['+', base.arenas.io, base.arenas.io] },
    entryPoints,
  };
}
