/**
 * The memory plan: buffers whose lives do not meet share a slot. Sizes are symbolic, so a slot is as large as the largest
 * of its buffers at any dims, and offsets are sums of slot sizes: the plan holds for every input length.
 */
import { addSizes, ceilDivideSizes, evaluateSize, maxSize, multiplySizes, type Size } from '../ir/size.ts';

/** Buffers start at multiples of this, so that vector loads are aligned and cache lines are not shared. */
const alignmentBytes = 64;

export interface Lifetime {
  readonly bytes: Size;
  /** Steps of the first write and the last read, inclusive. */
  readonly first: number;
  readonly last: number;
}
export interface MemoryPlan {
  /** For each lifetime, in order. */
  readonly offsets: readonly Size[];
  readonly total: Size;
}
/** Memory in slots, each of them as large as the largest that lives in it. */
export interface SlotPlan {
  readonly slots: readonly Size[];
  /** For each lifetime, in order. */
  readonly slotOf: readonly number[];
}

function alignedBytes(bytes: Size, alignment = alignmentBytes): Size {
  return multiplySizes(ceilDivideSizes(bytes, alignment), alignment);
}

interface Slot {
  bytes: Size;
  /** Size at the dims that the plan is tuned for; any choice of slots is right at all dims. */
  sample: number;
  freeFrom: number;
}

/** Greedy, in order of first use: the free slot that wastes the least at `sampleDims`, else a new one. */
export function planSlots(lifetimes: readonly Lifetime[], sampleDims: Readonly<Record<string, number>>): SlotPlan {
  const slots: Slot[] = [];
  const slotOf: number[] = [];
  const order = lifetimes
    .map((_, index) => index)
    .sort((a, b) => (lifetimes[a]?.first ?? 0) - (lifetimes[b]?.first ?? 0) || a - b);
  for (const index of order) {
    const { bytes, first, last } = lifetimes[index] as Lifetime;
    const sample = evaluateSize(bytes, sampleDims);
    const free = slots.filter((slot) => slot.freeFrom <= first);
    free.sort((a, b) => Math.abs(a.sample - sample) - Math.abs(b.sample - sample));
    let slot = free[0];
    if (slot) {
      slot.bytes = maxSize(slot.bytes, bytes);
      slot.sample = Math.max(slot.sample, sample);
      slot.freeFrom = last + 1;
    } else {
      slot = { bytes, sample, freeFrom: last + 1 };
      slots.push(slot);
    }
    slotOf[index] = slots.indexOf(slot);
  }
  return { slots: slots.map(({ bytes }) => alignedBytes(bytes)), slotOf };
}
/** The same with all slots in one memory. */
export function planMemory(lifetimes: readonly Lifetime[], sampleDims: Readonly<Record<string, number>>): MemoryPlan {
  const { slots, slotOf } = planSlots(lifetimes, sampleDims);
  const { offsets, total } = placeInOrder(slots);
  return { offsets: slotOf.map((slot) => offsets[slot] ?? 0), total };
}

/** Offsets one behind the other, for buffers that live as long as the program. */
export function placeInOrder(bytes: readonly Size[], alignment = alignmentBytes): MemoryPlan {
  let total: Size = 0;
  const offsets = bytes.map((size) => {
    const offset = total;
    total = addSizes(total, alignedBytes(size, alignment));
    return offset;
  });
  return { offsets, total };
}
