/** SmolLM2-135M-Instruct from its GGUF file, against logits that were recorded with another implementation. */
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { build, emit, moduleOf } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { Parameters } from '../../compiler/program/parameters.ts';
import { instantiateProgram } from '../../compiler/program/run-program.ts';
import { openModel } from '../../compiler/source-model.ts';
import { formatsOf } from '../../compiler/weights/tensor-source.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { requires, smollm2File } from '../requirements.ts';
import { sharedFile } from '../shared-data.ts';

interface Golden {
  readonly ids: readonly number[];
  readonly modes: {
    readonly dense: {
      readonly mean_nll: number;
      readonly logits: readonly { readonly pos: number; readonly top8: readonly (readonly [id: number, logit: number])[] }[];
    };
  };
}

describe('SmolLM2 from GGUF', function () {
  this.timeout(300_000);

  it('gives the recorded logits to 2e-3 and the recorded loss to 5e-5, multiplied from its blocks', async function () {
    requires(this, 'smollm2', existsSync(smollm2File));
    const golden = JSON.parse(await readFile(sharedFile(this, 'golden', 'golden_smollm2.json'), 'utf8')) as Golden;
    const { dense } = golden.modes;
    const source = await openModel(smollm2File);
    // The whole text in one call: longer than the chunk that a package reads at a time.
    const dims = source.graph.dims.map((dim) => (dim.name === 'seq' ? { ...dim, max: 640 } : dim));
    const options = { plan: densePlan, target: wasmTarget, verify: false, formatOf: formatsOf(source.tensors) };
    const built = build({ ...source.graph, dims }, options);
    // 7 matrices a layer, of which query, key and value are one, and gate and up; and the table that is the head too.
    expect(built.formats.size).to.equal(30 * 4 + 1);
    const { derived } = built.stage;
    const { formats } = built;
    const parameters = new Parameters({ source: source.tensors, derived, computed: {}, storage: null, formats });
    const { files } = await emit(built, wasmTarget);
    const program = await instantiateProgram(built.program, moduleOf(files), (name) => parameters.readTensor(name));
    const { logits } = program.run({ seq: golden.ids.length }, { input_ids: Int32Array.from(golden.ids) });
    const vocabulary = logits?.shape.at(-1) ?? 0;
    const row = (position: number): ArrayLike<number> =>
      (logits?.data ?? new Float32Array()).subarray(position * vocabulary, (position + 1) * vocabulary);

    for (const { pos, top8 } of dense.logits) {
      for (const [id, logit] of top8) expect(row(pos)[id], `token ${id} at ${pos}`).to.be.closeTo(logit, 2e-3);
    }
    const losses = golden.ids.slice(1).map((next, position) => logSumExp(row(position)) - (row(position)[next] ?? 0));
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expect(mean).to.be.closeTo(dense.mean_nll, 5e-5);
  });
});

function logSumExp(values: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let index = 0; index < values.length; index += 1) largest = Math.max(largest, values[index] ?? 0);
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += Math.exp((values[index] ?? 0) - largest);
  return largest + Math.log(sum);
}
