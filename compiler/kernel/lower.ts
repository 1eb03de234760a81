/** Lowers groups of nodes to kernels over buffers: plans memory views, then fills in each kernel's operands and integers. */
import { isOp, tensorOf, type Node } from '../../ir/graph.ts';
import { ceilDivideSizes, elementCount, multiplySizes, sizeAtMost, type Size } from '../../ir/size.ts';
import type { TensorType } from '../../ir/type.ts';
import type { Group, GroupKind } from '../../passes/fuse/groups.ts';
import type { Stage } from '../../passes/pass.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Target } from '../codegen/target.ts';
import type { BlockFormat } from '../weights/block-format.ts';
import { appendRows, type Extent } from './append-rows.ts';
import { kernelSegments, type SegmentOperand } from './attention-segments.ts';
import { lowerCachedAttention } from './cached-attention.ts';
import type { BufferRange, Dispatch, DispatchList, Port, RepeatPlace } from './dispatch.ts';
import type { Kernel } from './kernel.ts';
import { broadcastAxes, lastStride, LoopBody, type AxisMap } from './loop-body.ts';
import { lowerGemm, lowerLookup, type ProductLowering } from './lower-products.ts';
import { mergeMaps } from './merge-maps.ts';
import { neededFrom } from './needed-from.ts';
import { NodeMemory, type Writer } from './node-memory.ts';
import { planNorms, type NormPlan } from './plan-norms.ts';
import { ProductNorms } from './product-norms.ts';
import type { View } from './view.ts';

const identityAxes = (rank: number): AxisMap => Array.from({ length: rank }, (_, axis) => axis);
const rangeOf = ({ buffer, offset }: View): BufferRange => ({ buffer, offset });
/** (batch, head, row) strides of a [b, heads, rows, size] view. */
const headStrides = (view: View): readonly Size[] => view.strides.slice(0, 3);

/** Where a dispatch comes from: a group, or a copy that has a label and stands for the node that it copies. */
interface Origin {
  readonly nodes: readonly Node[];
  readonly boundary: Dispatch['boundary'];
  readonly label?: string;
  readonly need?: Node;
  readonly when?: Dispatch['when'];
  readonly repeat?: RepeatPlace | null;
  readonly largestIntegers?: readonly Size[];
}

export interface LowerOptions {
  /** The format of a parameter that is kept in blocks and multiplied from them; null, the default, for plain numbers. */
  readonly formatOf?: (parameter: string) => BlockFormat | null;
  /** Parameters that the package stores as F16, and that are right sides of products: kept so where the target can; none by default. */
  readonly isHalf?: (parameter: string) => boolean;
}

/** Throws ATPC-307 for what the target has no kernel for, ATPC-399 for a parameter in blocks where plain numbers are read. */
export function lower(stage: Stage, target: Target, options: LowerOptions = {}): DispatchList {
  return new Lowering(stage, target, options).run();
}

class Lowering {
  readonly #stage: Stage;
  readonly #target: Target;
  readonly #memory: NodeMemory;
  readonly #dispatches: Dispatch[] = [];
  readonly #needs: ReturnType<typeof neededFrom>;
  readonly #norms: NormPlan;
  readonly #productNorms: ProductNorms;
  readonly #products: ProductLowering;

