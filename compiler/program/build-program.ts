import type { SymbolicDim } from '../../ir/graph.ts';
import { addSizes, floorDivideSizes, maxSize, multiplySizes, type Size } from '../../ir/size.ts';
import type {
  DispatchStep,
  EntryPoint,
  EntryPointName,
  Program,
  ProgramBuffer,
  ProgramPort,
  ProgramSlot,
  ProgramWeight,
  Step,
} from '../../runtime/format/program.ts';
import type { NamedKernel, Target } from '../codegen/target.ts';
import type { Dispatch, DispatchList, Port } from '../kernel/dispatch.ts';
import { isLittleWork } from '../kernel/little-work.ts';
import { nameKernels, type BoundKernel } from '../kernel/kernel-name.ts';
import { elementBytes, type Buffer } from '../kernel/view.ts';
import {
  oneMemoryPlacer,
  placeWeights,
  SlotPlacer,
  type BufferLife,
  type BufferPlace,
  type BufferPlacer,
  type Placement,
} from './buffer-places.ts';
import { bindOperands, type OperandPlace } from './operand-bindings.ts';

export interface BuiltProgram {
  readonly program: Program;
  readonly kernels: readonly NamedKernel[];
}

/** One entry point before it is numbered. */
export interface EntryDispatches {
  readonly name: EntryPointName;
  readonly dims: readonly SymbolicDim[];
  readonly list: DispatchList;
}

interface Life {
  first: number;
  last: number;
}
/** First and last dispatch of every buffer. What a repeat touches lives as long as the repeat: a later round reads it again. */
function lifetimes({ dispatches }: DispatchList): ReadonlyMap<Buffer, Life> {
  const lives = new Map<Buffer, Life>();
  dispatches.forEach((dispatch, step) => {
    const { first, last } = repeatAround(dispatches, step);
    for (const { buffer } of [...dispatch.reads, ...dispatch.writes]) {
      const life = lives.get(buffer);
      if (life) life.last = Math.max(life.last, last);
      else lives.set(buffer, { first, last });
    }
  });
  return lives;
}
function repeatAround(dispatches: readonly Dispatch[], step: number): Life {
  const repeat = dispatches[step]?.repeat ?? null;
  let [first, last] = [step, step];
  if (repeat === null) return { first, last };
  while (dispatches[first - 1]?.repeat === repeat) first -= 1;
  while (dispatches[last + 1]?.repeat === repeat) last += 1;
  return { first, last };
}

/** Weights and states are the same memory in every entry point; other buffers belong to one. */
function sharedKey({ class: type, name, weight }: Buffer): string | null {
  if (type === 'state') return `state ${name}`;
  return weight ? `weights ${weight.tensor} ${JSON.stringify([weight.packing, weight.rows])}` : null;
}

/** Gives every buffer its number. */
class BufferTable {
  readonly buffers: ProgramBuffer[] = [];
  readonly weights: ProgramWeight[] = [];
  readonly #indices = new Map<Buffer, number>();
  readonly #shared = new Map<string, number>();

  indexOf(buffer: Buffer): number {
    return this.#indices.get(buffer) as number;
  }
  placeOf(buffer: Buffer): OperandPlace {
    const index = this.indexOf(buffer);
    const { slot, offset } = this.buffers[index] as ProgramBuffer;
    if (slot === undefined) return { device: `weight ${index}`, offset: 0 };
    return { device: `slot ${slot}`, offset: floorDivideSizes(offset, 4) };
  }
  add({ buffer, life: { first, last, bytes }, offset, slot }: BufferPlace): void {
    const key = sharedKey(buffer);
    const index = this.buffers.length;
    this.#indices.set(buffer, index);
    if (key !== null) this.#shared.set(key, index);
    const { name, class: type, elementType, weight } = buffer;
    const place = { offset, ...(slot === undefined ? {} : { slot }) };
    this.buffers.push({ name, class: type, elementType, ...place, bytes, firstStep: first, lastStep: last });
    if (!weight) return;
    const { tensor, shape, rows, packing } = weight;
    this.weights.push({ tensor, buffer: index, shape, ...(rows ? { rows } : {}), packing });
  }
  /** Whether another entry point has brought this memory; it is the same from now on. */
  knows(buffer: Buffer): boolean {
    const key = sharedKey(buffer);
    const index = key === null ? undefined : this.#shared.get(key);
    if (index !== undefined) this.#indices.set(buffer, index);
    return index !== undefined;
  }
}
function bytesOf({ elements, elementType }: Buffer): Size {
  return multiplySizes(elements, elementBytes[elementType]);
}
const largestOf = (sizes: readonly Size[]): Size => sizes.reduce((most, size) => (most === 0 ? size : maxSize(most, size)), 0);

