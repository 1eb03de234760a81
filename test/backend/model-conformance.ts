/** What a backend must hold for whole models: a small BERT in every mode, against the interpreter and against itself. */
import { expect } from 'chai';
import { build, emit } from '../../compiler/build.ts';
import { nativeOps } from '../../compiler/codegen/native-ops.ts';
import { lower } from '../../compiler/kernel/lower.ts';
import { buildProgram } from '../../compiler/program/build-program.ts';
import { interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import { densePlan, type AttentionPlan } from '../../passes/atp/plan.ts';
import { modeNames } from '../../passes/atp/modes/table.ts';
import { narrowRows } from '../../passes/narrow-rows.ts';
import type { Stage } from '../../passes/pass.ts';
import { pipeline, runPipeline } from '../../passes/pipeline.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import { dispatchSteps, mainEntryPoint, type Program } from '../../runtime/format/program.ts';
import { bertInputs, tinyBert, type TinyBert } from '../models/tiny-bert.ts';
import { compiledParameters, uniformPlan } from '../models/compiled.ts';
import { asRunInputs, expectClose, type Backend, type BackendProgram } from './conformance.ts';
import { requires } from '../requirements.ts';

interface Compiled {
  readonly program: Program;
  readonly runnable: BackendProgram;
  readonly stage: Stage;
}
async function compileModel(backend: Backend, model: TinyBert, plan: AttentionPlan): Promise<Compiled> {
  const { stage } = build(model.graph, { plan, target: backend.target, verify: true });
  return compileStage(backend, model, stage);
}
async function compileStage(backend: Backend, model: TinyBert, stage: Stage): Promise<Compiled> {
  const list = lower(stage, backend.target);
  const built = buildProgram(stage.graph.name, [{ name: 'forward', dims: stage.graph.dims, list }], backend.target);
  const parameters = compiledParameters(stage, model);
  const { files } = await emit(built, backend.target, { build: backend.build });
  const runnable = await backend.instantiate(built.program, files, async (name) => Float32Array.from(parameters(name).data));
  return { program: built.program, runnable, stage };
}
async function embed({ runnable }: Compiled, inputs: Record<string, Tensor>): Promise<ArrayLike<number>> {
  const [batch = 1, seq = 1] = inputs['input_ids']?.shape ?? [];
  return (await runnable.run({ batch, seq }, asRunInputs(inputs)))['sentence_embedding']?.data ?? [];
}

export function modelConformance(backend: Backend): void {
  describe(`backend ${backend.name}: a small BERT`, () => {
    before(function () {
      if (backend.needs) requires(this, backend.needs.requirement, backend.needs.isThere());
    });
    let model: TinyBert;
    before(async () => {
      model = await tinyBert();
    });
    for (const mode of modeNames.filter((name) => !backend.refuses?.modes.includes(name))) {
      const plan = mode === 'dense' ? densePlan : uniformPlan(mode, [1, 2]);
      it(`${mode}: gives what the interpreter gives, to 1e-4`, async () => {
        const compiled = await compileModel(backend, model, plan);
        const inputs = bertInputs([130, 66, 20], 130);
        const parameters = compiledParameters(compiled.stage, model);
        const expected = interpret(compiled.stage.graph, { inputs, parameters, precision: 'f64' });
        expectClose(await embed(compiled, inputs), (expected['sentence_embedding'] as Tensor).data, 1e-4, mode);
      });
      it(`${mode}: padding and other sequences of a batch change nothing, to 1e-5`, async () => {
        const compiled = await compileModel(backend, model, plan);
        const alone = await embed(compiled, bertInputs([75], 75));
        const padded = await embed(compiled, bertInputs([75], 119));
        expectClose(padded, alone, 1e-5, 'padded');
        const batch = await embed(compiled, bertInputs([75, 119, 1], 119));
        expectClose(Array.from(batch).slice(0, alone.length), alone, 1e-5, 'in a batch');
      });
    }
    it('uses the memory that its formula says, within 5 %', async function () {
      // A large batch, on a driver in software too.
      this.timeout(180_000);
      const { program, runnable } = await compileModel(backend, model, uniformPlan('expand', [1, 2]));
      for (const [batch, seq] of [
        [8, 160],
        [64, 160],
      ] as const) {
        await runnable.run(
          { batch, seq },
          asRunInputs(
            bertInputs(
              Array.from({ length: batch }, () => seq),
              seq,
            ),
          ),
        );
        const formula = Object.values(program.arenas).reduce<number>(
          (sum, bytes) => sum + evaluateExpression(bytes, { batch, seq }),
          64 + (backend.besidesArenas?.(program, { batch, seq }) ?? 0),
        );
        expect(runnable.memoryBytes).to.be.within(formula, formula * 1.05 + 65536);
      }
    });
    it('a classifier that computes one row of its last layer gives the bits of one that computes all', async () => {
      const classifier = await tinyBert({ head: { kind: 'classify', labels: ['negative', 'positive'] } });
      const passes = pipeline.filter((pass) => pass !== narrowRows);
      const whole = runPipeline(classifier.graph, passes, {
        plan: densePlan,
        queriesPerChoice: backend.target.queriesPerChoice,
        nativeOps,
        verify: true,
      });
      const [all, one] = [await compileStage(backend, classifier, whole), await compileModel(backend, classifier, densePlan)];
      const inputs = asRunInputs(bertInputs([70, 33, 5], 70));
      const logits = async ({ runnable }: Compiled): Promise<unknown> =>
        (await runnable.run({ batch: 3, seq: 70 }, inputs))['logits']?.data;
      expect(await logits(one)).to.deep.equal(await logits(all));
      // Query apart from key and value is one dispatch more; where products take in norms, so is the norm whose rows are sliced for it.
      const steps = ({ program }: Compiled): readonly boolean[] =>
        dispatchSteps(mainEntryPoint(program).steps).map(({ kernel }) => kernel.startsWith('layer_norm'));
      const norms = (compiled: Compiled): number => steps(compiled).filter((isNorm) => isNorm).length;
      expect(steps(one).length - norms(one)).to.equal(steps(all).length - norms(all) + 1);
      expect(norms(one) - norms(all)).to.equal(backend.target.leftNorm ? 1 : 0);
    });
    it('a sequence of padding only gives numbers', async () => {
      const compiled = await compileModel(backend, model, uniformPlan('expand', [1, 2]));
      expect(Array.from(await embed(compiled, bertInputs([0, 80], 80))).every(Number.isFinite)).to.equal(true);
    });
  });
}
