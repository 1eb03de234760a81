/**
 * What other caches would cost each KV head of a causal model, measured on a text: the model reads it with dense caches, and beside each
 * attention one with each other cache reads the same queries, keys and values (atp-modes.md, section 2, "hybrid, and how to find the
 * heads").
 */
import { stateTensorsOf, type CacheSpec } from '../../ir/cache.ts';
import { graphNodes, isOp, type Graph, type GraphOutput, type GraphState, type Node } from '../../ir/graph.ts';
import { uniformCachePlan } from '../../passes/atp/cache-plan.ts';
import type { AttentionShape } from '../../passes/atp/site.ts';
import { pastDim, positionsInput, seqDim, withCaches } from '../../passes/cache.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import type { TensorOutput } from '../../runtime/api.ts';
import { buildEntries, emit, moduleOf } from '../build.ts';
import type { Target } from '../codegen/target.ts';
import { withCodes } from '../pass-fault.ts';
import { Parameters } from '../program/parameters.ts';
import { instantiateProgram } from '../program/run-program.ts';
import { formatsOf, type TensorSource } from '../weights/tensor-source.ts';
import { LayerErrors, outputLayer, usersOf, type ComparedOutputs } from './residual-errors.ts';

export interface HeadError {
  readonly layer: number;
  readonly kvHead: number;
  /** Mean over positions of (|Wo (other - dense)| / |residual stream|)^2, Wo and outputs of this head's queries alone. */
  readonly error: number;
}
export interface CacheErrorsOptions {
  readonly graph: Graph;
  readonly tensors: TensorSource;
  readonly shapes: readonly AttentionShape[];
  /** Token ids of each text. */
  readonly texts: readonly (readonly number[])[];
  /** The caches that are measured, for a text of at most `capacity` tokens. */
  readonly caches: (capacity: number) => readonly CacheSpec[];
  /** Positions before this one say nothing: a cache is still exact there, or nearly. */
  readonly firstPosition: number;
  /** One of so many positions counts; 1 unless given. */
  readonly stride?: number;
  readonly target: Target;
  readonly signal?: AbortSignal;
  /** Tokens that were read, of all texts. */
  readonly onProgress?: (tokens: number, total: number) => void;
}

/** Tokens of a call: outputs of every layer come back, about 0.2 MB a token for a small model. */
const pieceTokens = 256;

/**
 * By cache, then by layer and KV head. Throws ATPC-311 for a model whose attention does not go through one linear layer into a residual
 * stream.
 */
export async function measureCacheErrors(options: CacheErrorsOptions): Promise<readonly (readonly HeadError[])[]> {
  const { graph, tensors, shapes, texts, target, signal, onProgress, firstPosition, stride = 1 } = options;
  const capacity = Math.max(...texts.map((ids) => ids.length));
  const caches = options.caches(capacity);
  const probe = probeGraph(graph, shapes, capacity, caches);
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
  const errors = await Promise.all(
    shapes.map(async (shape, layer) => {
      const weight = await tensors.readFloat32(probe.outputWeights[layer] ?? '');
      return caches.map(() => new LayerErrors(shape, weight));
    }),
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
        const counts = (row: number): boolean => past + row >= firstPosition && (past + row) % stride === 0;
        errors.forEach((ofLayer, layer) =>
          ofLayer.forEach((ofCache, cache) => ofCache.add(outputsOf(results, layer, cache), counts)),
        );
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
  return caches.map((_, cache) =>
    errors.flatMap((ofLayer, layer) =>
      (ofLayer[cache] as LayerErrors).means().map((error, kvHead): HeadError => ({ layer, kvHead, error })),
    ),
  );
}

function outputsOf(results: Readonly<Record<string, TensorOutput>>, layer: number, cache: number): ComparedOutputs {
  const [dense, other, residual] = [`dense.${layer}`, `other.${layer}.${cache}`, `residual.${layer}`].map(
    (name) => results[name],
  );
  return { dense, other, residual } as ComparedOutputs;
}

/** The model with dense caches, whose outputs are those of every attention, of each other one beside it, and the residual stream. */
function probeGraph(
  graph: Graph,
  shapes: readonly AttentionShape[],
  capacity: number,
  caches: readonly CacheSpec[],
): { readonly graph: Graph; readonly outputWeights: readonly string[] } {
  const heads = shapes.map(({ kvHeads }) => kvHeads);
  const cached = withCodes(() => withCaches(graph, uniformCachePlan('dense', heads, capacity, 'for calibration'), capacity));
  const { nodes } = cached;
  const users = usersOf(cached);
  const attentions = graphNodes(cached).filter((node) => isOp(node, 'cached_attention'));
  const states: GraphState[] = [...(cached.states ?? [])];
  const outputWeights: string[] = [];
  const outputs = attentions.flatMap((dense, layer): readonly GraphOutput[] => {
    const [query, key, value] = dense.inputs as readonly [Node, Node, Node];
    const { kvHeads, headSize, valueSize } = shapes[layer] as AttentionShape;
    const others = caches.map((cache, index): GraphOutput => {
      const befores = stateTensorsOf(cache, { kvHeads, headSize, valueSize }).map(({ name, elementType, shape }) =>
        nodes.make('state', { name: `layer${layer}.other${index}.${name}`, elementType, shape }, []),
      );
      const other = nodes.make('cached_attention', { ...dense.attributes, cache }, [query, key, value, ...befores]);
      befores.forEach((before, at) => states.push({ before, after: nodes.make('get', { index: at + 1 }, [other]) }));
      return { name: `other.${layer}.${index}`, node: nodes.make('get', { index: 0 }, [other]) };
    });
    const result = nodes.make('get', { index: 0 }, [dense]);
    const { weight, residual } = outputLayer(layer, result, users);
    outputWeights.push(weight);
    return [{ name: `dense.${layer}`, node: result }, ...others, { name: `residual.${layer}`, node: residual }];
  });
  return { graph: { ...cached, outputs, states }, outputWeights };
}
