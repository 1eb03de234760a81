import type { SymbolicDim } from '../../ir/graph.ts';
import { maxSize, multiplySizes, type Size } from '../../ir/size.ts';
import { placeInOrder, planMemory } from '../../passes/memory.ts';
import type {
  BufferElementType,
  DispatchStep,
  EntryPoint,
  EntryPointName,
  Program,
  ProgramBuffer,
  ProgramPort,
  ProgramWeight,
  Step,
} from '../../runtime/format/program.ts';
import type { NamedKernel, Target } from '../codegen/target.ts';
import type { Dispatch, DispatchList, Port } from '../kernel/dispatch.ts';
import { isLittleWork } from '../kernel/little-work.ts';
import { nameKernels } from '../kernel/kernel-name.ts';
import type { Buffer } from '../kernel/view.ts';

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
  return weight ? `weights ${weight.tensor} ${JSON.stringify(weight.packing)}` : null;
}

/** Gives every buffer its number and its place. */
class BufferTable {
  readonly buffers: ProgramBuffer[] = [];
  readonly weights: ProgramWeight[] = [];
  readonly #indices = new Map<Buffer, number>();
  readonly #shared = new Map<string, number>();

  indexOf(buffer: Buffer): number {
    return this.#indices.get(buffer) as number;
  }
  add(buffer: Buffer, offset: Size, { first, last }: Life): void {
    const key = sharedKey(buffer);
    const index = this.buffers.length;
    this.#indices.set(buffer, index);
    if (key !== null) this.#shared.set(key, index);
    const { name, class: type, elementType, weight } = buffer;
    this.buffers.push({ name, class: type, elementType, offset, bytes: bytesOf(buffer), firstStep: first, lastStep: last });
    if (weight) this.weights.push({ tensor: weight.tensor, buffer: index, shape: weight.shape, packing: weight.packing });
  }
  /** Whether another entry point has brought this memory; it is the same from now on. */
  knows(buffer: Buffer): boolean {
    const key = sharedKey(buffer);
    const index = key === null ? undefined : this.#shared.get(key);
    if (index !== undefined) this.#indices.set(buffer, index);
    return index !== undefined;
  }
}
const elementBytes: { readonly [K in BufferElementType]: number } = { f32: 4, i32: 4, bool: 4, u8: 1 };
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
  const placeShared = (type: 'weights' | 'state'): Size => {
    const fresh: { readonly buffer: Buffer; readonly life: Life }[] = [];
    const keys = new Set<string>();
    for (const { list } of entries) {
      const lives = lifetimes(list);
      for (const buffer of list.buffers) {
        const key = sharedKey(buffer);
        if (buffer.class !== type || (key !== null && keys.has(key))) continue;
        if (key !== null) keys.add(key);
        fresh.push({ buffer, life: lives.get(buffer) ?? { first: 0, last: 0 } });
      }
    }
    const { offsets, total } = placeInOrder(fresh.map(({ buffer }) => bytesOf(buffer)));
    fresh.forEach(({ buffer, life }, index) => table.add(buffer, offsets[index] as Size, life));
    return total;
  };
  const [weights, state] = [placeShared('weights'), placeShared('state')];

  // What belongs to one call: entry points use the same bytes one after the other.
  const own = entries.map(({ dims: ownDims, list }) => {
    const lives = lifetimes(list);
    const life = (buffer: Buffer): Life => lives.get(buffer) ?? { first: 0, last: 0 };
    const of = (type: Buffer['class']): Buffer[] => list.buffers.filter((buffer) => buffer.class === type);
    const largest = Object.fromEntries(ownDims.map((dim) => [dim.name, dim.max]));
    const workspace = planMemory(
      of('workspace').map((buffer) => ({ bytes: bytesOf(buffer), ...life(buffer) })),
      largest,
    );
    const io = placeInOrder(of('io').map(bytesOf));
    for (const { type, plan } of [
      { type: 'io', plan: io },
      { type: 'workspace', plan: workspace },
    ] as const) {
      of(type).forEach((buffer, index) => table.add(buffer, plan.offsets[index] as Size, life(buffer)));
    }
    for (const buffer of list.buffers) table.knows(buffer);
    return { workspace: workspace.total, io: io.total };
  });

  const { named, nameOf } = nameKernels(entries.flatMap(({ list }) => list.dispatches.map(({ kernel }) => kernel)));
  let scratch: Size = 0;
  const step = (dispatch: Dispatch): DispatchStep => {
    const scratchBytes = target.scratchBytes(dispatch.kernel, dispatch.integers);
    // Inside a repeat, sizes of a round are at most those of the call; the bound must not name the round.
    if (scratchBytes !== 0) scratch = largestOf([scratch, scratchBytes]);
    const operands = [...dispatch.reads, ...dispatch.writes].map(({ buffer, offset }) => ({
      buffer: table.indexOf(buffer),
      offset,
    }));
    return {
      kind: 'dispatch',
      kernel: nameOf(dispatch.kernel),
      label: dispatch.label,
      operands,
      integers: dispatch.integers,
      items: dispatch.items,
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
  const program: Program = {
    formatVersion: 1,
    name,
    dims,
    buffers: table.buffers,
    arenas: {
      weights,
      io: largestOf(own.map(({ io }) => io)),
      state,
      workspace: largestOf(own.map(({ workspace }) => workspace)),
      scratch,
    },
    weights: table.weights,
    entryPoints: Object.fromEntries(entryPoints),
  };
  return { program, kernels: named };
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
