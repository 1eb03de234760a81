import { AtpcError } from '../../errors.ts';
import type { SizeExpression } from '../../format/expression.ts';
import {
  hasState,
  pastDim,
  type BufferElementType,
  type DispatchStep,
  type EntryPointName,
  type Program,
  type ProgramPort,
} from '../../format/program.ts';
import type { Dims } from '../../inputs.ts';
import { layoutOf, type Layout } from './layout.ts';
import { planCondition, planSteps, walkSteps, type Conditional, type PlannedStep } from '../planned-steps.ts';
import { SizeTable, type SizeIndex, type SizeScope } from '../size-table.ts';

/** One call of a kernel with every expression evaluated. A kernel is to a plan what a backend calls it by: a `K`. */
export interface PreparedDispatch<K> {
  /** Position among the dispatches of the entry point, in the order in which they are written there. */
  readonly step: number;
  readonly label: string;
  readonly kernel: K;
  /** Lane 0 does all of it. */
  readonly oneLane: boolean;
  /** begin, end, scratch, operand addresses, integers; begin and end are set for each range of items. */
  readonly parameters: number[];
  /** The items of this lane: [first, last). */
  first: number;
  last: number;
  /** Measured while it runs; undefined until the first run. */
  millisecondsPerItem: number | undefined;
}
export interface PreparedPort {
  readonly name: string;
  readonly elementType: BufferElementType;
  readonly address: number;
  readonly shape: readonly number[];
  readonly elements: number;
}

/** One of the threads that compute a call together. */
export interface LanePlace {
  readonly lane: number;
  readonly lanes: number;
}
export const onlyLane: LanePlace = { lane: 0, lanes: 1 };

interface PlannedDispatch<K> extends PreparedDispatch<K>, Conditional {
  readonly items: SizeIndex;
  /** Parameters that do not stay as they are: position in `parameters`, and value. */
  readonly changing: readonly { readonly at: number; readonly value: SizeIndex }[];
}
interface PlannedPort extends Pick<ProgramPort, 'name' | 'elementType'> {
  readonly address: SizeIndex;
  readonly shape: readonly SizeIndex[];
}
interface BufferPlace {
  readonly name: string;
  readonly offset: SizeIndex;
  readonly end: SizeIndex;
  readonly arenaBytes: number;
}

/** What a plan is for. */
export interface PlanOptions<K> {
  readonly program: Program;
  readonly kernels: ReadonlyMap<string, K>;
  readonly entry: EntryPointName;
  readonly place?: LanePlace | undefined;
  /** Where the shared arenas lie, for a program with state (reservedLayout); others go by the dims. */
  readonly layout?: Layout | undefined;
}
/** Address of the state of a session, among the symbols of a plan. */
const stateSymbol = '#state';

/**
 * An entry point with all dims put in but how much the state holds, for one lane: all lanes make the same plan, but for the address
 * of their scratch and their shares of the items. Whatever else a call changes, the number of tokens in the state or which state
 * it is, `begin` puts in, in a few microseconds.
 */
export class RunPlan<K> {
  readonly totalBytes: number;
  readonly #table = new SizeTable();
  readonly #call: SizeScope;
  readonly #place: LanePlace;
  readonly #steps: readonly PlannedStep<PlannedDispatch<K>>[];
  readonly #inputs: readonly PlannedPort[];
  readonly #outputs: readonly PlannedPort[];
  readonly #places: readonly BufferPlace[];

