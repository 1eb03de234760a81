/**
 * The time that planning takes of each token: a program of 30 layers, 14 dispatches a layer, 15 integers a dispatch, of which most
 * depend on how many tokens the state holds. `npx tsx bench/planning.ts`.
 */
import { reservedLayout } from '../runtime/backends/one-memory/layout.ts';
import { RunPlan } from '../runtime/backends/one-memory/plan.ts';
import type { DispatchStep, Program } from '../runtime/format/program.ts';
import type { SizeExpression } from '../runtime/format/expression.ts';

const [layers, dispatches, integers, tokens] = [30, 14, 15, 2000] as const;
const integer = (layer: number, at: number): SizeExpression =>
  [['+', ['ceil/', ['+', 'past', 1], 32 + layer], at] as const, ['min', ['+', 'past', at], 4096] as const, at][
    at % 3
  ] as SizeExpression;
const step = (layer: number, at: number): DispatchStep => ({
  kind: 'dispatch',
  kernel: 'kernel',
  label: `${layer}.${at}`,
  operands: [
    { buffer: 0, offset: 64 * at },
    { buffer: 1, offset: ['*', 64, ['+', 'past', layer]] },
    { buffer: 2, offset: 0 },
  ],
  integers: Array.from({ length: integers }, (_, index) => integer(layer, index)),
  items: ['ceil/', ['+', 'past', 1], 4],
  scratchBytes: 64,
  when: { less: [at - 1, ['+', 'past', 100]] },
});
const buffer = { elementType: 'f32', offset: 0, bytes: 1024, firstStep: 0, lastStep: 0 } as const;
const program: Program = {
  formatVersion: 1,
  name: 'planning',
  dims: [{ name: 'past', min: 0, max: 8191 }],
  arenas: { weights: 2 ** 20, io: 2 ** 20, workspace: 2 ** 20, scratch: 4096, state: 2 ** 26 },
  buffers: [
    { ...buffer, name: 'weights', class: 'weights' },
    { ...buffer, name: 'state', class: 'state' },
    { ...buffer, name: 'workspace', class: 'workspace' },
  ],
  weights: [],
  entryPoints: {
    decode: {
      inputs: [],
      outputs: [],
      steps: Array.from({ length: layers * dispatches }, (_, index) => step(Math.floor(index / dispatches), index % dispatches)),
    },
  },
};

let began = performance.now();
const kernels = new Map([['kernel', () => undefined]]);
const plan = new RunPlan({ program, kernels, entry: 'decode', layout: reservedLayout(program, 1) }, { past: 0 });
process.stdout.write(`making the plan, once: ${(performance.now() - began).toFixed(1)} ms\n`);
const rounds: number[] = [];
let count = 0;
for (let past = 0; past < tokens; past++) {
  began = performance.now();
  plan.begin({ past }, 2 ** 22);
  for (const { parameters } of plan.dispatches()) count += parameters.length;
  rounds.push(performance.now() - began);
}
rounds.sort((a, b) => a - b);
const at = (share: number): string => (rounds[Math.floor(share * (rounds.length - 1))] ?? NaN).toFixed(3);
process.stdout.write(`a token: median ${at(0.5)} ms, 99 of 100 under ${at(0.99)} ms (${count / tokens} parameters)\n`);
