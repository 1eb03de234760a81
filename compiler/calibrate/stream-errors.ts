/**
 * What constant-size caches would cost each KV head of a causal model, measured on a text: the model reads it with dense caches,
 * and beside each attention a second one with a `stream` cache reads the same queries, keys and values (atp-modes.md, section 2,
 * "hybrid, and how to find the heads").
 */
import { stateTensorsOf } from '../../ir/cache.ts';
import { graphNodes, isOp, tensorOf, type Graph, type GraphOutput, type GraphState, type Node } from '../../ir/graph.ts';
import { causalModes, uniformCachePlan } from '../../passes/atp/cache-plan.ts';
import type { AttentionShape } from '../../passes/atp/site.ts';
import { pastDim, positionsInput, seqDim, withCaches } from '../../passes/cache.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import type { FloatTensor, TensorOutput } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { buildEntries, emit, moduleOf } from '../build.ts';
import type { Target } from '../codegen/target.ts';
import { withCodes } from '../pass-fault.ts';
import { Parameters } from '../program/parameters.ts';
import { instantiateProgram } from '../program/run-program.ts';
import { formatsOf, type TensorSource } from '../weights/tensor-source.ts';

export interface HeadError {
  readonly layer: number;
  readonly kvHead: number;
  /** Mean over positions of (|Wo (stream - dense)| / |residual stream|)^2, Wo and outputs of this head's queries alone. */
  readonly error: number;
}
export interface StreamErrorsOptions {
  readonly graph: Graph;
  readonly tensors: TensorSource;
  readonly shapes: readonly AttentionShape[];
  /** Token ids of each text. */
  readonly texts: readonly (readonly number[])[];
  /** Atoms of the stream that is measured. */
  readonly atoms: number;
  /** Positions before this one say nothing: the stream is still exact there, or nearly. */
  readonly firstPosition: number;
  readonly target: Target;
  readonly signal?: AbortSignal;
  /** Tokens that were read, of all texts. */
  readonly onProgress?: (tokens: number, total: number) => void;
}

/** Tokens of a call: outputs of every layer come back, about 0.2 MB a token for a small model. */
const pieceTokens = 256;

