/** Where the values of nodes lie: buffers, views over them, weights, and places in concatenations. */
import { isOp, tensorOf, useCounts, type Node } from '../../ir/graph.ts';
import { addSizes, elementCount, type Size } from '../../ir/size.ts';
import type { TensorType } from '../../ir/type.ts';
import type { Group } from '../../passes/fuse/groups.ts';
import type { Stage } from '../../passes/pass.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { BufferElementType, WeightPacking } from '../../runtime/format/program.ts';
import { formatBlockFormat, type BlockFormat } from '../weights/block-format.ts';
import {
  broadcastView,
  contiguousStrides,
  contiguousView,
  elementBytes,
  isContiguous,
  panelElements,
  reshapeView,
  sliceView,
  transposeView,
  type Buffer,
  type RowRange,
  type View,
} from './view.ts';

/** What memory needs of the one who plans kernels: values that no view can give are written by a kernel. */
export interface Writer {
  copy(node: Node, from: View, to: View): void;
  /** Writes a constant or an iota. */
  fill(node: Node, to: View): void;
}

/** How the weights lie in memory. */
export interface WeightsInMemory {
  /** Parameters that are kept in blocks, which only kernels of blocks read. */
  formatOf(parameter: string): BlockFormat | null;
  /** Parameters that are kept in 16 bits. */
  isHalf(parameter: string): boolean;
  /** The most bytes of one buffer. */
  readonly largestBytes: number;
}
/** Rows of a matrix [N, K], in buffers of their own. */
export interface MatrixPart {
  readonly rows: RowRange;
  /** One view of plain numbers; or quants, scales and minima. */
  readonly views: readonly View[];
}

export class NodeMemory {
  readonly #stage: Stage;
  readonly #writer: Writer;
  readonly #storage: WeightsInMemory;
  readonly #buffers: Buffer[] = [];
  readonly #views = new Map<Node, readonly View[]>();
  readonly #weights = new Map<string, Buffer>();
  readonly #outputNodes: ReadonlySet<Node>;
  readonly #groupOf = new Map<Node, Group>();
  /** Nodes that write straight into their place in a concatenation. */
  readonly #places = new Map<Node, { readonly concat: Node<'concat'>; readonly start: Size }>();
  readonly #concats = new Map<Node, View>();

  constructor(stage: Stage, writer: Writer, storage: WeightsInMemory) {
    this.#stage = stage;
    this.#storage = storage;
    this.#writer = writer;
    this.#outputNodes = new Set(stage.graph.outputs.map((output) => output.node));
    for (const group of stage.fusion?.groups ?? []) this.#groupOf.set(group.root, group);
    this.#planConcats();
  }
  get buffers(): readonly Buffer[] {
    return this.#buffers;
  }

