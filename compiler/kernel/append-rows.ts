/** Rows of a call's keys or values, on their way into a cache: computed where they go, or copied from where they lie. */
import { isOp, tensorOf, type Node } from '../../ir/graph.ts';
import { addSizes, maxSize, minSize, subtractSizes, type Size } from '../../ir/size.ts';
import { isHeadView } from '../../passes/fuse/groups.ts';
import { LoopBody } from './loop-body.ts';
import { sliceView, type View } from './view.ts';

/** [start, start + length) of an axis. */
export interface Extent {
  readonly start: Size;
  readonly length: Size;
}
export interface RowWriter {
  /** Nodes that no kernel has computed. */
  readonly unwritten: ReadonlySet<Node>;
  viewOf(node: Node): View;
  copy(node: Node, from: View, to: View): void;
  /** Evaluates a node over a nest of the shape of `to`. */
  compute(node: Node, body: LoopBody, nodes: readonly Node[], to: View): void;
}

/** Writes a part of the value [1, heads, n, size] of a node: an extent along each axis. */
export function appendRows(node: Node, part: readonly Extent[], to: View, writer: RowWriter): void {
  if (!isUnwritten(node, writer.unwritten)) {
    const from = part.reduce((view, { start, length }, axis) => sliceView(view, axis, start, length), writer.viewOf(node));
    writer.copy(node, from, to);
  } else if (isOp(node, 'slice')) {
    const { axis, start } = node.attributes;
    const own = part.map((extent, at) => (at === axis ? { ...extent, start: addSizes(extent.start, start) } : extent));
    appendRows(node.inputs[0] as Node, own, to, writer);
  } else if (isOp(node, 'concat')) appendJoined(node, part, to, writer);
  else {
    const nodes = membersOf(node, writer.unwritten);
    const origin = part.map(({ start }) => start);
    const body = new LoopBody(part.length, false, nodes, (read) => writer.viewOf(read), origin);
    writer.compute(node, body, nodes, to);
  }
}

/** The parts of a concatenation that meet the one to write, each to its own place. Heads and their sizes are numbers. */
function appendJoined(node: Node<'concat'> & Node, part: readonly Extent[], to: View, writer: RowWriter): void {
  const { axis } = node.attributes;
  const { start, length } = part[axis] as Extent;
  let first: Size = 0;
  for (const input of node.inputs) {
    const end = addSizes(first, tensorOf(input).shape[axis] as Size);
    const from = maxSize(first, start);
    const count = subtractSizes(minSize(end, addSizes(start, length)), from);
    if (typeof count !== 'number' || count > 0) {
      const own = part.map((extent, at) => (at === axis ? { start: subtractSizes(from, first), length: count } : extent));
      appendRows(input, own, sliceView(to, axis, subtractSizes(from, start), count), writer);
    }
    first = end;
  }
}

function isUnwritten(node: Node, unwritten: ReadonlySet<Node>): boolean {
  return unwritten.has(node) || (isHeadView(node) && node.inputs.some((input) => isUnwritten(input, unwritten)));
}
/** What a loop over a node computes, inputs before users. */
function membersOf(node: Node, unwritten: ReadonlySet<Node>): readonly Node[] {
  const members = new Set<Node>();
  const visit = (member: Node): void => {
    if (!unwritten.has(member) || members.has(member)) return;
    member.inputs.forEach(visit);
    members.add(member);
  };
  visit(node);
  return [...members];
}
