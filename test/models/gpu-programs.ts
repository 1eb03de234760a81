/** Small models as programs for a GPU, in every form that changes which kernels there are: no device is needed for them. */
import { build, buildStateful, type Built } from '../../compiler/build.ts';
import type { Target } from '../../compiler/codegen/target.ts';
import { webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import type { WeightType } from '../../compiler/compile-options.ts';
import { storedAs } from '../../compiler/weights/stored-as.ts';
import { formatsOf } from '../../compiler/weights/tensor-source.ts';
import { causalModeNames, causalModes, uniformCachePlan, type CachePlan } from '../../passes/atp/cache-plan.ts';
import { modeNames } from '../../passes/atp/modes/table.ts';
import { densePlan, type AttentionPlan } from '../../passes/atp/plan.ts';
import { uniformPlan } from './compiled.ts';
import { llamaVariants } from './llama-variants.ts';
import { tinyBert } from './tiny-bert.ts';
import { tinyLlama } from './tiny-llama.ts';

const maxTokens = 1024;
const sizes = { window: 32, block: 16, sinks: 4 } as const;

/** Heads of a layer in three modes. */
const mixedPlan: AttentionPlan = {
  reason: 'test',
  layers: [0, 1].map((layer) => ({
    layer,
    groups: [
      { mode: 'dense', kvHeads: [2], keys: [1, 1] },
      { mode: 'expand', kvHeads: [0, 3], keys: [1, 2] },
      { mode: 'topr', kvHeads: [1], keys: [1, 2] },
    ],
  })),
};
async function bert(target: Target, plan: AttentionPlan, { half = false, classes = false } = {}): Promise<Built> {
  const { graph } = await tinyBert(classes ? { head: { kind: 'classify', labels: ['a', 'b', 'c'] } } : {});
  return build(graph, { target, verify: true, plan, ...(half ? { isHalf: () => true } : {}) });
}

/** A head that keeps every token and one that streams, as hybrid plans have them. */
export const hybridPlan: CachePlan = {
  reason: 'test',
  layers: [0, 1].map(() => [
    { mode: 'dense', cache: causalModes.dense.cache(maxTokens), kvHeads: [0] },
    { mode: 'stream', cache: causalModes.stream.cache(maxTokens, { ...sizes, atoms: 16 }), kvHeads: [1] },
  ]),
};
async function llama(target: Target, plan: CachePlan, type?: WeightType): Promise<Built> {
  const { graph, source } = await tinyLlama({ maxLength: maxTokens, trainedLength: maxTokens });
  const { tensors } = storedAs(source, graph, type);
  return buildStateful(graph, { target, verify: true, plan, maxTokens, formatOf: formatsOf(tensors) });
}

export type GpuPrograms = Readonly<Record<string, () => Promise<Built>>>;
export const gpuProgramsFor = (target: Target): GpuPrograms => ({
  ...Object.fromEntries(
    modeNames
      .filter((mode) => target.refusedModes[mode] === undefined)
      .map((mode) => [`bert-${mode}`, () => bert(target, mode === 'dense' ? densePlan : uniformPlan(mode, [1, 2]))]),
  ),
  'bert-mixed': () => bert(target, mixedPlan),
  'bert-classes': () => bert(target, densePlan, { classes: true }),
  'bert-half': () => bert(target, densePlan, { half: true }),
  ...Object.fromEntries(
    causalModeNames.map((mode) => [
      `llama-${mode}`,
      () => llama(target, uniformCachePlan(mode, [2, 2], maxTokens, 'test', sizes)),
    ]),
  ),
  'llama-hybrid': () => llama(target, hybridPlan),
  'llama-q8': () => llama(target, hybridPlan, 'q8'),
  'llama-q4': () => llama(target, uniformCachePlan('dense', [2, 2], maxTokens, 'test'), 'q4'),
  ...Object.fromEntries(
    Object.entries(llamaVariants).map(([name, changes]) => [
      `llama forward, ${name}`,
      async () => build((await tinyLlama(changes)).graph, { target, verify: true, plan: densePlan }),
    ]),
  ),
});
export const gpuPrograms: GpuPrograms = gpuProgramsFor(webgpuTarget);

/** Whose kernels lie in test/golden-kernels. */
export const goldenPrograms = ['bert-dense', 'bert-expand', 'llama-hybrid', 'llama-q4'] as const;
