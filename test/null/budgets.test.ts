/**
 * What sample models cost on WebGPU before anything runs: pipelines, dispatches of a call, bytes that its operands have. A change that
 * makes any of them larger fails; one that makes them smaller fails too, and writes the better number here.
 */
import { existsSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { build, buildStateful, type Built } from '../../compiler/build.ts';
import { checkTargets } from '../../compiler/attention/check-targets.ts';
import { targetsNamed } from '../../compiler/codegen/targets.ts';
import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import { attentionShapes } from '../../compiler/compile.ts';
import { workOf, type Dims } from '../../compiler/explain/costs.ts';
import { explainProgram } from '../../compiler/explain/explain.ts';
import type { Explanation } from '../../compiler/explain/explanation.ts';
import { longestSequence, openModel } from '../../compiler/source-model.ts';
import { formatsOf } from '../../compiler/weights/tensor-source.ts';
import { causalModes, uniformCachePlan, type CachePlan, type CausalModeName } from '../../passes/atp/cache-plan.ts';
import { modeNames, modes as tableOfModes, type ModeName } from '../../passes/atp/modes/table.ts';
import { densePlan, type AttentionPlan, type HeadGroup } from '../../passes/atp/plan.ts';
import { pastDim, seqDim } from '../../passes/cache.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { EntryPointName } from '../../runtime/format/program.ts';
import { hybridPlan } from '../models/gpu-programs.ts';
import { tinyBert } from '../models/tiny-bert.ts';
import { tinyLlama } from '../models/tiny-llama.ts';
import { minilmFolder, requires, smollm2File } from '../requirements.ts';

interface Budget {
  /** Distinct pipelines of the program, all entry points together. */
  readonly kernels: number;
  readonly dispatches: number;
  /** Every operand of every dispatch once, caches with the room that they have. */
  readonly bytes: number;
}
interface Case {
  readonly needs?: 'minilm' | 'smollm2';
  readonly model: () => Promise<Built>;
  readonly entry: EntryPointName;
  readonly dims: Dims;
  readonly budget: Budget;
}

async function explained(built: Built, entry: EntryPointName): Promise<Explanation> {
  const entries = built.entries.filter(({ name }) => name === entry);
  return await explainProgram({ ...built, entries }, webgpuTarget, '/');
}
/** Dispatches that a call with these dims runs, rounds counted. */
async function costOf(built: Built, entry: EntryPointName, dims: Dims): Promise<Budget> {
  const { steps, target } = await explained(built, entry);
  let [dispatches, bytes] = [0, 0];
  for (const step of steps) {
    const work = workOf(step, target, dims);
    dispatches += work.dispatches;
    bytes += work.bytes;
  }
  return { kernels: built.kernels.length, dispatches, bytes };
}

const common = { target: webgpuTarget, verify: false } as const;
const keys = [1, 2] as const;
function everyHead(mode: ModeName, layers: number, heads: number): AttentionPlan {
  const all = Array.from({ length: heads }, (_, head) => head);
  const groups: readonly HeadGroup[] = [{ mode, kvHeads: all, keys }];
  return { reason: 'test', layers: Array.from({ length: layers }, (_, layer) => ({ layer, groups })) };
}
const tinyBertWith = async (plan: AttentionPlan): Promise<Built> => build((await tinyBert()).graph, { ...common, plan });
async function minilm(mode: ModeName): Promise<Built> {
  const source = await openModel(minilmFolder);
  expect(longestSequence(source.graph)).to.equal(512);
  return build(source.graph, { ...common, plan: mode === 'dense' ? densePlan : everyHead(mode, 6, 12) });
}
async function tinyLlamaWith(plan: CachePlan): Promise<Built> {
  const { graph } = await tinyLlama({ maxLength: 1024, trainedLength: 1024 });
  return buildStateful(graph, { ...common, plan, maxTokens: 1024 });
}
const smollm2Tokens = 8192;
async function smollm2(mode: 'dense' | 'hybrid'): Promise<Built> {
  const source = await openModel(smollm2File);
  const heads = attentionShapes(source).map(({ kvHeads }) => kvHeads);
  // As `atpc calibrate` gives it on average: one head of every six keeps all tokens, the others stream.
  const [all, stream] = [causalModes.dense.cache(smollm2Tokens), causalModes.stream.cache(smollm2Tokens, {})] as const;
  const hybrid: CachePlan = {
    reason: 'test',
    layers: heads.map((_, layer) =>
      layer % 2 === 0
        ? [
            { mode: 'dense', cache: all, kvHeads: [0] },
            { mode: 'stream', cache: stream, kvHeads: [1, 2] },
          ]
        : [{ mode: 'stream', cache: stream, kvHeads: [0, 1, 2] }],
    ),
  };
  const plan = mode === 'dense' ? uniformCachePlan('dense', heads, smollm2Tokens, 'test') : hybrid;
  return buildStateful(source.graph, { ...common, plan, maxTokens: smollm2Tokens, formatOf: formatsOf(source.tensors) });
}
const chunk = 128;
const prefill = { [seqDim]: chunk, [pastDim]: 2048 } as const;
const decode = { [seqDim]: 1, [pastDim]: 2048 } as const;

const cases: Readonly<Record<string, Case>> = {
  'tiny BERT, dense, 128 tokens': {
    model: () => tinyBertWith(densePlan),
    entry: 'forward',
    dims: { batch: 1, seq: 128 },
    budget: { kernels: 13, dispatches: 22, bytes: 836_240 },
  },
  'tiny BERT, expand, 128 tokens': {
    model: () => tinyBertWith(everyHead('expand', 2, 4)),
    entry: 'forward',
    dims: { batch: 1, seq: 128 },
    budget: { kernels: 16, dispatches: 27, bytes: 1_147_100 },
  },
  'MiniLM, dense, 256 tokens': {
    needs: 'minilm',
    model: () => minilm('dense'),
    entry: 'forward',
    dims: { batch: 1, seq: 256 },
    budget: { kernels: 13, dispatches: 50, bytes: 105_921_552 },
  },
  'MiniLM, expand, 256 tokens': {
    needs: 'minilm',
    model: () => minilm('expand'),
    entry: 'forward',
    dims: { batch: 1, seq: 256 },
    budget: { kernels: 16, dispatches: 63, bytes: 127_421_036 },
  },
  'tiny Llama, hybrid, a token after 512': {
    model: () => tinyLlamaWith(hybridPlan),
    entry: 'decode',
    dims: { [seqDim]: 1, [pastDim]: 512 },
    budget: { kernels: 17, dispatches: 27, bytes: 474_200 },
  },
  'SmolLM2, dense, a chunk after 2,048': {
    needs: 'smollm2',
    model: () => smollm2('dense'),
    entry: 'prefill',
    dims: prefill,
    budget: { kernels: 13, dispatches: 274, bytes: 1_360_584_704 },
  },
  'SmolLM2, dense, a token after 2,048': {
    needs: 'smollm2',
    model: () => smollm2('dense'),
    entry: 'decode',
    dims: decode,
    budget: { kernels: 13, dispatches: 274, bytes: 1_057_977_232 },
  },
  'SmolLM2, hybrid, a chunk after 2,048': {
    needs: 'smollm2',
    model: () => smollm2('hybrid'),
    entry: 'prefill',
    dims: prefill,
    budget: { kernels: 21, dispatches: 379, bytes: 726_082_784 },
  },
  'SmolLM2, hybrid, a token after 2,048': {
    needs: 'smollm2',
    model: () => smollm2('hybrid'),
    entry: 'decode',
    dims: decode,
    budget: { kernels: 21, dispatches: 349, bytes: 382_376_692 },
  },
};
const isThere = { minilm: existsSync(minilmFolder), smollm2: existsSync(smollm2File) } as const;
/** Built once for the entry points of one model. */
const buildOnce = (() => {
  const known = new Map<string, Promise<Built>>();
  return (key: string, model: () => Promise<Built>): Promise<Built> => {
    const made = known.get(key) ?? model();
    known.set(key, made);
    return made;
  };
})();

describe('budgets on WebGPU', function () {
  this.timeout(300_000);
  for (const [name, { needs, model, entry, dims, budget }] of Object.entries(cases)) {
    it(name, async function () {
      if (needs) requires(this, needs, isThere[needs]);
      const built = await buildOnce(name.replace(/, a .*$/, ''), model);
      expect(await costOf(built, entry, dims)).to.deep.equal(budget);
    });
  }

  it('a layer of BERT is at most 7 dispatches where it is dense', async () => {
    const { steps } = await explained(await tinyBertWith(densePlan), 'forward');
    for (const layer of [0, 1]) expect(steps.filter((step) => step.layer === layer).length).to.be.within(1, 7);
  });
  it('a layer of MiniLM too', async function () {
    requires(this, 'minilm', isThere.minilm);
    const { steps } = await explained(await buildOnce('MiniLM, dense, 256 tokens', () => minilm('dense')), 'forward');
    for (const layer of [0, 1, 2, 3, 4, 5]) expect(steps.filter((step) => step.layer === layer).length).to.be.within(1, 7);
  });

  it('a layer of Llama is 9 dispatches for a token, and what its caches do beside attention', async () => {
    const ofPlan = async (plan: CachePlan): Promise<number> => {
      const { steps } = await explained(await tinyLlamaWith(plan), 'decode');
      return steps.filter((step) => step.layer === 1).length;
    };
    const uniform = (mode: CausalModeName): CachePlan => uniformCachePlan(mode, [2, 2], 1024, 'test');
    expect(await ofPlan(uniform('dense'))).to.equal(9);
    // Clusters what leaves the window.
    expect(await ofPlan(uniform('expand'))).to.equal(9 + 1);
    // Makes room, and scores its keys.
    expect(await ofPlan(uniform('stream'))).to.equal(9 + 2);
    // And one more attention.
    expect(await ofPlan(hybridPlan)).to.equal(9 + 3);
  });

  it('a layer has at most 3 dispatches of attention under any plan that is not refused', async () => {
    const { graph } = await tinyBert();
    const modes = modeNames.filter((mode) => webgpuTarget.refusedModes[mode] === undefined);
    const own = modes.filter((mode) => tableOfModes[mode].perHead);
    const heads = fc.oneof(
      { weight: 4, arbitrary: fc.array(fc.constantFrom(...own), { minLength: 4, maxLength: 4 }) },
      { weight: 1, arbitrary: fc.constantFrom(...modes).map((mode) => [mode, mode, mode, mode]) },
    );
    let [refused, taken] = [0, 0];
    await fc.assert(
      fc.asyncProperty(heads, heads, async (...layers) => {
        const plan: AttentionPlan = {
          reason: 'test',
          layers: layers.map((modesOfHeads, layer) => ({
            layer,
            groups: [...new Set(modesOfHeads)].map((mode) => ({
              mode,
              kvHeads: modesOfHeads.flatMap((other, head) => (other === mode ? [head] : [])),
              keys: mode === 'dense' ? ([1, 1] as const) : keys,
            })),
          })),
        };
        try {
          checkTargets(plan.layers, targetsNamed(['webgpu']));
        } catch (error) {
          if (!(error instanceof AtpcError) || error.code !== 'ATPC-307') throw error;
          refused += 1;
          expect(Math.max(...plan.layers.map(({ groups }) => groups.length))).to.be.above(3);
          return;
        }
        taken += 1;
        const { steps } = await explained(build(graph, { ...common, plan }), 'forward');
        for (const layer of [0, 1])
          expect(steps.filter((step) => step.layer === layer && step.kind === 'attention').length).to.be.within(1, 3);
      }),
      { numRuns: 60, seed: 7 },
    );
    expect([refused > 0, taken > 0]).to.deep.equal([true, true]);
  });
  it('and so has one of a model that generates, in prefill and in decode', async () => {
    for (const mode of ['dense', 'expand', 'cluster', 'stream'] as const) {
      const built = await tinyLlamaWith(uniformCachePlan(mode, [2, 2], 1024, 'test', { window: 32, block: 16 }));
      for (const entry of ['prefill', 'decode'] as const) {
        const { steps } = await explained(built, entry);
        for (const layer of [0, 1])
          expect(
            steps.filter((step) => step.layer === layer && step.kind === 'attention').length,
            `${mode} ${entry}`,
          ).to.be.within(1, 3);
      }
    }
  });
});
