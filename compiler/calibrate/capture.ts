/** Queries, keys and values of every attention layer of a dense model on some inputs, through the kernels of a target that runs here. */
import { type Graph } from '../../ir/graph.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { attentionNodes } from '../../passes/atp/site.ts';
import type { FloatTensor } from '../../runtime/api.ts';
import { build, emit, moduleOf } from '../build.ts';
import type { Target } from '../codegen/target.ts';
import { Parameters } from '../program/parameters.ts';
import { instantiateProgram, type RunInputs } from '../program/run-program.ts';
import type { TensorSource } from '../weights/tensor-source.ts';

export interface CapturedLayer {
  /** f32 [batch, heads, tokens, size]. */
  readonly query: FloatTensor;
  readonly key: FloatTensor;
  readonly value: FloatTensor;
}
/** One input, as one sequence without padding. */
export interface CalibrationInput {
  readonly tokens: number;
  readonly inputs: RunInputs;
}

export async function captureAttention(
  graph: Graph,
  source: TensorSource,
  inputs: readonly CalibrationInput[],
  target: Target,
): Promise<readonly (readonly CapturedLayer[])[]> {
  const parts = ['query', 'key', 'value'] as const;
  const layers = attentionNodes(graph);
  const outputs = layers.flatMap((node, layer) =>
    parts.map((part, index) => ({ name: `${part}.${layer}`, node: node.inputs[index] as Graph['outputs'][number]['node'] })),
  );
  const built = build({ ...graph, outputs }, { plan: densePlan, target, verify: false });
  const { files } = await emit(built, target, { build: target.features });
  const parameters = new Parameters({
    source,
    derived: built.stage.derived,
    computed: {},
    storage: null,
    formats: built.formats,
  });
  const program = await instantiateProgram(built.program, moduleOf(files), (name) => parameters.read(name));
  return inputs.map(({ tokens, inputs: values }) => {
    const results = program.run({ batch: 1, seq: tokens }, values);
    return layers.map((_, layer): CapturedLayer => {
      const [query, key, value] = parts.map((part) => results[`${part}.${layer}`] as FloatTensor);
      return { query, key, value } as CapturedLayer;
    });
  });
}
