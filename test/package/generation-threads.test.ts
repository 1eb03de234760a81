/** A small Llama in every causal mode, in workers: what several threads compute is what one computes, bit for bit. */
import { expect } from 'chai';
import { buildStateful, emit, moduleOf } from '../../compiler/build.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { runtimeBundle } from '../../compiler/package/runtime-bundle.ts';
import { Parameters, plainStorage } from '../../compiler/program/parameters.ts';
import { memorySource, type MemoryTensor } from '../../compiler/weights/tensor-source.ts';
import { weightFrom, writeWeights } from '../../compiler/weights/write.ts';
import { causalModeNames, uniformCachePlan, type CausalModeName } from '../../passes/atp/cache-plan.ts';
import { WorkerBackend } from '../../runtime/backends/worker/client.ts';
import type { DispatchStep, Step } from '../../runtime/format/program.ts';
import { currentPlatform } from '../../runtime/platform/platform.ts';
import { tinyLlama, tokenIds } from '../models/tiny-llama.ts';
import { TemporaryFolder } from './tiny-package.ts';

const settings = { sinks: 2, window: 16, block: 8, atoms: 6, tokensPerKey: 4 };
const maxTokens = 128;
const calls = [40, 1, 1, 9, 1, 30, 1] as const;

describe('a small Llama in several threads', () => {
  let text: string;
  before(async () => {
    text = (await runtimeBundle('chat')).worker;
  });
  for (const mode of causalModeNames) {
    it(`${mode}: gives the same bits with 1, 2 and 3 threads`, async () => {
      const runs = await compiledRuns(mode, text);
      const results: string[] = [];
      for (const threads of [1, 2, 3]) results.push(...(await runs(threads)));
      // Two sessions with each number of threads.
      expect(results.length).to.equal(6);
      expect(new Set(results).size).to.equal(1);
    });
  }

  it('is decoded with dispatches that one lane does alone, and read without', async () => {
    const { graph } = await tinyLlama();
    const plan = uniformCachePlan('dense', [2, 2], maxTokens, 'test');
    const { program } = buildStateful(graph, { plan, maxTokens, target: wasmTarget, verify: false });
    const flat = (steps: readonly Step[]): readonly DispatchStep[] =>
      steps.flatMap((step) => (step.kind === 'dispatch' ? [step] : flat(step.steps)));
    const kernelsAlone = (steps: readonly Step[] = []): readonly string[] =>
      flat(steps).flatMap(({ kernel, oneLane }) => (oneLane ? [kernel] : []));
    const { prefill, decode } = program.entryPoints;
    expect(kernelsAlone(decode?.steps))
      .to.include('rms_norm')
      .and.satisfy((kernels: readonly string[]) => kernels.some((kernel) => kernel.startsWith('maps_')));
    expect(kernelsAlone(decode?.steps).filter((kernel) => /gemm|attention/.test(kernel))).to.deep.equal([]);
    // In the last layer one token is left after attention: its norm, and the one before the logits.
    expect(kernelsAlone(prefill?.steps).filter((kernel) => kernel === 'rms_norm').length).to.equal(2);
  });
});

/** Compiles the model; the function gives the bytes of all logits of two sessions with some number of threads. */
async function compiledRuns(mode: CausalModeName, text: string): Promise<(threads: number) => Promise<readonly string[]>> {
  const model = await tinyLlama();
  const plan = uniformCachePlan(mode, [2, 2], maxTokens, 'test', mode === 'dense' ? {} : settings);
  const built = buildStateful(model.graph, { plan, maxTokens, target: wasmTarget, verify: false });
  const { program, stage, formats } = built;
  const { files } = await emit(built, wasmTarget);
  const storage = plainStorage(undefined);
  const parameters = new Parameters({ source: model.source, derived: stage.derived, computed: {}, storage, formats });
  const names = [...new Set(program.weights.map((weight) => weight.tensor))];
  const stored: Record<string, MemoryTensor> = {};
  for (const name of names)
    stored[name] = { shape: parameters.shape(name), data: Float32Array.from(await parameters.read(name)) };
  const source = memorySource(stored);
  return async (threads) => {
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
      const kernels = new Uint8Array(moduleOf(files, ['simd128', ...(threads > 1 ? ['threads'] : [])]));
      const load = { program, kernels, tensors, weightFiles, source: platform.files(locate), onProgress: () => {} };
      await backend.load({ ...load, urls: Object.fromEntries(weightFiles.map(({ path }) => [path, locate(path).href])) });
      const results: string[] = [];
      for (const _ of [1, 2]) {
        const state = await backend.openState();
        const hexadecimal: string[] = [];
        let past = 0;
        for (const count of calls) {
          const tensors = [
            { name: 'input_ids', data: Int32Array.from(tokenIds(past + count).slice(past)) },
            { name: 'position_ids', data: Int32Array.from({ length: count }, (_, index) => past + index) },
          ];
          const dims = count === 1 ? { past } : { seq: count, past };
          const { logits } = await backend.run({ entry: count === 1 ? 'decode' : 'prefill', state, dims, tensors });
          const bytes = logits?.data ?? new Uint8Array();
          hexadecimal.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex'));
          past += count;
        }
        results.push(hexadecimal.join(' '));
      }
      return results;
    } finally {
      await backend.dispose();
      await folder.remove();
    }
  };
}
