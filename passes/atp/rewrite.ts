import { isOp, type Node } from '../../ir/graph.ts';
import { rewriteGraph } from '../../ir/rewrite.ts';
import { PassError } from '../pass-error.ts';
import type { Pass } from '../pass.ts';
import { HeadOrder, permuteProjection, sliceHeads } from './heads.ts';
import { modes } from './modes/table.ts';
import { isDense, type LayerPlan } from './plan.ts';
import { formatShare } from './share.ts';
import {
  attentionNodes,
  attentionShape,
  countTokens,
  projectionOf,
  projectionsOf,
  type AttentionShape,
  type AttentionSite,
  type MakeNode,
} from './site.ts';

/** Faults of a plan against the attention it is for. */
function checkLayer(plan: LayerPlan, shape: AttentionShape): void {
  const heads = plan.groups.flatMap((group) => group.kvHeads);
  const expected = Array.from({ length: shape.kvHeads }, (_, head) => head);
  const missing = expected.filter((head) => !heads.includes(head));
  const wrong = heads.filter((head, index) => !expected.includes(head) || heads.indexOf(head) !== index);
  if (missing.length > 0 || wrong.length > 0) {
    throw new PassError(
      'plan does not fit',
      `Layer ${plan.layer} has key/value heads 0 to ${shape.kvHeads - 1}; the plan ` +
        [
          ...(missing.length > 0 ? [`leaves out ${missing.join(', ')}`] : []),
          ...(wrong.length > 0 ? [`names ${wrong.join(', ')} wrongly or twice`] : []),
        ].join(' and ') +
        '.',
    );
  }
  const mode = plan.groups.find((group) => group.mode !== 'dense')?.mode;
  if (mode && !shape.encoder) {
    throw new PassError(
      'mode does not fit model',
      `Mode ${mode} rewrites attention over all unpadded tokens; layer ${plan.layer} has another kind.`,
    );
  }
}

/** Gives each attention node the modes of the plan; heads of one mode become contiguous. */
export const atp: Pass = {
  name: 'atp',
  requires: ['canonical'],
  ensures: ['attention planned'],
  error: 'approximate',
  run(stage, { plan, queriesPerChoice }) {
    const { graph } = stage;
    const make: MakeNode = (op, attributes, inputs) => graph.nodes.make(op, attributes, inputs);
    const layers = attentionNodes(graph);
    for (const { layer } of plan.layers) {
      if (!layers[layer])
        throw new PassError(
          'plan does not fit',
          `The plan names layer ${layer}; the model has ${layers.length} attention layers, from 0.`,
        );
    }
    const headOrder = new HeadOrder(make);

    const rewriteLayer = (layer: number, node: Node<'attention'>, inputs: readonly Node[]): Node | undefined => {
      const layerPlan = plan.layers.find((candidate) => candidate.layer === layer);
      if (!layerPlan || layerPlan.groups.every(isDense)) return undefined;
      const shape = attentionShape(node, layer);
      checkLayer(layerPlan, shape);
      const [query, key, value, mask] = inputs as [Node, Node, Node, Node];
      const order = layerPlan.groups.flatMap((group) => group.kvHeads);
      const share = shape.queryHeads / shape.kvHeads;
      const queryOrder = order.flatMap((head) => Array.from({ length: share }, (_, index) => head * share + index));
      const inOrder = order.every((head, index) => head === index);
      const permute = (heads: Node, headOrder: readonly number[]): Node => {
        if (inOrder) return heads;
        const projection = projectionOf(heads);
        if (!projection) {
          throw new PassError(
            'plan does not fit',
            `The heads of layer ${layer} cannot be put in another order: they do not come from a linear layer.`,
          );
        }
        return permuteProjection(make, projection, headOrder);
      };
      const [packedQuery, packedKey, packedValue] = [permute(query, queryOrder), permute(key, order), permute(value, order)];
      const tokens = countTokens(make, mask);
      let start = 0;
      const parts = layerPlan.groups.map((group) => {
        const [first, count] = [start, group.kvHeads.length];
        start += count;
        const whole = count === shape.kvHeads;
        const take = (heads: Node, factor: number): Node =>
          whole ? heads : sliceHeads(make, heads, first * factor, count * factor);
        const site: AttentionSite = {
          layer,
          make,
          query: take(packedQuery, share),
          key: take(packedKey, 1),
          value: take(packedValue, 1),
          mask,
          tokens,
          scale: node.attributes.scale,
          queriesPerChoice,
          kvHeads: { chosen: group.kvHeads, total: shape.kvHeads },
          projections: whole ? projectionsOf(key, value) : null,
        };
        const mode = isDense(group) ? 'dense' : group.mode;
        const built = modes[mode].build(site, group.keys);
        graph.nodes.setProvenance(built, {
          ...graph.nodes.provenance(node),
          passes: [`atp: ${mode} ${formatShare(group.keys)}`],
        });
        return built;
      });
      const attention = parts.length === 1 ? (parts[0] as Node) : make('concat', { axis: 1 }, parts);
      headOrder.add(attention, queryOrder);
      return attention;
    };

    const rewritten = rewriteGraph(graph, 'atp', (node, inputs) => {
      const layer = isOp(node, 'attention') ? layers.indexOf(node) : -1;
      const attention = layer >= 0 && isOp(node, 'attention') ? rewriteLayer(layer, node, inputs) : undefined;
      return attention ?? headOrder.rebuild(node, inputs);
    });
    return { ...stage, graph: rewritten };
  },
};
