/**
 * What the modes of an encoder's attention would cost each KV head, measured on documents: the dense model runs, and beside each attention
 * one in each other mode reads the same queries, keys and values (atp-modes.md, section 3).
 */
import { type Graph, type GraphOutput, type Node } from '../../ir/graph.ts';
import { modes, type ModeName } from '../../passes/atp/modes/table.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import type { Share } from '../../passes/atp/share.ts';
import {
  allHeads,
  attentionNodes,
  countTokens,
  projectionsOf,
  type AttentionShape,
  type AttentionSite,
  type MakeNode,
} from '../../passes/atp/site.ts';
import { build } from '../build.ts';
import type { CalibrationInput } from '../calibrate/capture.ts';
import type { HeadError } from '../calibrate/cache-errors.ts';
import { LayerErrors, outputLayer, usersOf, type ComparedOutputs } from '../calibrate/residual-errors.ts';
import type { Target } from '../codegen/target.ts';
import type { MemoryTensor, TensorSource } from '../weights/tensor-source.ts';
import { instantiateHere } from './planned-model.ts';

export interface ModeSetting {
  readonly mode: ModeName;
  readonly keys: Share;
}
export interface ModeErrorsOptions {
  readonly graph: Graph;
  /** With the heads in the basis in which the modes compare keys. */
  readonly tensors: TensorSource;
  /** What modes have learnt from text, by the name of its parameter. */
  readonly computed: Readonly<Record<string, MemoryTensor>>;
  readonly shapes: readonly AttentionShape[];
  /** The layers that are measured; the modes can rewrite them. */
  readonly layers: readonly number[];
  readonly inputs: readonly CalibrationInput[];
  readonly settings: readonly ModeSetting[];
  readonly target: Target;
  /** Documents that were read, of all. Throws the reason of an abort. */
  readonly onProgress: (done: number, total: number) => void;
}

/** One of so many positions counts: neighbours say much the same. */
const stride = 2;

/** By setting, then by layer and KV head. Throws ATPC-311 where attention does not go through one linear layer into a residual stream. */
export async function measureModeErrors(options: ModeErrorsOptions): Promise<readonly (readonly HeadError[])[]> {
  const { tensors, computed, shapes, layers, inputs, settings, target, onProgress } = options;
  const probe = probeGraph(options);
  const built = build(probe.graph, { plan: densePlan, target, verify: false });
  const program = await instantiateHere(built, target, { source: tensors, computed, storage: null });
  const errors = await Promise.all(
    layers.map(async (layer, index) => {
      const weight = await tensors.readFloat32(probe.outputWeights[index] ?? '');
      return settings.map(() => new LayerErrors(shapes[layer] as AttentionShape, weight));
    }),
  );
  for (const [document, { tokens, inputs: values }] of inputs.entries()) {
    onProgress(document, inputs.length);
    const results = program.run({ batch: 1, seq: tokens }, values);
    layers.forEach((layer, index) =>
      settings.forEach((_, setting) => {
        const outputs = { dense: results[`dense.${layer}`], other: results[`other.${layer}.${setting}`] };
        const compared = { ...outputs, residual: results[`residual.${layer}`] } as ComparedOutputs;
        errors[index]?.[setting]?.add(compared, (row) => row % stride === 0);
      }),
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  return settings.map((_, setting) =>
    layers.flatMap((layer, index) =>
      (errors[index]?.[setting]?.means() ?? []).map((error, kvHead): HeadError => ({ layer, kvHead, error })),
    ),
  );
}

/** The dense model, whose outputs are those of every attention, of each other one beside it, and the residual stream. */
function probeGraph({ graph, shapes, layers, settings, target }: ModeErrorsOptions): {
  readonly graph: Graph;
  readonly outputWeights: readonly string[];
} {
  const make: MakeNode = (op, attributes, inputs) => graph.nodes.make(op, attributes, inputs);
  const nodes = attentionNodes(graph);
  const users = usersOf(graph);
  const outputWeights: string[] = [];
  const outputs = layers.flatMap((layer): readonly GraphOutput[] => {
    const dense = nodes[layer] as (typeof nodes)[number];
    const [query, key, value, mask] = dense.inputs as [Node, Node, Node, Node];
    const shape = shapes[layer] as AttentionShape;
    const site: AttentionSite = {
      layer,
      make,
      query,
      key,
      value,
      mask,
      tokens: countTokens(make, mask),
      scale: dense.attributes.scale,
      queriesPerChoice: target.queriesPerChoice,
      kvHeads: { chosen: allHeads(shape), total: shape.kvHeads },
      projections: projectionsOf(key, value),
    };
    const { weight, residual } = outputLayer(layer, dense, users);
    outputWeights.push(weight);
    const others = settings.map(({ mode, keys }, index) => ({
      name: `other.${layer}.${index}`,
      node: modes[mode].build(site, keys),
    }));
    return [{ name: `dense.${layer}`, node: dense }, ...others, { name: `residual.${layer}`, node: residual }];
  });
  return { graph: { ...graph, outputs }, outputWeights };
}