  /** Throws ATPC-403 for an entry point that is not there, and RangeError for a dim without a value. */
  constructor({ program, kernels, entry: name, place = onlyLane, layout }: PlanOptions<K>, dims: Dims) {
    const entry = program.entryPoints[name];
    if (entry === undefined) throw new AtpcError('ATPC-403', `program.json has no entry point '${name}'.`);
    const { arenas, scratchStride, totalBytes } = layout ?? layoutOf(program, dims, place.lanes);
    this.totalBytes = totalBytes;
    this.#place = place;
    const table = this.#table;
    this.#call = table.scope(hasState(program) ? [pastDim, stateSymbol] : [], undefined, dims);

    const stateBytes = Number(program.arenas.state);
    const places = new Map<number, BufferPlace>();
    const addressOf = (index: number, elements: SizeExpression, scope: SizeScope): SizeIndex => {
      const buffer = program.buffers[index] as Program['buffers'][number];
      const { base, bytes } = buffer.class === 'state' ? { base: stateSymbol, bytes: stateBytes } : arenas[buffer.class];
      if (!places.has(index)) {
        const offset = table.add(buffer.offset, this.#call);
        const end = table.add(['+', buffer.offset, buffer.bytes], this.#call);
        places.set(index, { name: buffer.name, offset, end, arenaBytes: bytes });
      }
      return table.add(['+', ['+', base, buffer.offset], ['*', 4, elements]], scope);
    };

    let position = 0;
    const planDispatch = (step: DispatchStep, scope: SizeScope): PlannedDispatch<K> => {
      const values = [
        table.add(arenas.scratch.base + place.lane * scratchStride, scope),
        ...step.operands.map((operand) => addressOf(operand.buffer, operand.offset, scope)),
        ...step.integers.map((integer) => table.add(integer, scope)),
      ];
      return {
        step: position++,
        label: step.label,
        kernel: kernels.get(step.kernel) as K,
        oneLane: step.oneLane === true,
        parameters: [0, 0, ...values.map((value) => table.at(value))],
        first: 0,
        last: 0,
        millisecondsPerItem: undefined,
        items: table.add(step.items, scope),
        when: planCondition(step, table, scope),
        changing: values.flatMap((value, at) => (table.isConstant(value) ? [] : [{ at: at + 2, value }])),
      };
    };
    const planPort = ({ name: port, elementType, buffer, shape }: ProgramPort): PlannedPort => ({
      name: port,
      elementType,
      address: addressOf(buffer, 0, this.#call),
      shape: shape.map((size) => table.add(size, this.#call)),
    });
    this.#steps = planSteps(entry.steps, table, this.#call, planDispatch);
    this.#inputs = entry.inputs.map(planPort);
    this.#outputs = entry.outputs.map(planPort);
    this.#places = [...places.values()];
  }

  /**
   * Puts in what one call has of its own: its `past`, and the address of its state. Throws ATPC-403 for a buffer that does not fit
   * its arena.
   */
  begin(dims: Dims, stateAddress?: number): void {
    const table = this.#table;
    if (this.#call.symbols.has(stateSymbol)) {
      if (dims[pastDim] === undefined || stateAddress === undefined) throw new RangeError('A call has no state, or no past.');
      table.set(this.#call, pastDim, dims[pastDim]);
      table.set(this.#call, stateSymbol, stateAddress);
    }
    table.compute(this.#call);
    for (const { name, offset, end, arenaBytes } of this.#places) {
      if (table.at(offset) >= 0 && table.at(end) <= arenaBytes) continue;
      throw new AtpcError(
        'ATPC-403',
        `The buffer '${name}' of program.json ends at byte ${table.at(end)}; its arena has ${arenaBytes} bytes.`,
      );
    }
  }

  /** The dispatches of the call that was begun, in order; each is to be run before the next is asked for. */
  *dispatches(): Generator<PreparedDispatch<K>, void, void> {
    const table = this.#table;
    for (const step of walkSteps(this.#steps, table)) {
      for (const { at, value } of step.changing) step.parameters[at] = table.at(value);
      // A static share: which lane computes an item never depends on time, and lanes need not agree on anything.
      const { lane, lanes } = this.#place;
      const all = table.at(step.items);
      step.first = step.oneLane ? 0 : Math.floor((all * lane) / lanes);
      step.last = step.oneLane ? (lane === 0 ? all : 0) : Math.floor((all * (lane + 1)) / lanes);
      yield step;
    }
  }

  get inputs(): readonly PreparedPort[] {
    return this.#inputs.map((port) => this.#preparePort(port));
  }
  get outputs(): readonly PreparedPort[] {
    return this.#outputs.map((port) => this.#preparePort(port));
  }
  #preparePort({ name, elementType, address, shape: sizes }: PlannedPort): PreparedPort {
    const shape = sizes.map((size) => this.#table.at(size));
    const elements = shape.reduce((product, size) => product * size, 1);
    return { name, elementType, address: this.#table.at(address), shape, elements };
  }
}
