import { AtpcError } from '../errors.ts';
import { evaluateExpression, type SizeExpression } from '../format/expression.ts';
import type { DispatchStep, EntryPoint, EntryPointName, Program, ProgramBuffer } from '../format/program.ts';
import type { Dims } from '../inputs.ts';
import { planCondition, planSteps, walkSteps, type Conditional, type PlannedStep } from './planned-steps.ts';
import { SizeTable, type SizeIndex, type SizeScope } from './size-table.ts';
import { bindingsOf, type BindingSlot } from './bindings.ts';

/** A dispatch of an entry point, whatever the dims. */
export interface PlannedDispatch extends Conditional {
  /** Position among the dispatches of the entry point, in the order in which they are written there. */
  readonly step: number;
  readonly kernel: string;
  readonly bindings: readonly BindingSlot[];
  /** items, offsets of the operands, integers: what the kernel reads, i32 each. */
  readonly values: readonly SizeIndex[];
}
/** A dispatch of a call. */
export interface PlacedDispatch {
  readonly dispatch: PlannedDispatch;
  readonly items: number;
  /** Bytes from the start of the sizes of the call. */
  readonly sizesOffset: number;
}
export interface PlacedPort {
  readonly name: string;
  readonly slot: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly elementType: 'f32' | 'i32' | 'bool';
}

/** An entry point for a device whose memory is in slots: one plan serves all dims, since nothing but the sizes depends on them. */
export class SlotPlan {
  readonly #entry: EntryPoint;
  readonly #buffers: readonly ProgramBuffer[];
  readonly #table = new SizeTable();
  readonly #call: SizeScope;
  readonly #steps: readonly PlannedStep<PlannedDispatch>[];
  readonly #alignment: number;

  /** `alignment`: bytes that the sizes of a dispatch begin at a multiple of. Throws ATPC-403 for an entry point that is not there. */
  constructor(program: Program, name: EntryPointName, alignment: number) {
    const entry = program.entryPoints[name];
    if (entry === undefined) throw new AtpcError('ATPC-403', `program.json has no entry point '${name}'.`);
    this.#entry = entry;
    this.#buffers = program.buffers;
    this.#alignment = alignment;
    const table = this.#table;
    this.#call = table.scope(program.dims.map((dim) => dim.name));
    let position = 0;
    const offsetOf = (buffer: ProgramBuffer, elements: SizeExpression): SizeExpression =>
      buffer.slot === undefined ? elements : ['+', ['floor/', buffer.offset, 4], elements];
    const planDispatch = (step: DispatchStep, scope: SizeScope): PlannedDispatch => {
      const offsets = step.operands.map(({ buffer, offset }) => offsetOf(program.buffers[buffer] as ProgramBuffer, offset));
      return {
        step: position++,
        kernel: step.kernel,
        bindings: bindingsOf(program, step),
        values: [step.items, ...offsets, ...step.integers].map((value) => table.add(value, scope)),
        when: planCondition(step, table, scope),
      };
    };
    this.#steps = planSteps(entry.steps, table, this.#call, planDispatch);
  }

  /** The dispatches of a call, in order, and the sizes that their kernels read. */
  place(dims: Dims): { readonly dispatches: readonly PlacedDispatch[]; readonly sizes: Int32Array<ArrayBuffer> } {
    const table = this.#table;
    for (const [name, value] of Object.entries(dims)) table.set(this.#call, name, value);
    table.compute(this.#call);
    const dispatches: PlacedDispatch[] = [];
    const words: number[] = [];
    const wordAlignment = this.#alignment / 4;
    for (const dispatch of walkSteps(this.#steps, table)) {
      const items = table.at(dispatch.values[0] as SizeIndex);
      if (items <= 0) continue;
      dispatches.push({ dispatch, items, sizesOffset: words.length * 4 });
      for (const value of dispatch.values) words.push(table.at(value));
      while (words.length % wordAlignment !== 0) words.push(0);
    }
    return { dispatches, sizes: Int32Array.from(words) };
  }

  ports(kind: 'inputs' | 'outputs', dims: Dims): readonly PlacedPort[] {
    return this.#entry[kind].map((port) => {
      const sizes = [...port.shape, (this.#buffers[port.buffer] as ProgramBuffer).offset].map((size) =>
        evaluateExpression(size, dims),
      );
      const { slot } = this.#buffers[port.buffer] as ProgramBuffer;
      if (slot === undefined || port.elementType === 'u8' || port.elementType === 'f16')
        throw new AtpcError('ATPC-403', `The port '${port.name}' of program.json has no slot.`);
      return { name: port.name, slot, offset: sizes.at(-1) ?? 0, shape: sizes.slice(0, -1), elementType: port.elementType };
    });
  }
}
