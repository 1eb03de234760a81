/** A small BERT in every mode, in workers: what several threads compute is what one computes, bit for bit. */
import { expect } from 'chai';
import { build, emit, moduleOf } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { runtimeBundle } from '../../compiler/package/runtime-bundle.ts';
import { memorySource } from '../../compiler/weights/tensor-source.ts';
import { weightFrom, writeWeights } from '../../compiler/weights/write.ts';
import { densePlan } from '../../passes/atp/plan.ts';
import { modeNames, type ModeName } from '../../passes/atp/modes/table.ts';
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { WorkerBackend } from '../../runtime/backends/worker/client.ts';
import { currentPlatform } from '../../runtime/platform/platform.ts';
import { compiledParameters, uniformPlan } from '../models/compiled.ts';
import { bertInputs, tinyBert, type TinyBert } from '../models/tiny-bert.ts';
import { TemporaryFolder } from './tiny-package.ts';

const builds = hasFeature('relaxed-simd') ? [[], ['relaxed-simd']] : [[]];

describe('a small BERT in several threads', () => {
  let model: TinyBert;
  let text: string;
  before(async () => {
    model = await tinyBert();
    text = (await runtimeBundle('forward')).worker;
  });

  for (const mode of modeNames) {
    it(`${mode}: gives the same bits with 1, 2 and 3 threads`, async () => {
      const runs = await compiledRuns(model, mode, text);
      for (const relaxed of builds) {
        const results: string[] = [];
        for (const threads of [1, 2, 3]) results.push(...(await runs(threads, relaxed)));
        // Two runs with each number of threads.
        expect(results.length).to.equal(6);
        expect(new Set(results).size, relaxed.join()).to.equal(1);
      }
    });
  }
});

/** Compiles the model; the function gives the bytes of two runs with some number of threads. */
async function compiledRuns(
  model: TinyBert,
  mode: ModeName,
  text: string,
): Promise<(threads: number, relaxed: readonly string[]) => Promise<readonly string[]>> {
  const plan = mode === 'dense' ? densePlan : uniformPlan(mode, [1, 2]);
  const built = build(model.graph, { plan, target: wasmTarget, verify: false });
  const { files } = await emit(built, wasmTarget);
  const parameters = compiledParameters(built.stage, model);
  const { program } = built;
  const names = [...new Set(program.weights.map((weight) => weight.tensor))];
  const source = memorySource(
    Object.fromEntries(
      names.map((name) => {
        const { shape, data } = parameters(name);
        return [name, { shape, data: Float32Array.from(data) }];
      }),
    ),
  );
  return async (threads, relaxed) => {
    const folder = await TemporaryFolder.create();
    const { tensors, files: weightFiles } = await writeWeights(
      folder.path,
      names.map((name) => weightFrom(source, name, 'F32')),
    );
    const platform = currentPlatform();
    const locate = (file: string): URL => folder.url(file);
    const backend = new WorkerBackend(() => platform.startWorker({ url: undefined, text, beside: undefined }), {
      name: 'wasm',
      why: 'test',
      threads: { used: threads, why: 'test' },
    });
    try {
      const kernels = new Uint8Array(moduleOf(files, ['simd128', ...(threads > 1 ? ['threads'] : []), ...relaxed]));
      const load = { program, kernels, tensors, weightFiles, source: platform.files(locate), onProgress: () => {} };
      await backend.load({ ...load, urls: Object.fromEntries(weightFiles.map(({ path }) => [path, locate(path).href])) });
      const results: string[] = [];
      for (const _ of [1, 2]) {
        const inputs = bertInputs([130, 66, 20], 130);
        const list = Object.entries(inputs).map(([name, { data }]) => ({ name, data: Int32Array.from(data) }));
        const { sentence_embedding: embedding } = await backend.run({ dims: { batch: 3, seq: 130 }, tensors: list });
        expect(embedding?.shape).to.deep.equal([3, 32]);
        const bytes = embedding?.data ?? new Uint8Array();
        results.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex'));
      }
      return results;
    } finally {
      await backend.dispose();
      await folder.remove();
    }
  };
}
