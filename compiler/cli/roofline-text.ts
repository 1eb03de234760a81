/** A roofline as tables: totals of every call at every length, then the kernels of single calls at the longest. */
import type { CallRoofline, KernelRoofline } from '../roofline/entry-roofline.ts';
import type { RooflineCall, RooflineLength, RooflineReport } from '../roofline/report.ts';
import { formatTable } from './table.ts';
import { formatBytes, formatFlops, formatMilliseconds, formatSeconds } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export type Rows = readonly (readonly string[])[];

const callWords: { readonly [K in RooflineCall['call']]: string } = {
  forward: 'forward',
  prompt: 'prompt',
  prefill: 'prefill chunk',
  decode: 'decode token',
};
const milliseconds = (seconds: number): string =>
  seconds >= 1 ? formatSeconds(seconds) : `${formatMilliseconds(seconds * 1000)} ms`;
const ratio = (part: number, whole: number): string => (whole === 0 ? '-' : (part / whole).toFixed(2));

/** What most of the time of a call goes to. */
function mainBound({ boundSeconds, seconds }: CallRoofline): string {
  const [bound, most] = Object.entries(boundSeconds).reduce((a, b) => (b[1] > a[1] ? b : a));
  return `${bound} ${Math.round((100 * most) / Math.max(seconds, Number.MIN_VALUE))} %`;
}

export const totalsHead: readonly string[] = [
  'tokens',
  'call',
  'dense FLOPs',
  'plan FLOPs',
  'dense bytes',
  'plan bytes',
  'dense time',
  'plan time',
  'plan / dense',
  'dense bound',
  'plan bound',
];
export function totalsRows({ lengths }: RooflineReport): Rows {
  return lengths.flatMap(({ tokens, calls }) =>
    calls.map(({ call, dense, plan }) => [
      String(tokens),
      callWords[call],
      formatFlops(dense.flops),
      formatFlops(plan.flops),
      formatBytes(dense.bytes),
      formatBytes(plan.bytes),
      milliseconds(dense.seconds),
      milliseconds(plan.seconds),
      ratio(plan.seconds, dense.seconds),
      mainBound(dense),
      mainBound(plan),
    ]),
  );
}

export const memoryHead: readonly string[] = ['tokens', 'dense memory', 'plan memory', 'of the device'];
export function memoryRows({ lengths }: RooflineReport): Rows {
  const fits = (bytes: number, { deviceBytes }: RooflineLength): string =>
    `${formatBytes(bytes)}${bytes > deviceBytes ? ' (does not fit)' : ''}`;
  return lengths.map((length) => [
    String(length.tokens),
    fits(length.denseBytes, length),
    fits(length.planBytes, length),
    formatBytes(length.deviceBytes),
  ]);
}

export const kernelsHead: readonly string[] = [
  'kernel',
  'count',
  'blocks',
  'threads',
  'registers',
  'shared',
  'occupancy',
  'FLOPs',
  'bytes',
  'FLOP/byte',
  'bound',
  'time',
  'share',
];
/** Longest first. */
export function kernelRows({ kernels, seconds }: CallRoofline): Rows {
  return [...kernels].sort((a, b) => b.seconds - a.seconds).map((kernel) => kernelRow(kernel, seconds));
}
function kernelRow(row: KernelRoofline, whole: number): readonly string[] {
  return [
    row.kernel,
    String(row.dispatches),
    String(row.workgroups),
    String(row.threads),
    `${row.registers}${row.registersFrom === 'assumed' ? '?' : ''}`,
    formatBytes(row.sharedBytes),
    `${Math.round(row.occupancy * 100)} %`,
    formatFlops(row.flops),
    formatBytes(row.readBytes + row.writtenBytes),
    row.intensity >= 100 ? String(Math.round(row.intensity)) : row.intensity.toFixed(1),
    row.bound,
    milliseconds(row.seconds),
    `${Math.round((100 * row.seconds) / Math.max(whole, Number.MIN_VALUE))} %`,
  ];
}

const rightOf = (head: readonly string[], left: readonly string[]): readonly number[] =>
  head.flatMap((name, column) => (left.includes(name) ? [] : [column]));

export function printRoofline(terminal: Terminal, report: RooflineReport): void {
  const { bold, dim } = terminal.colors.stdout;
  const { title, precision, lengths, assumptions } = report;
  terminal.print(`\n${bold(`Roofline on ${title}, products of ${precision}`)} (predicted; no GPU has confirmed it)`);
  terminal.print(formatTable([totalsHead, ...totalsRows(report)], rightOf(totalsHead, ['call', 'dense bound', 'plan bound'])));
  terminal.print(`\n${bold('Memory of the device')} (weights, workspace, one session)`);
  terminal.print(formatTable([memoryHead, ...memoryRows(report)], rightOf(memoryHead, [])));
  const longest = lengths.at(-1);
  for (const { call, dense, plan } of longest?.calls ?? []) {
    if (call === 'prompt') continue;
    for (const [which, one] of [
      ['dense', dense],
      ['plan', plan],
    ] as const) {
      terminal.print(`\n${bold(`Kernels, ${callWords[call]} at ${longest?.tokens ?? 0} tokens, ${which}`)} (? assumed)`);
      terminal.print(formatTable([kernelsHead, ...kernelRows(one)], rightOf(kernelsHead, ['kernel', 'bound'])));
    }
  }
  terminal.print('');
  for (const assumption of assumptions) terminal.print(dim(`- ${assumption}`));
}