  constructor(stage: Stage, target: Target, { formatOf = () => null, isHalf = () => false }: LowerOptions) {
    this.#stage = stage;
    this.#target = target;
    this.#needs = neededFrom(stage.graph);
    this.#norms = planNorms(stage, target, formatOf);
    const writer: Writer = {
      copy: (node, from, to) => this.#emitCopy(node, from, to),
      fill: (node, to) => this.#emitMap({ kind: 'map', root: node, nodes: [node], boundary: 'user reads tiles' }, to),
    };
    const { memory } = target;
    this.#memory = new NodeMemory(
      stage,
      writer,
      memory.kind === 'buffers'
        ? { formatOf, isHalf: (parameter) => memory.halfWeights && isHalf(parameter), largestBytes: memory.weightBytes }
        : { formatOf, isHalf: () => false, largestBytes: Infinity },
    );
    this.#productNorms = new ProductNorms(this.#norms, this.#memory);
    this.#products = {
      memory: this.#memory,
      target,
      norms: this.#productNorms,
      push: ({ kernel, origin, reads, writes, integers, items }) => this.#push(kernel, origin, reads, writes, integers, items),
    };
  }

  run(): DispatchList {
    const { graph, fusion } = this.#stage;
    const port = (name: string, { buffer, shape }: View): Port => ({ name, buffer, shape });
    const inputs = graph.inputs.map((node) => port(node.attributes.name, this.#memory.input(node)));
    const { taken, kept } = this.#norms;
    for (const group of fusion?.groups ?? []) {
      const boundary = kept.get(group.root) ?? group.boundary;
      if (!taken.has(group.root)) this.#emit[group.kind](boundary === group.boundary ? group : { ...group, boundary });
    }
    const outputs = graph.outputs.map(({ name, node }) => port(name, this.#memory.output(name, node)));
    return { dispatches: mergeMaps(this.#dispatches, this.#target.memory), buffers: this.#memory.buffers, inputs, outputs };
  }

  #emitCopy(node: Node, from: View, to: View, repeat: RepeatPlace | null = null): void {
    const rank = Math.max(1, from.shape.length);
    const body = new LoopBody(rank, false, [], () => from);
    const scalar = body.load(from, identityAxes(from.shape.length), tensorOf(node).elementType);
    this.#emitLoop(body, scalar, null, from.shape, to, tensorOf(node), {
      nodes: [],
      boundary: 'layout',
      label: `${this.#memory.label([node])} (copy)`,
      need: node,
      repeat,
    });
  }

  #push(
    kernel: Kernel,
    origin: Origin,
    reads: readonly View[],
    writes: readonly View[],
    integers: readonly Size[],
    items: Size,
  ): void {
    const need = this.#needs.get(origin.need ?? (origin.nodes.at(-1) as Node));
    this.#dispatches.push({
      kernel,
      label: origin.label ?? this.#memory.label(origin.nodes),
      reads: reads.map(rangeOf),
      writes: writes.map(rangeOf),
      integers,
      ...(origin.largestIntegers && { largestIntegers: origin.largestIntegers }),
      items,
      when: origin.when ?? (need && need.atLeast > 0 ? need : null),
      repeat: origin.repeat ?? null,
      nodes: origin.nodes,
      boundary: origin.boundary,
    });
  }

  readonly #emit: { readonly [K in GroupKind]: (group: Group) => void } = {
    gemm: (group) => lowerGemm(group, this.#products),
    lookup: (group) => lowerLookup(group, this.#products),
    map: (group) => this.#emitMap(group, this.#memory.result(group.root)),
    norm: (group) => this.#emitNorm(group),
    attention: (group) => this.#emitAttention(group),
    cached_attention: (group) =>
      lowerCachedAttention(group, {
        memory: this.#memory,
        target: this.#target,
        push: ({ kernel, reads, writes, integers, largestIntegers, items, when = null, repeat = null }) =>
          this.#push(
            kernel,
            { ...group, when, repeat, ...(largestIntegers && { largestIntegers }) },
            reads,
            writes,
            integers,
            items,
          ),
        append: (node, part, to, repeat) => this.#appendRows(group, node, { part, to, repeat }),
      }),
    cluster: (group) => this.#emitMode(group),
    segment_means: (group) => this.#emitMode(group),
    principal_rows: (group) => this.#emitPrincipalRows(group),
  };
  #appendRows(
    { nodes }: Group,
    appended: Node,
    { part, to, repeat }: { readonly part: readonly Extent[]; readonly to: View; readonly repeat: RepeatPlace | null },
  ): void {
    appendRows(appended, part, to, {
      unwritten: new Set(nodes),
      viewOf: (node) => this.#memory.viewOf(node),
      copy: (node, from, place) => this.#emitCopy(node, from, place, repeat),
      compute: (node, body, members, place) => {
        const scalar = body.scalar(node, identityAxes(place.shape.length));
        const origin: Origin = { nodes: members, boundary: 'appended to a cache', repeat };
        this.#emitLoop(body, scalar, null, place.shape, place, tensorOf(node), origin);
      },
    });
  }
  #emitMap(group: Group, result: View): void {
    const { root } = group;
    const type = tensorOf(root);
    const rank = Math.max(1, type.shape.length);
    const axes = identityAxes(type.shape.length);
    if (isOp(root, 'matmul')) {
      const [left, right] = root.inputs as [Node, Node];
      const [row, column] = [rank - 2, rank - 1];
      const lead = axes.slice(0, rank - 2);
      const body = new LoopBody(rank, true, [], (node) => this.#memory.viewOf(node));
      const transposed = root.attributes.transposeRight;
      const depth = tensorOf(left).shape.at(-1) as Size;
      const product = [left, right].map((node, side) => {
        const inner = side === 0 ? [row, rank] : transposed ? [column, rank] : [rank, column];
        return body.scalar(node, broadcastAxes(node, [...lead, ...inner]));
      });
      this.#emitLoop(
        body,
        { kind: 'apply', type: 'f32', op: 'multiply', inputs: product },
        { op: 'sum', extent: depth },
        type.shape,
        result,
        type,
        group,
      );
    } else if (isOp(root, 'reduce_sum') || isOp(root, 'reduce_max')) {
      const [input] = root.inputs as [Node];
      const { axis } = root.attributes;
      const body = new LoopBody(rank, true, group.nodes, (node) => this.#memory.viewOf(node));
      const scalar = body.scalar(
        input,
        broadcastAxes(
          input,
          axes.map((own) => (own === axis ? rank : own)),
        ),
      );
      const extent = tensorOf(input).shape[axis] as Size;
      this.#emitLoop(body, scalar, { op: root.op === 'reduce_sum' ? 'sum' : 'max', extent }, type.shape, result, type, group);
    } else {
      const body = new LoopBody(rank, false, group.nodes, (node) => this.#memory.viewOf(node));
      this.#emitLoop(body, body.scalar(root, axes), null, type.shape, result, type, group);
    }
  }
  #emitLoop(
    body: LoopBody,
    scalar: Extract<Kernel, { kind: 'map' }>['body'],
    reduction: { readonly op: 'sum' | 'max'; readonly extent: Size } | null,
    shape: readonly Size[],
    result: View,
    type: TensorType,
    origin: Origin,
  ): void {
    const extents = shape.length === 0 ? [1] : shape;
    const resultStrides = result.strides.length === 0 ? [1] : result.strides;
    const kernel: Kernel = {
      kind: 'map',
      rank: extents.length,
      operands: body.operands,
      reduction: reduction?.op ?? null,
      body: scalar,
      epilogue: null,
      result: { elementType: type.elementType, lastStride: lastStride(resultStrides.at(-1)) },
    };
    const integers = [...extents, ...(reduction ? [reduction.extent] : []), ...body.integers, ...resultStrides];
    this.#push(kernel, origin, body.views, [result], integers, elementCount(extents.slice(0, -1)));
  }

  #emitNorm(group: Group): void {
    const { root } = group;
    if (!isOp(root, 'layer_norm') && !isOp(root, 'rms_norm')) throw new AtpcError('ATPC-399', `Node %${root.id} is not a norm.`);
    const [x, ...affine] = root.inputs as [Node, ...Node[]];
    const { shape } = tensorOf(root);
    const body = new LoopBody(shape.length, false, group.nodes, (node) => this.#memory.viewOf(node));
    const scalar = body.scalar(x, identityAxes(shape.length));
    const weights = affine.map((node) => this.#memory.contiguous(node));
    const handed = this.#productNorms.handed(root);
    const kernel: Kernel = {
      kind: 'norm',
      norm: root.op === 'layer_norm' ? 'layer' : 'rms',
      epsilon: root.attributes.epsilon,
      rank: shape.length,
      operands: body.operands,
      body: scalar,
      ...(handed && { gathered: true }),
    };
    const result = this.#memory.result(root);
    this.#push(
      kernel,
      group,
      [...body.views, ...weights, ...(handed ? [handed.view] : [])],
      [result],
      [...shape, ...body.integers, ...(handed ? [handed.columns] : [])],
      elementCount(shape.slice(0, -1)),
    );
  }

  #emitAttention(group: Group): void {
    const node = group.root as Node<'attention'> & Node;
    const query = this.#memory.heads(node.inputs[0] as Node);
    const [batch, queryHeads, queries, headSize] = query.shape as [Size, Size, Size, Size];
    const valueSize = tensorOf(node).shape[3];
    const groups = tensorOf(node.inputs[1] as Node).shape[1] as Size;
    if (typeof headSize !== 'number' || typeof valueSize !== 'number') {
      throw new AtpcError('ATPC-307', `The head size of attention node %${node.id} is not a fixed number.`);
    }
    const segments = kernelSegments(node);
    const reads: View[] = [query];
    const segmentIntegers: Size[] = [];
    for (const { operands, counts } of segments) {
      segmentIntegers.push(...counts.map((counted) => tensorOf(counted).shape[2] as Size));
      for (const operand of operands) {
        const { view, integers } = this.#segmentOperand(operand);
        reads.push(view);
        segmentIntegers.push(...integers);
      }
    }
    const result = this.#memory.result(node, true);
    const kernels = segments.map(({ segment }) => segment);
    const largest = Object.fromEntries(this.#stage.graph.dims.map(({ name, max }) => [name, max]));
    const most = segments.map(({ counts: [counted] }) =>
      counted === undefined ? null : sizeAtMost(tensorOf(counted).shape[2] as Size, largest),
    );
    const schedule = this.#target.attentionSchedule(headSize, valueSize, false, kernels, most);
    const kernel: Kernel = {
      kind: 'attention',
      headSize,
      valueSize,
      scale: node.attributes.scale,
      segments: kernels,
      logSumExp: false,
      schedule,
    };
    const integers = [batch, queryHeads, groups, queries, ...headStrides(query), ...headStrides(result), ...segmentIntegers];
    this.#push(
      kernel,
      group,
      reads,
      [result],
      integers,
      multiplySizes(batch, queryHeads, ceilDivideSizes(queries, schedule.queryTile)),
    );
  }
  #segmentOperand({ node, layout }: SegmentOperand): { readonly view: View; readonly integers: readonly Size[] } {
    if (layout === 'contiguous') return { view: this.#memory.contiguous(node), integers: [] };
    if (layout === 'heads') {
      const view = this.#memory.heads(node);
      return { view, integers: headStrides(view) };
    }
    const view = this.#memory.viewOf(node);
    const unit = view.strides[2] === 1 ? view : this.#memory.copy(node, view);
    return { view: unit, integers: unit.strides.slice(0, 2) };
  }

  #emitMode(group: Group): void {
    const node = group.root;
    const [key, value] = [this.#memory.heads(node.inputs[0] as Node), this.#memory.heads(node.inputs[1] as Node)];
    const mask = this.#memory.contiguous(node.inputs[2] as Node);
    const results = this.#memory.results(node);
    const [batch, groups, tokens, headSize] = key.shape as [Size, Size, Size, number];
    const valueSize = Number(value.shape[3]);
    const sizes = { headSize, valueSize };
    const means = results.find((view) => view.shape.length === 4) as View;
    const integers = [batch, groups, tokens, means.shape[2] as Size, ...headStrides(key), ...headStrides(value)];
    const kernel: Kernel = isOp(node, 'cluster')
      ? { kind: 'cluster', ...sizes, ...node.attributes }
      : { kind: 'segment_means', ...sizes, count: (node as Node<'segment_means'>).attributes.count };
    this.#push(kernel, group, [key, value, mask], results, integers, multiplySizes(batch, groups));
  }
  #emitPrincipalRows(group: Group): void {
    const node = group.root as Node<'principal_rows'> & Node;
    const [x, mask] = [this.#memory.contiguous(node.inputs[0] as Node), this.#memory.contiguous(node.inputs[1] as Node)];
    const results = this.#memory.results(node);
    const [batch, tokens, width] = x.shape as [Size, Size, Size];
    const rows = (results[0] as View).shape[1] as Size;
    this.#push(
      { kind: 'principal_rows', count: node.attributes.count },
      group,
      [x, mask],
      results,
      [batch, tokens, width, rows],
      batch,
    );
  }
}
