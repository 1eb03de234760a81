/** Memory of models that generate: how state grows with the context, and that a program takes what the manifest says. */
import { expect } from 'chai';
import { buildStateful, emit, type Built } from '../../compiler/build.ts';
import { memoryOf } from '../../compiler/manifest-parts.ts';
import type { LlamaConfig } from '../../compiler/families/llama-config.ts';
import { wasmTarget } from '../../compiler/codegen/wasm/target.ts';
import { Parameters, plainStorage } from '../../compiler/program/parameters.ts';
import { causalModes, uniformCachePlan, type CacheGroup, type CachePlan } from '../../passes/atp/cache-plan.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { Program } from '../../runtime/format/program.ts';
import { tinyLlama, tokenIds } from '../models/tiny-llama.ts';
import { wasmBackend } from './wasm-backend.ts';

const causal = ['dense', 'expand', 'cluster', 'stream'] as const;
const stateBytes = ({ arenas }: Program): number => evaluateExpression(arenas.state, {});
/** Peak bytes by the formula of the manifest, at the largest dims. */
function formulaBytes(program: Program): number {
  const largest = Object.fromEntries(program.dims.map(({ name, max }) => [name, max]));
  return evaluateExpression(memoryOf(program).total, largest);
}

describe('state of causal models', () => {
  // The attention of SmolLM2-135M: 30 layers of 9 heads of 64 over 3 KV heads. Its other sizes have no part in the state.
  const attention = { layers: 30, heads: 9, kvHeads: 3, headSize: 64 };
  const programOf = async (maxTokens: number, plan: CachePlan): Promise<Program> => {
    const { graph } = await tinyLlama({ ...attention, trainedLength: maxTokens, maxLength: maxTokens });
    return buildStateful(graph, { plan, maxTokens, target: wasmTarget, verify: false }).program;
  };
  const uniform = (mode: (typeof causal)[number], maxTokens: number): CachePlan =>
    uniformCachePlan(mode, Array<number>(attention.layers).fill(attention.kvHeads), maxTokens, 'test');
  /** The first `count` of the 90 KV heads in one mode, all others in mode stream. */
  function firstHeads(mode: 'dense' | 'expand', count: number, maxTokens: number): CachePlan {
    const layers = Array.from({ length: attention.layers }, (_, layer) => {
      const all = Array.from({ length: attention.kvHeads }, (_, head) => head);
      const isFirst = (head: number): boolean => layer * attention.kvHeads + head < count;
      const group = (name: typeof mode | 'stream', kvHeads: readonly number[]): readonly CacheGroup[] =>
        kvHeads.length === 0 ? [] : [{ mode: name, cache: causalModes[name].cache(maxTokens, {}), kvHeads }];
      return [
        ...group(mode, all.filter(isFirst)),
        ...group(
          'stream',
          all.filter((head) => !isFirst(head)),
        ),
      ];
    });
    return { reason: 'test', layers };
  }

  it('is as large for 1,024 tokens as for 32,768 in mode stream', async function () {
    this.timeout(300_000);
    const [short, long] = [await programOf(1024, uniform('stream', 1024)), await programOf(32_768, uniform('stream', 32_768))];
    expect(stateBytes(long)).to.equal(stateBytes(short));
    // Keys, values, scores and positions of 4 + 128 + 256 + 128 rows of 90 heads.
    expect(stateBytes(long)).to.be.closeTo(90 * 516 * (2 * 64 + 2) * 4, 64 * 30 * 4);
  });

  for (const mode of ['expand', 'dense'] as const) {
    it(`is under 25 % of dense at 32,768 tokens with 16 of 90 heads in mode ${mode} and the others in mode stream`, async function () {
      this.timeout(300_000);
      const hybrid = stateBytes(await programOf(32_768, firstHeads(mode, 16, 32_768)));
      const dense = stateBytes(await programOf(32_768, uniform('dense', 32_768)));
      expect(dense).to.equal(90 * 32_768 * 2 * 64 * 4);
      expect(hybrid / dense).to.be.below(0.25);
      expect(hybrid / dense, 'the 16 heads alone').to.be.above(16 / 90);
    });
  }
});

describe('peak memory of causal models', () => {
  // Large enough that the last page of 64 KiB is little of it.
  const config: Partial<LlamaConfig> = {
    ...{ vocabSize: 2048, hiddenSize: 128, heads: 4, kvHeads: 2, headSize: 32, intermediateSize: 256 },
    ...{ trainedLength: 2048, maxLength: 2048 },
  };
  const maxTokens = 2048;

  for (const mode of causal) {
    it(`is what the manifest says, to 5 %: ${mode}`, async function () {
      this.timeout(180_000);
      const model = await tinyLlama(config);
      const plan = uniformCachePlan(mode, [2, 2], maxTokens, 'test');
      const built: Built = buildStateful(model.graph, { plan, maxTokens, target: wasmTarget, verify: false });
      const { program, stage, formats } = built;
      const { files } = await emit(built, wasmTarget, { build: wasmBackend.build });
      const storage = plainStorage(undefined);
      const parameters = new Parameters({ source: model.source, derived: stage.derived, computed: {}, storage, formats });
      const runnable = await wasmBackend.instantiate(program, files, (name) => parameters.readTensor(name));
      const state = await runnable.openState();
      const chunk = Math.max(...program.dims.filter(({ name }) => name === 'seq').map(({ max }) => max));
      const read = async (entry: 'prefill' | 'score' | 'decode', past: number, seq: number): Promise<void> => {
        const input_ids = Int32Array.from(tokenIds(seq, config.vocabSize));
        const position_ids = Int32Array.from({ length: seq }, (_, index) => past + index);
        const dims: Readonly<Record<string, number>> = entry === 'decode' ? { past } : { seq, past };
        await runnable.run(dims, { input_ids, position_ids }, { entry, state });
      };
      const rounds = Math.floor((maxTokens - 1) / chunk);
      for (let round = 0; round < rounds; round++) await read(round === 0 ? 'score' : 'prefill', round * chunk, chunk);
      await read('decode', rounds * chunk, 1);
      const formula = formulaBytes(program);
      expect(runnable.memoryBytes / formula).to.be.within(0.95, 1.05);
      expect(formula).to.be.above(20 * 65_536);
    });
  }
});
