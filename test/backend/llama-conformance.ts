/** What a backend must hold for whole causal models: a small Llama in every variant, as numbers and in blocks. */
import { build, emit } from '../../compiler/build.ts';
import type { WeightType } from '../../compiler/compile-options.ts';
import { Parameters, plainStorage } from '../../compiler/program/parameters.ts';
import { storedAs } from '../../compiler/weights/stored-as.ts';
import { formatsOf, type TensorSource } from '../../compiler/weights/tensor-source.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { requires } from '../requirements.ts';
import { llamaVariants } from '../models/llama-variants.ts';
import { llamaInputs, tinyLlama, tokenIds, type TinyLlama } from '../models/tiny-llama.ts';
import { asRunInputs, expectModel, type Backend } from './conformance.ts';

/** The logits of a compiled model. */
async function logitsOf(
  backend: Backend,
  { graph }: TinyLlama,
  tensors: TensorSource,
  type: WeightType | undefined,
  ids: readonly number[],
): Promise<ArrayLike<number>> {
  const { target } = backend;
  const built = build(graph, { plan: densePlan, target, verify: true, formatOf: formatsOf(tensors) });
  const { derived } = built.stage;
  const options = { source: tensors, derived, computed: {}, storage: plainStorage(type), formats: built.formats };
  const parameters = new Parameters(options);
  const { files } = await emit(built, target, { build: backend.build });
  const runnable = await backend.instantiate(built.program, files, (name) => parameters.readTensor(name));
  return (await runnable.run({ seq: ids.length }, asRunInputs(llamaInputs(ids))))['logits']?.data ?? [];
}
/** The logits of the model as it is written, over the values of the tensors. */
async function expectedLogits({ graph }: TinyLlama, tensors: TensorSource, ids: readonly number[]): Promise<Tensor['data']> {
  const values = new Map<string, Tensor>();
  for (const name of tensors.names())
    values.set(name, { elementType: 'f32', shape: tensors.info(name).shape, data: await tensors.readFloat32(name) });
  const outputs = interpret(graph, {
    inputs: llamaInputs(ids),
    parameters: (name) => values.get(name) as Tensor,
    precision: 'f64',
  });
  return (outputs['logits'] as Tensor).data;
}

export function llamaConformance(backend: Backend): void {
  describe(`backend ${backend.name}: a small Llama`, () => {
    before(function () {
      if (backend.needs) requires(this, backend.needs.requirement, backend.needs.isThere());
    });
    for (const [what, changes] of Object.entries(llamaVariants)) {
      it(`${what}: gives what the interpreter gives, to 1e-4`, async () => {
        const model = await tinyLlama(changes);
        for (const length of [1, 37]) {
          const ids = tokenIds(length);
          const expected = await expectedLogits(model, model.source, ids);
          expectModel(backend, await logitsOf(backend, model, model.source, undefined, ids), expected, 1e-4, `${length} tokens`);
        }
      });
    }
    for (const type of ['q8', 'q4'] as const) {
      it(`${type}: gives what the interpreter gives for the values of the blocks, to 1e-4`, async () => {
        const model = await tinyLlama({ attentionBias: true });
        const { tensors } = storedAs(model.source, model.graph, type);
        const ids = tokenIds(37);
        const expected = await expectedLogits(model, tensors, ids);
        expectModel(backend, await logitsOf(backend, model, tensors, type, ids), expected, 1e-4, type);
      });
    }
  });
}