  /** Memory that the caller fills before a run. */
  input(node: Node<'input'>): View {
    const { elementType, shape } = tensorOf(node);
    const view = contiguousView(
      this.#buffer(`input ${node.attributes.name}`, 'io', { kind: 'tensor', elementType, shape }),
      shape,
    );
    this.#views.set(node, [view]);
    return view;
  }
  /** Memory that outlives the call. */
  #state(node: Node<'state'> & Node): View {
    const { name, elementType, shape } = node.attributes;
    return contiguousView(this.#buffer(name, 'state', { kind: 'tensor', elementType, shape }), shape);
  }
  /** Memory for what the kernels of one node hand to each other. */
  scratch(node: Node, what: string, shape: readonly Size[]): View {
    const name = `${this.label([node])} (${what})`;
    return contiguousView(this.#buffer(name, 'workspace', { kind: 'tensor', elementType: 'f32', shape }), shape);
  }
  /** Memory that the caller reads after a run: the node's own where it is whole, else a copy. */
  output(name: string, node: Node): View {
    const view = this.viewOf(node);
    const owned = view.buffer.class === 'io' && !view.buffer.name.startsWith('input ') && view.offset === 0;
    return owned && isContiguous(view) ? view : this.copy(node, view, `output ${name}`, 'io');
  }

  #buffer(name: string, type: Buffer['class'], { elementType, shape }: TensorType): Buffer {
    const buffer: Buffer = { name, class: type, elementType, elements: elementCount(shape), weight: null };
    this.#buffers.push(buffer);
    return buffer;
  }
  /** The whole of a parameter of plain numbers. Throws ATPC-399 for one in blocks, ATPC-307 for one that takes several buffers. */
  #parameter(node: Node<'parameter'>): View {
    const parts = this.matrix(node, { kind: 'rows' });
    const [view] = parts[0]?.views ?? [];
    if (view && parts.length === 1)
      return { ...view, shape: node.attributes.shape, strides: contiguousStrides(node.attributes.shape) };
    throw new AtpcError(
      'ATPC-307',
      `The parameter '${node.attributes.name}' is larger than the ${this.#storage.largestBytes} bytes that a kernel of this target reaches.`,
      { hint: 'Only products, and look-ups in blocks, read a weight in parts: quantise the model (--weights q8 or q4).' },
    );
  }
  /**
   * A parameter of plain numbers, in one packing; used in two packings, it is there twice. In one part where that fits a buffer, else
   * by rows. Throws ATPC-399 for one in blocks.
   */
  matrix(node: Node<'parameter'>, packing: WeightPacking): readonly MatrixPart[] {
    const { name, elementType, shape } = node.attributes;
    const format = this.#storage.formatOf(name);
    if (format !== null) {
      const found = `'${name}' is kept as ${formatBlockFormat(format)}, and what reads it takes plain numbers`;
      throw new AtpcError('ATPC-399', `The parameter ${found}: it has to be expanded before lowering.`);
    }
    const stored = elementType === 'f32' && this.#storage.isHalf(name) ? 'f16' : elementType;
    return this.#inParts(
      shape.map(Number),
      [{ name, elementType: stored, width: elementCount(shape.slice(1)) as number }],
      packing,
    );
  }
  /** Quants, scales and minima of a matrix in blocks, or null for one of plain numbers; all that read it share them. */
  blocks(node: Node<'parameter'>): { readonly format: BlockFormat; readonly parts: readonly MatrixPart[] } | null {
    const { name, shape } = node.attributes;
    const format = this.#storage.formatOf(name);
    if (format === null) return null;
    const [rows = 0, columns = 0] = shape.map(Number);
    if (shape.length !== 2 || columns % format.block !== 0) {
      const found = `[${shape.map(String).join(', ')}] in ${formatBlockFormat(format)}`;
      throw new AtpcError('ATPC-399', `The parameter '${name}' is no matrix of whole blocks: ${found}.`);
    }
    const scales = columns / format.block;
    const tensors: StoredRows[] = [
      { name: `${name}.quants`, elementType: 'u8', width: (columns * format.bits) / 8 },
      { name: `${name}.scales`, elementType: 'f32', width: scales },
      ...(format.minima ? [{ name: `${name}.minima`, elementType: 'f32', width: scales } as const] : []),
    ];
    return { format, parts: this.#inParts([rows], tensors, { kind: 'rows' }) };
  }
  /** The same rows of several tensors, as many at a time as fit a buffer. Of a single tensor, `shape` is the whole shape. */
  #inParts(shape: readonly number[], tensors: readonly StoredRows[], packing: WeightPacking): readonly MatrixPart[] {
    const count = shape[0] ?? 1;
    const rowBytes = Math.max(...tensors.map(({ elementType, width }) => width * elementBytes[elementType]));
    const { largestBytes } = this.#storage;
    const most = count * rowBytes <= largestBytes || packing.kind !== 'rows' ? count : wholeRows(largestBytes / rowBytes);
    if (most < 1) {
      const name = tensors[0]?.name ?? '';
      throw new AtpcError('ATPC-307', `Four rows of '${name}' take more than the ${largestBytes} bytes that a kernel reaches.`);
    }
    const parts: MatrixPart[] = [];
    for (let first = 0; first < count || first === 0; first += Math.max(1, most)) {
      const rows: RowRange = [first, Math.min(count, first + most)];
      const views = tensors.map(({ name, elementType, width }) => {
        const whole = tensors.length === 1 ? shape : [count, width];
        const range = most < count ? rows : undefined;
        return contiguousView(this.#weightBuffer(name, elementType, whole, packing, range), [rows[1] - rows[0], width]);
      });
      parts.push({ rows, views });
    }
    return parts;
  }
  #weightBuffer(
    name: string,
    elementType: BufferElementType,
    shape: readonly number[],
    packing: WeightPacking,
    rows?: RowRange,
  ): Buffer {
    const key = `${JSON.stringify([packing, rows])} ${name}`;
    const known = this.#weights.get(key);
    if (known) return known;
    const held = rows ? [rows[1] - rows[0], ...shape.slice(1)] : shape;
    const elements = packing.kind === 'panels' ? panelElements(shape[0] ?? 1, shape[1] ?? 1, packing.width) : elementCount(held);
    const weight = { tensor: name, shape, ...(rows ? { rows } : {}), packing };
    const buffer: Buffer = { name: rows ? `${name}[${rows.join(':')}]` : name, class: 'weights', elementType, elements, weight };
    this.#weights.set(key, buffer);
    this.#buffers.push(buffer);
    return buffer;
  }

  /** A name for people, from the model's variables and module path. */
  label(nodes: readonly Node[]): string {
    const named = [...nodes].reverse().map((node) => this.#stage.graph.nodes.provenance(node));
    const scope = named.find((provenance) => provenance.scope)?.scope;
    const name = named.find((provenance) => provenance.name)?.name ?? nodes.at(-1)?.op ?? 'copy';
    return scope && !name.startsWith(scope) ? `${scope}.${name}` : name;
  }

  /** Where a node's value lies; movement becomes strides, and a copy only where strides cannot say it. */
  viewOf(node: Node): View {
    const known = this.#views.get(node)?.[0];
    if (known) return known;
    const view = this.#makeView(node);
    this.#views.set(node, [view]);
    return view;
  }
  #makeView(node: Node): View {
    const [input] = node.inputs;
    if (isOp(node, 'parameter')) return this.#parameter(node);
    if (isOp(node, 'state')) return this.#state(node);
    if (isOp(node, 'constant') || isOp(node, 'iota')) return this.#fill(node);
    if (input && isOp(node, 'get')) {
      const element = this.#views.get(input)?.[node.attributes.index];
      if (element) return element;
    } else if (input && isOp(node, 'transpose')) return transposeView(this.viewOf(input), node.attributes.permutation);
    else if (input && isOp(node, 'slice')) {
      return sliceView(this.viewOf(input), node.attributes.axis, node.attributes.start, node.attributes.length);
    } else if (input && isOp(node, 'broadcast')) return broadcastView(this.viewOf(input), node.attributes.shape);
    else if (input && isOp(node, 'reshape')) {
      const view = this.viewOf(input);
      return reshapeView(view, node.attributes.shape) ?? (reshapeView(this.copy(input, view), node.attributes.shape) as View);
    } else if (isOp(node, 'concat')) return this.#concatView(node);
    throw new AtpcError('ATPC-307', `No kernel gives the value of node %${node.id} (${node.op}) to what reads it.`);
  }

  // Concatenation: producers that can write anywhere write into their place; the others are copied.
  #planConcats(): void {
    const uses = useCounts(this.#stage.graph);
    const concats = [...uses.keys()].filter((node) => isOp(node, 'concat'));
    for (const concat of concats) {
      if (!isOp(concat, 'concat')) continue;
      let start: Size = 0;
      for (const input of concat.inputs) {
        const kind = this.#groupOf.get(input)?.kind;
        if (uses.get(input) === 1 && (kind === 'attention' || kind === 'cached_attention' || kind === 'map'))
          this.#places.set(input, { concat, start });
        start = addSizes(start, tensorOf(input).shape[concat.attributes.axis] as Size);
      }
    }
  }
  /** Memory of a concatenation, made when the first of its parts is written. */
  #concatMemory(node: Node<'concat'>): View {
    const known = this.#concats.get(node);
    if (known) return known;
    const isAttention = (input: Node): boolean => {
      const kind = this.#groupOf.get(input)?.kind;
      return kind === 'attention' || kind === 'cached_attention';
    };
    const headsLast = node.attributes.axis === 1 && node.inputs.every(isAttention);
    const whole = this.#allocate(node, headsLast);
    this.#concats.set(node, whole);
    return whole;
  }
  #concatView(node: Node<'concat'>): View {
    const whole = this.#concatMemory(node);
    let start: Size = 0;
    for (const input of node.inputs) {
      const length = tensorOf(input).shape[node.attributes.axis] as Size;
      if (!this.#places.has(input))
        this.#writer.copy(input, this.viewOf(input), sliceView(whole, node.attributes.axis, start, length));
      start = addSizes(start, length);
    }
    return whole;
  }

  /** Memory for a node's value; `headsLast` lays [b, heads, n, size] out as [b, n, heads, size], ready for the next layer. */
  #allocate(node: Node, headsLast = false): View {
    const type = tensorOf(node);
    const place = this.#places.get(node);
    if (place) {
      const axis = place.concat.attributes.axis;
      return sliceView(this.#concatMemory(place.concat), axis, place.start, type.shape[axis] as Size);
    }
    const name = this.label([node]);
    if (!headsLast) return contiguousView(this.#buffer(name, this.#outputNodes.has(node) ? 'io' : 'workspace', type), type.shape);
    const buffer = this.#buffer(name, 'workspace', type);
    const order = [0, 2, 1, 3];
    return transposeView(
      contiguousView(
        buffer,
        order.map((axis) => type.shape[axis] as Size),
      ),
      order,
    );
  }

  #fill(node: Node): View {
    const view = this.result(node);
    this.#writer.fill(node, view);
    return view;
  }
  /** Memory for what a kernel writes. */
  result(node: Node, headsLast = false): View {
    const view = this.#allocate(node, headsLast);
    this.#views.set(node, [view]);
    return view;
  }

  /** Memory for the results of a mode kernel. */
  results(node: Node): readonly View[] {
    if (node.type.kind !== 'tuple') throw new AtpcError('ATPC-399', `Node %${node.id} (${node.op}) gives no tuple.`);
    const label = this.label([node]);
    const views = node.type.elements.map((type, index) =>
      contiguousView(this.#buffer(`${label}.${index}`, 'workspace', type), type.shape),
    );
    this.#views.set(node, views);
    return views;
  }
  contiguous(node: Node): View {
    const view = this.viewOf(node);
    return isContiguous(view) ? view : this.copy(node, view);
  }
  /** As rows of a matrix: [M, N] with unit stride inside a row. */
  rows(node: Node): View {
    const view = this.viewOf(node);
    const width = view.shape.at(-1) as Size;
    const shape = [elementCount(view.shape.slice(0, -1)), width];
    const rows = reshapeView(view, shape);
    if (rows && (rows.strides[1] === 1 || width === 1)) return rows;
    return reshapeView(this.copy(node, view), shape) as View;
  }
  /** A [b, heads, rows, size] tensor with unit stride inside a row. */
  heads(node: Node): View {
    const view = this.viewOf(node);
    return view.strides[3] === 1 || view.shape[3] === 1 ? view : this.copy(node, view);
  }

  /** The same values, contiguous, in memory of their own. */
  copy(node: Node, view: View, name = `${this.label([node])} (copy)`, type: Buffer['class'] = 'workspace'): View {
    const { elementType } = tensorOf(node);
    const result = contiguousView(this.#buffer(name, type, { kind: 'tensor', elementType, shape: view.shape }), view.shape);
    this.#writer.copy(node, view, result);
    return result;
  }
}

/** A tensor of rows, `width` elements each. */
interface StoredRows {
  readonly name: string;
  readonly elementType: BufferElementType;
  readonly width: number;
}
/** Rows in fours, so that every part begins at a whole word of the file. */
function wholeRows(rows: number): number {
  return Math.floor(rows / 4) * 4;
}
