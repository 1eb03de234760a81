/** docs/roofline.md: predictions of what the kernels for CUDA take on GPUs, for three models at four lengths. */
import path from 'node:path';
import { inspectPlan } from '../../compiler/index.ts';
import type { PlannedOptions } from '../../compiler/inspect.ts';
import {
  kernelRows,
  kernelsHead,
  memoryHead,
  memoryRows,
  totalsHead,
  totalsRows,
  type Rows,
} from '../../compiler/cli/roofline-text.ts';
import { formatMilliseconds, formatSeconds } from '../../compiler/cli/terminal.ts';
import { capabilities, deviceNames, devices, type DeviceName } from '../../compiler/roofline/devices.ts';
import { rooflineLengths, type RooflineLength, type RooflineReport } from '../../compiler/roofline/report.ts';
import { code, table } from './markdown.ts';

const pageDevice: DeviceName = 'h100';
const pagePrecision = 'f16';
/** Where kernels, devices and precisions are compared. */
const comparedTokens = 32_768;
const comparedDevices: readonly DeviceName[] = ['h100', 'a100', 'l40s', 'l4', 'rtx4090', 'rtx5090'];

interface ModelRow {
  readonly title: string;
  readonly words: string;
  readonly folder: string;
  readonly options: Omit<PlannedOptions, 'model' | 'targets'>;
}
const longSession = { maxLength: 131_072, beyondTrainedContext: true } as const;
const planOf = (folder: string): string => path.join('examples/roofline', folder, 'plan.yaml');
const models: readonly ModelRow[] = [
  {
    title: 'BERT-base-like',
    words:
      '12 layers of 12 heads of 64, as BERT-base, with a position for each of 131,072 tokens. ' +
      'The plan: mode expand, which reads a quarter of the keys, in every layer and head.',
    folder: 'bert-base-like',
    options: { attention: 'expand', keys: '1/4' },
  },
  {
    title: 'SmolLM2-135M',
    words:
      '30 layers of 9 heads of 64 over 3 key/value heads. The plan: hybrid; one key/value head of six keeps every token, the others stream.',
    folder: 'smollm2-135m',
    options: { plan: planOf('smollm2-135m'), ...longSession },
  },
  {
    title: 'Llama-2-7B',
    words: '32 layers of 32 heads of 128. The plan: hybrid; one key/value head of six keeps every token, the others stream.',
    folder: 'llama-2-7b',
    options: { plan: planOf('llama-2-7b'), ...longSession },
  },
];

async function rooflineOf(
  { folder, options }: ModelRow,
  device: DeviceName,
  precision: NonNullable<PlannedOptions['precision']>,
  lengths: readonly number[],
): Promise<RooflineReport> {
  const model = path.join('examples/roofline', folder);
  const { roofline } = await inspectPlan({ ...options, model, targets: ['cuda'], precision }, { device, lengths });
  if (roofline === undefined) throw new Error(`${model} has no roofline.`);
  return roofline;
}
const at = ({ lengths }: RooflineReport, tokens: number): RooflineLength => {
  const found = lengths.find((length) => length.tokens === tokens);
  if (found === undefined) throw new Error(`The roofline has no length ${tokens}.`);
  return found;
};
const time = (seconds: number): string => (seconds >= 1 ? formatSeconds(seconds) : `${formatMilliseconds(seconds * 1000)} ms`);

const callTitles = {
  forward: 'the forward pass',
  prompt: 'a whole prompt',
  prefill: 'the last chunk of a prompt',
  decode: 'a decoded token',
} as const;

function kernelSections({ calls, tokens }: RooflineLength): readonly string[] {
  return calls
    .filter(({ call }) => call !== 'prompt')
    .flatMap(({ call, dense, plan }) =>
      [
        ['dense', dense],
        ['plan', plan],
      ].flatMap(([which, one]) => [
        `**${callTitles[call]} at ${tokens.toLocaleString('en-US')} tokens, ${which as string}**`,
        table(kernelsHead, kernelRows(one as typeof dense)),
      ]),
    );
}
async function modelSection(row: ModelRow): Promise<readonly string[]> {
  const report = await rooflineOf(row, pageDevice, pagePrecision, rooflineLengths);
  return [
    `## ${row.title}`,
    row.words,
    table(totalsHead, totalsRows(report)),
    'Memory of the device: weights, workspace and one session of so many tokens.',
    table(memoryHead, memoryRows(report)),
    ...kernelSections(at(report, comparedTokens)),
  ];
}

/** One row a device or precision: every call, dense and planned. */
function comparedCells(report: RooflineReport): readonly string[] {
  const { calls } = at(report, comparedTokens);
  return calls.filter(({ call }) => call !== 'prefill').flatMap(({ dense, plan }) => [time(dense.seconds), time(plan.seconds)]);
}
async function comparison(row: ModelRow): Promise<readonly string[]> {
  const rows: (readonly string[])[] = [];
  const compared = [
    { device: pageDevice, precision: 'f32' } as const,
    ...comparedDevices.map((device) => ({ device, precision: pagePrecision }) as const),
  ];
  for (const { device, precision } of compared) {
    const report = await rooflineOf(row, device, precision, [comparedTokens]);
    rows.push([devices[device].title, precision, ...comparedCells(report)]);
  }
  const calls = row.options.plan === undefined ? ['forward'] : ['prompt', 'decode token'];
  const head = ['device', 'precision', ...calls.flatMap((call) => [`${call}, dense`, `${call}, plan`])];
  return [`**${row.title}**`, table(head, rows)];
}

