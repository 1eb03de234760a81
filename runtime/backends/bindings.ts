import type { DispatchStep, Program, ProgramBuffer } from '../format/program.ts';

/** What a binding of a dispatch is bound to: a slot, or the range of a weight. */
export interface BindingSlot {
  readonly kind: 'slot' | 'weight';
  /** Index into the program's slots, or into its buffers. */
  readonly index: number;
  readonly written: boolean;
}

/** One binding for every buffer of the device that an operand lies in, in order of first use; the scratch comes last. */
export function bindingsOf(program: Program, step: DispatchStep): readonly BindingSlot[] {
  const bindings: { kind: BindingSlot['kind']; index: number; written: boolean }[] = [];
  const firstWritten = step.operands.length - (step.writes ?? 0);
  step.operands.forEach((operand, position) => {
    const { slot } = program.buffers[operand.buffer] as ProgramBuffer;
    const [kind, index] = slot === undefined ? (['weight', operand.buffer] as const) : (['slot', slot] as const);
    const known = bindings.find((binding) => binding.kind === kind && binding.index === index);
    if (known) known.written ||= position >= firstWritten;
    else bindings.push({ kind, index, written: position >= firstWritten });
  });
  if (step.scratchBytes !== 0) {
    const index = (program.slots ?? []).findIndex((slot) => slot.class === 'scratch');
    bindings.push({ kind: 'slot', index, written: true });
  }
  return bindings;
}
