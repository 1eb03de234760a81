/** Where the buffers of a program lie: in one memory, or in slots that a device binds. */
import { addSizes, maxSize, type Size } from '../../ir/size.ts';
import { placeInOrder, planMemory, planSlots, type Lifetime } from '../../passes/memory.ts';
import type { ProgramSlot } from '../../runtime/format/program.ts';
import type { Dispatch, DispatchList } from '../kernel/dispatch.ts';
import type { Buffer } from '../kernel/view.ts';

export interface BufferLife {
  readonly buffer: Buffer;
  readonly bytes: Size;
  readonly first: number;
  readonly last: number;
}
export interface BufferPlace {
  readonly buffer: Buffer;
  readonly life: BufferLife;
  readonly offset: Size;
  readonly slot?: number;
}
/** Places buffers of one class of one entry point, or of what all entry points share. */
export interface Placement {
  readonly places: readonly BufferPlace[];
  readonly total: Size;
}
/** The weights, one behind the other, on every target. */
export function placeWeights(lives: readonly BufferLife[], alignment?: number): Placement {
  const { offsets, total } = placeInOrder(
    lives.map(({ bytes }) => bytes),
    alignment,
  );
  return { places: placed(lives, offsets), total };
}

export interface BufferPlacer {
  /** `sampleDims`: dims at which buffers whose lives do not meet are to fit each other best. */
  workspace(lives: readonly BufferLife[], sampleDims: Readonly<Record<string, number>>): Placement;
  /** One behind the other. */
  inOrder(type: 'state' | 'io', lives: readonly BufferLife[]): Placement;
  /** Undefined for one memory. */
  readonly slots: readonly ProgramSlot[] | undefined;
}

function placed(lives: readonly BufferLife[], offsets: readonly Size[]): BufferPlace[] {
  return lives.map((life, index) => ({ buffer: life.buffer, life, offset: offsets[index] ?? 0 }));
}
export const oneMemoryPlacer: BufferPlacer = {
  workspace(lives, sampleDims) {
    const { offsets, total } = planMemory(lives, sampleDims);
    return { places: placed(lives, offsets), total };
  },
  inOrder(_type, lives) {
    const { offsets, total } = placeInOrder(lives.map(({ bytes }) => bytes));
    return { places: placed(lives, offsets), total };
  },
  slots: undefined,
};

/**
 * Slots of a device. What one kernel writes together (the clusters of a mode, the tensors of a cache) lies in one slot, since it
 * is read together too, and a kernel has few bindings. Whatever else a dispatch touches lives at the same time, and so has slots of
 * its own: nothing is read and written through two bindings of one buffer. Entry points run one at a time and share the slots of
 * the workspace.
 */
export class SlotPlacer implements BufferPlacer {
  readonly slots: ProgramSlot[] = [];
  readonly #groups: BufferGroups;
  /** Slots of the workspace, in the order in which an entry point takes them. */
  readonly #workspace: number[] = [];

  constructor(lists: readonly DispatchList[], keyOf: (buffer: Buffer) => unknown) {
    this.#groups = new BufferGroups(
      lists.flatMap(({ dispatches }) => dispatches),
      keyOf,
    );
  }

  workspace(lives: readonly BufferLife[], sampleDims: Readonly<Record<string, number>>): Placement {
    const groups = this.#groups.of(lives);
    const lifetimes = groups.map(({ bytes, lives: members }): Lifetime => ({
      bytes,
      first: Math.min(...members.map(({ first }) => first)),
      last: Math.max(...members.map(({ last }) => last)),
    }));
    const plan = planSlots(lifetimes, sampleDims);
    plan.slots.forEach((bytes, index) => {
      const known = this.#workspace[index];
      if (known === undefined) this.#workspace.push(this.slots.push({ class: 'workspace', bytes }) - 1);
      else this.slots[known] = { class: 'workspace', bytes: maxSize((this.slots[known] as ProgramSlot).bytes, bytes) };
    });
    return this.#placement(groups, (index) => this.#workspace[plan.slotOf[index] as number] as number);
  }
  inOrder(type: 'state' | 'io', lives: readonly BufferLife[]): Placement {
    return this.#placement(this.#groups.of(lives), (_, bytes) => this.slots.push({ class: type, bytes }) - 1);
  }
  #placement(groups: readonly BufferGroup[], slotOf: (index: number, bytes: Size) => number): Placement {
    const places = groups.flatMap(({ lives, offsets, bytes }, index) => {
      const slot = slotOf(index, bytes);
      return placed(lives, offsets).map((place) => ({ ...place, slot }));
    });
    const used = [...new Set(places.map(({ slot }) => slot))];
    return { places, total: addSizes(0, ...used.map((slot) => this.slots[slot]?.bytes as Size)) };
  }
}

interface BufferGroup {
  readonly lives: readonly BufferLife[];
  readonly offsets: readonly Size[];
  readonly bytes: Size;
}
/** Which buffers some kernel writes together; loops side by side only happen to. */
class BufferGroups {
  readonly #parents = new Map<unknown, unknown>();
  readonly #keyOf: (buffer: Buffer) => unknown;

  constructor(dispatches: readonly Dispatch[], keyOf: (buffer: Buffer) => unknown) {
    this.#keyOf = keyOf;
    for (const { kernel, writes } of dispatches) {
      if (kernel.kind === 'maps') continue;
      const [first, ...others] = writes.map(({ buffer }) => buffer).filter((buffer) => buffer.class !== 'io');
      for (const other of others)
        if (other.class === first?.class) this.#parents.set(this.#rootOf(keyOf(other)), this.#rootOf(keyOf(first)));
    }
  }
  #rootOf(key: unknown): unknown {
    let root = key;
    for (let next = this.#parents.get(root); next !== undefined && next !== root; next = this.#parents.get(root)) root = next;
    return root;
  }
  of(lives: readonly BufferLife[]): readonly BufferGroup[] {
    const members = new Map<unknown, BufferLife[]>();
    for (const life of lives) {
      const root = this.#rootOf(this.#keyOf(life.buffer));
      members.set(root, [...(members.get(root) ?? []), life]);
    }
    return [...members.values()].map((group) => {
      const { offsets, total } = placeInOrder(group.map(({ bytes }) => bytes));
      return { lives: group, offsets, bytes: total };
    });
  }
}