function deviceRows(): Rows {
  return deviceNames.map((name) => {
    const device = devices[name];
    const capability = capabilities[device.capability];
    return [
      code(name),
      device.title,
      device.capability,
      String(device.multiprocessors),
      (device.bytesPerSecond / 1e9).toLocaleString('en-US'),
      String(device.f32FlopsPerSecond / 1e12),
      String(device.halfFlopsPerSecond / 1e12),
      `${capability.sharedBytesPerMultiprocessor / 1024} KiB`,
      `${capability.threadsPerMultiprocessor} / ${capability.workgroupsPerMultiprocessor}`,
      `${device.cacheBytes / 2 ** 20} MiB`,
      device.source,
    ];
  });
}
const devicesHead = [
  ...['name', 'device', 'capability', 'SMs', 'GB/s', 'f32 TFLOP/s', 'f16 TFLOP/s'],
  ...['shared memory an SM', 'threads / blocks an SM', 'L2', 'from'],
];

export async function rooflinePage(): Promise<string> {
  const sections: string[] = [];
  for (const row of models) sections.push(...(await modelSection(row)));
  const compared: string[] = [];
  for (const row of models) compared.push(...(await comparison(row)));
  const [first] = models as readonly [ModelRow, ...ModelRow[]];
  const { assumptions } = await rooflineOf(first, pageDevice, pagePrecision, [2048]);
  return [
    '# Roofline',
    '**Every time on this page is a prediction that no GPU has confirmed.** It is arithmetic: what the kernels for CUDA read, write and compute, by the ' +
      'shapes of their dispatches, against what NVIDIA publishes of its devices. A roofline says what a kernel cannot beat, not what it reaches. Where it says that a plan ' +
      'saves nothing, the plan saves nothing; where it says that one saves half, it may save less.',
    'Written by `npm run roofline`, from the programs as they are compiled; weights are not needed. For a model, a plan and a device of your own:',
    '```\nnpx atpc inspect plan MODEL --plan plan.yaml -t cuda --precision f16 --device h100 --lengths 2048,32768\n```',
    'MODEL may be a folder with nothing but a config.json, as those in [examples/roofline](../examples/roofline). `--json` has all of the numbers, `--ptxas FILE` ' +
      'takes the registers of kernels from what `ptxas -v` printed.',
    '## Assumptions',
    ...[assumptions.map((sentence) => `- ${sentence}`).join('\n')],
    '- The plans of both Llamas are not calibrated: which heads keep all tokens changes from checkpoint to checkpoint, how many they are less so ' +
      '([generation](guide/generation.md)). Lengths beyond those that a model was trained for are about time and memory, not quality.',
    '- Weights are stored as f16. Keys and values of a session are f32, as they are in packages today.',
    '## How to read the tables',
    'A _plan_ is attention over principal keys; _dense_ is the same model without one, compiled for the same target. _prompt_ is a whole text read in chunks, _prefill chunk_ the last ' +
      'of those chunks, _decode token_ the token after it. _Bound_ is what most of the predicted time is spent on: `memory`; `cache`, what tiles read again; `compute`; or `launch`, for kernels that are over before the next ' +
      'can be launched. Kernels have the names that they have in `kernels.cu`; _count_ is dispatches, _blocks_ are the thread blocks of all of them. A question mark means assumed.',
    'Three things are to be looked for. _Blocks_ divided by _count_ is how many thread blocks a dispatch has: with fewer than the device has multiprocessors ' +
      `(${devices[pageDevice].multiprocessors} on the ${devices[pageDevice].title}) the rest of it idles, which is what few heads and short chunks cost. _FLOP/byte_: below about ` +
      `${Math.round(devices[pageDevice].f32FlopsPerSecond / devices[pageDevice].bytesPerSecond)} in f32 a kernel is bound by memory. And what FLOPs are done by: scores that keys are chosen by are f32 in every precision, so that on tensor cores, which do ` +
      'the rest many times as fast, a plan that chooses its keys (expand) saves less time than FLOPs, or takes longer than dense attention where the rest is slow.',
    `The first three sections are for ${devices[pageDevice].title} with \`--precision ${pagePrecision}\`; [other devices](#devices) follow.`,
    ...sections,
    '## Devices',
    `Predicted times at ${comparedTokens.toLocaleString('en-US')} tokens, whether the model fits the memory of the device or not.`,
    ...compared,
    'What is known of them. Rates are dense, f16 with sums in f32; SM stands for multiprocessor.',
    table(devicesHead, deviceRows()),
  ].join('\n\n');
}