/** By layer and KV head. Throws ATPC-311 for a model whose attention does not go through one linear layer into a residual stream. */
export async function measureStreamErrors(options: StreamErrorsOptions): Promise<readonly HeadError[]> {
  const { graph, tensors, shapes, texts, target, signal, onProgress, firstPosition } = options;
  const capacity = Math.max(...texts.map((ids) => ids.length));
  const probe = probeGraph(graph, shapes, capacity, options.atoms);
  const built = buildEntries(graph.name, [{ name: 'score', graph: probe.graph }], densePlan, {
    target,
    verify: false,
    formatOf: formatsOf(tensors),
  });
  const { files } = await emit(built, target, { build: target.features });
  const parameters = new Parameters({
    source: tensors,
    derived: built.stage.derived,
    computed: {},
    storage: null,
    formats: built.formats,
  });
  const program = await instantiateProgram(built.program, moduleOf(files), (name) => parameters.readTensor(name));
  const heads = await Promise.all(
    shapes.map(async (shape, layer) => new LayerErrors(shape, await tensors.readFloat32(probe.outputWeights[layer] ?? ''))),
  );
  const total = texts.reduce((sum, ids) => sum + ids.length, 0);
  const longest = graph.dims.find(({ name }) => name === seqDim)?.max ?? 1;
  let read = 0;
  for (const ids of texts) {
    const state = program.openState();
    try {
      for (let past = 0; past < ids.length;) {
        signal?.throwIfAborted();
        const piece = ids.slice(past, past + Math.min(pieceTokens, longest));
        const positions = Int32Array.from(piece, (_, index) => past + index);
        const inputs = { input_ids: Int32Array.from(piece), [positionsInput]: positions };
        const results = program.run({ [seqDim]: piece.length, [pastDim]: past }, inputs, { entry: 'score', state });
        const skipped = Math.max(0, firstPosition - past);
        heads.forEach((layer, index) => layer.add(outputsOf(results, index), skipped));
        past += piece.length;
        read += piece.length;
        onProgress?.(read, total);
        // The command line must be able to hear an interrupt.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      program.closeState(state);
    }
  }
  return heads.flatMap((layer, index) => layer.means().map((error, kvHead) => ({ layer: index, kvHead, error })));
}

const parts = ['dense', 'stream', 'residual'] as const;
type LayerOutputs = { readonly [P in (typeof parts)[number]]: FloatTensor };
function outputsOf(results: Readonly<Record<string, TensorOutput>>, layer: number): LayerOutputs {
  const entries = parts.map((part) => [part, results[`${part}.${layer}`]] as const);
  return Object.fromEntries(entries) as unknown as LayerOutputs;
}

/** The model with dense caches, whose outputs are those of every attention, of a stream beside it, and the residual stream. */
function probeGraph(
  graph: Graph,
  shapes: readonly AttentionShape[],
  capacity: number,
  atoms: number,
): { readonly graph: Graph; readonly outputWeights: readonly string[] } {
  const heads = shapes.map(({ kvHeads }) => kvHeads);
  const cached = withCodes(() => withCaches(graph, uniformCachePlan('dense', heads, capacity, 'for calibration'), capacity));
  const { nodes } = cached;
  const all = graphNodes(cached);
  const users = new Map<Node, Node[]>();
  for (const node of all) for (const input of new Set(node.inputs)) users.set(input, [...(users.get(input) ?? []), node]);
  const attentions = all.filter((node) => isOp(node, 'cached_attention'));
  const states: GraphState[] = [...(cached.states ?? [])];
  const outputWeights: string[] = [];
  const outputs = attentions.flatMap((dense, layer): readonly GraphOutput[] => {
    const [query, key, value] = dense.inputs as readonly [Node, Node, Node];
    const { kvHeads, headSize, valueSize } = shapes[layer] as AttentionShape;
    const cache = causalModes.stream.cache(capacity, { atoms });
    const befores = stateTensorsOf(cache, { kvHeads, headSize, valueSize }).map(({ name, elementType, shape }) =>
      nodes.make('state', { name: `layer${layer}.stream.${name}`, elementType, shape }, []),
    );
    const attributes = { ...dense.attributes, cache };
    const stream = nodes.make('cached_attention', attributes, [query, key, value, ...befores]);
    befores.forEach((before, at) => states.push({ before, after: nodes.make('get', { index: at + 1 }, [stream]) }));
    const result = nodes.make('get', { index: 0 }, [dense]);
    const { weight, residual } = outputLayer(layer, result, users);
    outputWeights.push(weight);
    return [
      { name: `dense.${layer}`, node: result },
      { name: `stream.${layer}`, node: nodes.make('get', { index: 0 }, [stream]) },
      { name: `residual.${layer}`, node: residual },
    ];
  });
  return { graph: { ...cached, outputs, states }, outputWeights };
}

/** The linear layer that an attention goes into, and the residual stream that its result is added to. */
function outputLayer(
  layer: number,
  attention: Node,
  users: ReadonlyMap<Node, readonly Node[]>,
): { readonly weight: string; readonly residual: Node } {
  let weight: string | undefined;
  for (let node = attention; ;) {
    const [user, ...others] = users.get(node) ?? [];
    if (user === undefined || others.length > 0) break;
    const [first, second] = user.inputs;
    if (weight === undefined && isOp(user, 'matmul') && user.attributes.transposeRight && second && isOp(second, 'parameter')) {
      weight = second.attributes.name;
    } else if (weight !== undefined && user.op === 'add') {
      const other = first === node ? second : first;
      if (other && other.op !== 'parameter' && tensorOf(other).shape.length === tensorOf(node).shape.length) {
        return { weight, residual: other };
      }
    } else if (weight !== undefined || (user.op !== 'transpose' && user.op !== 'reshape')) break;
    node = user;
  }
  throw new AtpcError(
    'ATPC-311',
    `The output of the attention of layer ${layer} does not go through one linear layer into a residual stream, where its error would be measured.`,
    { hint: 'Write the plan file by hand (docs/guide/attention.md).' },
  );
}

/** Sums the errors of the heads of one layer. */
class LayerErrors {
  readonly #shape: AttentionShape;
  /** By KV head: lower triangle, row by row, of Wo^T Wo over the columns of the head's queries, diagonal halved. */
  readonly #grams: readonly Float64Array[];
  readonly #sums: Float64Array;
  #positions = 0;

  /** `weight` is Wo [hidden, queryHeads * valueSize]. */
  constructor(shape: AttentionShape, weight: Float32Array) {
    this.#shape = shape;
    const { kvHeads, queryHeads, valueSize } = shape;
    const size = (queryHeads / kvHeads) * valueSize;
    const columns = queryHeads * valueSize;
    this.#sums = new Float64Array(kvHeads);
    this.#grams = Array.from({ length: kvHeads }, (_, head) => halfGram(weight, columns, head * size, size));
  }

  /** Adds the rows from `skipped` on. */
  add({ dense, stream, residual }: LayerOutputs, skipped: number): void {
    const { kvHeads, queryHeads, valueSize } = this.#shape;
    const share = queryHeads / kvHeads;
    const [, , rows = 0] = dense.shape;
    const hidden = residual.data.length / rows;
    const difference = new Float64Array(share * valueSize);
    for (let row = skipped; row < rows; row++) {
      let norm = 0;
      for (let i = row * hidden; i < (row + 1) * hidden; i++) norm += (residual.data[i] as number) ** 2;
      for (let head = 0; head < kvHeads; head++) {
        for (let part = 0; part < share; part++) {
          const from = ((head * share + part) * rows + row) * valueSize;
          for (let i = 0; i < valueSize; i++)
            difference[part * valueSize + i] = (stream.data[from + i] as number) - (dense.data[from + i] as number);
        }
        const squares = quadraticForm(this.#grams[head] as Float64Array, difference);
        this.#sums[head] = (this.#sums[head] as number) + squares / norm;
      }
      this.#positions++;
    }
  }
  means(): readonly number[] {
    return Array.from(this.#sums, (sum) => sum / Math.max(1, this.#positions));
  }
}

function halfGram(weight: Float32Array, columns: number, first: number, size: number): Float64Array {
  const gram = new Float64Array((size * (size + 1)) / 2);
  for (let row = 0; row < weight.length; row += columns) {
    for (let i = 0, at = 0; i < size; i++) {
      const left = weight[row + first + i] as number;
      for (let j = 0; j <= i; j++, at++) gram[at] = (gram[at] as number) + left * (weight[row + first + j] as number);
    }
  }
  for (let i = 0, at = 0; i < size; at += ++i + 1) gram[at] = (gram[at] as number) / 2;
  return gram;
}
/** x^T G x = |Wo x|^2. */
function quadraticForm(gram: Float64Array, x: Float64Array): number {
  let sum = 0;
  for (let i = 0, at = 0; i < x.length; i++) {
    let product = 0;
    for (let j = 0; j <= i; j++, at++) product += (gram[at] as number) * (x[j] as number);
    sum += product * (x[i] as number);
  }
  return Math.max(0, 2 * sum);
}
