/**
 * Loops side by side: dispatches of elementwise loops that do not depend on each other become one. A decoded token has a few hundred
 * elements to rotate and to append in each of them, which is less work than a launch or a meeting of lanes.
 */
import { addSizes, sizesEqual } from '../../ir/size.ts';
import type { TargetMemory } from '../codegen/target.ts';
import type { Dispatch } from './dispatch.ts';
import type { ElementwiseMapKernel, Kernel, MapsKernel } from './kernel.ts';
import { isLittleWork } from './little-work.ts';

/** Keeps the parameters of a WebAssembly function below the 1,000 that engines allow: a part has about 30. */
const mostParts = 8;

/** Whatever depends on each other keeps its order. */
export function mergeMaps(dispatches: readonly Dispatch[], memory: TargetMemory): readonly Dispatch[] {
  const merged: Dispatch[] = [];
  for (const dispatch of dispatches) {
    const at = merged.findLastIndex(({ kernel }) => loopsOf(kernel) !== null);
    const last = merged[at];
    const together = last ? sideBySide(last, dispatch, memory) : null;
    const between = merged.slice(at + 1);
    const before = neededBy(dispatch, between);
    // A repeat is not cut in two.
    const canMove = [...before].every((other) => other.repeat === dispatch.repeat && last && !conflicts(last, other));
    if (together === null || !canMove) merged.push(dispatch);
    else merged.splice(at, between.length + 1, ...before, together, ...between.filter((other) => !before.has(other)));
  }
  return merged;
}
/** Those of the dispatches before one that have to stay before it, in their order. */
function neededBy(dispatch: Dispatch, earlier: readonly Dispatch[]): ReadonlySet<Dispatch> {
  const needed: Dispatch[] = [dispatch];
  for (const other of earlier.toReversed()) if (needed.some((later) => conflicts(other, later))) needed.unshift(other);
  return new Set(needed.slice(0, -1));
}

function loopsOf(kernel: Kernel): readonly ElementwiseMapKernel[] | null {
  if (kernel.kind === 'maps') return kernel.parts;
  return kernel.kind === 'map' && kernel.reduction === null ? [{ ...kernel, reduction: null, epilogue: null }] : null;
}

/** Two dispatches as one, or null where they depend on each other, or do not run under the same conditions. */
function sideBySide(a: Dispatch, b: Dispatch, memory: TargetMemory): Dispatch | null {
  const [first, second] = [loopsOf(a.kernel), loopsOf(b.kernel)];
  if (!first || !second || first.length + second.length > mostParts) return null;
  if (a.repeat !== b.repeat || !sameCondition(a.when, b.when)) return null;
  // In one memory a dispatch costs a meeting of lanes: of loops with more to do, one kernel less to read and to load is worth more.
  if (memory.kind === 'one memory' && !(isLittleWork(a) && isLittleWork(b))) return null;
  // What both write are different elements: a value is written once, and so is a row of a cache in a call.
  if (touches(a.writes, b.reads) || touches(a.reads, b.writes)) return null;
  const [reads, writes] = [
    [...a.reads, ...b.reads],
    [...a.writes, ...b.writes],
  ];
  const buffers = new Set([...reads, ...writes].map(({ buffer }) => buffer));
  if (memory.kind === 'buffers' && buffers.size > memory.storageBuffers) return null;
  const kernel: MapsKernel = { kind: 'maps', parts: [...first, ...second] };
  return {
    kernel,
    label: joinedLabel(a.label, b.label),
    reads,
    writes,
    integers: [...a.integers, ...b.integers],
    items: addSizes(a.items, b.items),
    when: a.when,
    repeat: a.repeat,
    nodes: [...a.nodes, ...b.nodes.filter((node) => !a.nodes.includes(node))],
    boundary: a.boundary === 'layout' ? b.boundary : a.boundary,
  };
}
function sameCondition(a: Dispatch['when'], b: Dispatch['when']): boolean {
  return a === b || (a !== null && b !== null && a.atLeast === b.atLeast && sizesEqual(a.tokens, b.tokens));
}
function touches(a: Dispatch['writes'], b: Dispatch['reads']): boolean {
  return a.some(({ buffer }) => b.some((other) => other.buffer === buffer));
}
/** `model.layers.0.self_attn.query + key`: what the second has in common with the first is said once. */
function joinedLabel(first: string, second: string): string {
  const parts = first.split(' + ');
  const scope = (parts[0] as string).slice(0, (parts[0] as string).lastIndexOf('.') + 1);
  const own = second.startsWith(scope) ? second.slice(scope.length) : second;
  return first === second || parts.includes(own) ? first : `${first} + ${own}`;
}

/** Whether two dispatches have to stay in their order. */
function conflicts(a: Dispatch, b: Dispatch): boolean {
  return touches(a.writes, [...b.reads, ...b.writes]) || touches(b.writes, a.reads);
}