/** Buffers get offsets and dispatches become steps. Planned so that memory is least at the largest dims. */
export function buildProgram(name: string, entries: readonly EntryDispatches[], target: Target): BuiltProgram {
  const table = new BufferTable();
  const dims = entries
    .flatMap((entry) => entry.dims)
    .filter((dim, index, all) => all.findIndex((other) => other.name === dim.name) === index);
  const { memory } = target;
  const lists = entries.map(({ list }) => list);
  const placer: BufferPlacer =
    memory.kind === 'buffers' ? new SlotPlacer(lists, (buffer) => sharedKey(buffer) ?? buffer) : oneMemoryPlacer;
  const lifeOf = (buffer: Buffer, lives: ReadonlyMap<Buffer, Life>): BufferLife => ({
    buffer,
    bytes: bytesOf(buffer),
    ...(lives.get(buffer) ?? { first: 0, last: 0 }),
  });
  const add = ({ places, total }: Placement): Size => {
    for (const place of places) table.add(place);
    return total;
  };

  const shared = (type: 'weights' | 'state'): BufferLife[] => {
    const fresh = new Map<string | Buffer, BufferLife>();
    for (const list of lists) {
      const lives = lifetimes(list);
      for (const buffer of list.buffers) {
        const key = sharedKey(buffer) ?? buffer;
        if (buffer.class === type && !fresh.has(key)) fresh.set(key, lifeOf(buffer, lives));
      }
    }
    return [...fresh.values()];
  };
  const weights = add(placeWeights(shared('weights'), memory.kind === 'buffers' ? memory.alignment : undefined));
  const state = add(placer.inOrder('state', shared('state')));

  // What belongs to one call: entry points use the same bytes one after the other.
  const own = entries.map(({ dims: ownDims, list }) => {
    const lives = lifetimes(list);
    const of = (type: Buffer['class']): BufferLife[] =>
      list.buffers.filter((buffer) => buffer.class === type).map((buffer) => lifeOf(buffer, lives));
    const largest = Object.fromEntries(ownDims.map((dim) => [dim.name, dim.max]));
    const io = add(placer.inOrder('io', of('io')));
    const workspace = add(placer.workspace(of('workspace'), largest));
    for (const buffer of list.buffers) table.knows(buffer);
    return { workspace, io };
  });

  const scratchOf = ({ kernel, integers, largestIntegers }: Dispatch): Size =>
    target.scratchBytes(kernel, largestIntegers ?? integers);
  const bound = (dispatch: Dispatch): BoundKernel => {
    const { kernel } = dispatch;
    if (memory.kind !== 'buffers') return { kernel };
    const usesScratch = scratchOf(dispatch) !== 0;
    return { kernel, pattern: bindOperands(dispatch, memory, (range) => table.placeOf(range.buffer), usesScratch) };
  };
  const { named, nameOf } = nameKernels(lists.flatMap(({ dispatches }) => dispatches.map(bound)));
  let scratch: Size = 0;
  const step = (dispatch: Dispatch): DispatchStep => {
    const scratchBytes = scratchOf(dispatch);
    if (scratchBytes !== 0) scratch = largestOf([scratch, scratchBytes]);
    const operands = [...dispatch.reads, ...dispatch.writes].map(({ buffer, offset }) => ({
      buffer: table.indexOf(buffer),
      offset,
    }));
    return {
      kind: 'dispatch',
      kernel: nameOf(bound(dispatch)),
      label: dispatch.label,
      operands,
      ...(memory.kind === 'buffers' ? { writes: dispatch.writes.length } : {}),
      integers: dispatch.integers,
      items: target.itemsOf(dispatch),
      scratchBytes,
      ...(dispatch.when ? { when: { less: [dispatch.when.atLeast - 1, dispatch.when.tokens] as const } } : {}),
      ...(isLittleWork(dispatch) ? { oneLane: true } : {}),
    };
  };
  const port = ({ name: portName, buffer, shape }: Port): ProgramPort => ({
    name: portName,
    buffer: table.indexOf(buffer),
    elementType: buffer.elementType,
    shape,
  });
  const entryPoints = entries.map(({ name: entry, list }): readonly [EntryPointName, EntryPoint] => [
    entry,
    { inputs: list.inputs.map(port), outputs: list.outputs.map(port), steps: inRepeats(list.dispatches, step) },
  ]);
  const slots = placer.slots && [...placer.slots, ...(scratch === 0 ? [] : [{ class: 'scratch', bytes: scratch } as const])];
  const program: Program = {
    formatVersion: 1,
    name,
    dims,
    buffers: table.buffers,
    arenas: {
      weights,
      io: slots ? bytesOfClass(slots, 'io') : largestOf(own.map(({ io }) => io)),
      state,
      workspace: slots ? bytesOfClass(slots, 'workspace') : largestOf(own.map(({ workspace }) => workspace)),
      scratch,
    },
    ...(slots ? { slots } : {}),
    weights: table.weights,
    entryPoints: Object.fromEntries(entryPoints),
  };
  return { program, kernels: named };
}

function bytesOfClass(slots: readonly ProgramSlot[], type: ProgramSlot['class']): Size {
  return addSizes(0, ...slots.filter((slot) => slot.class === type).map(({ bytes }) => bytes));
}

/** Dispatches as steps, those of one repeat inside one step. */
function inRepeats(dispatches: readonly Dispatch[], step: (dispatch: Dispatch) => DispatchStep): readonly Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < dispatches.length;) {
    const dispatch = dispatches[at] as Dispatch;
    const { repeat } = dispatch;
    const { last } = repeatAround(dispatches, at);
    if (repeat === null) steps.push(step(dispatch));
    else {
      const inside = dispatches.slice(at, last + 1).map(step);
      steps.push({ kind: 'repeat', variable: repeat.variable, count: repeat.count, steps: inside });
    }
    at = last + 1;
  }
  return steps;
}
