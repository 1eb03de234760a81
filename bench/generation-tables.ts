/** The times of generation, as tables of text. */
import { formatMilliseconds } from '../compiler/cli/terminal.ts';
import type { Rows } from './compare-tables.ts';
import {
  averageTo,
  decodeAt,
  decodeLengths,
  lengths,
  marginalAt,
  stretchTokens,
  type GenerationTimes,
  type Measure,
} from './generation-times.ts';
import type { Machine } from './machine.ts';

export const generationModes = ['dense', 'hybrid', 'stream'] as const;
export type GenerationMode = (typeof generationModes)[number];
export interface GenerationFigures {
  readonly machine: Machine;
  /** Length of the text. */
  readonly tokens: number;
  readonly modes: Partial<Record<GenerationMode, GenerationTimes>>;
}

/** The most that the time a token may grow from 2k to 32k tokens; dense is held against nothing. */
const targets: { readonly [K in GenerationMode]: number | null } = { dense: null, hybrid: 1.6, stream: 1.25 };

const short = (tokens: number): string => (tokens < 1024 ? String(tokens) : `${tokens / 1024}k`);
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const entriesOf = ({ modes }: GenerationFigures): readonly (readonly [GenerationMode, GenerationTimes])[] =>
  generationModes.flatMap((mode) => {
    const times = modes[mode];
    return times ? [[mode, times] as const] : [];
  });

export function prefillTable(figures: GenerationFigures, measure: Measure): Rows {
  const measured = lengths.filter((length) => length <= figures.tokens);
  const [first = stretchTokens] = measured;
  const last = measured.at(-1) ?? first;
  const head = [
    'attention',
    ...measured.map((length) => `ms a token, first ${short(length)}`),
    `${short(last)} / ${short(first)}`,
    'at most',
    ...measured.map((length) => `ms a token, around ${short(length)}`),
  ];
  const rows = entriesOf(figures).map(([mode, times]) => [
    mode,
    ...measured.map((length) => formatMilliseconds(averageTo(times, length, measure))),
    `${(averageTo(times, last, measure) / averageTo(times, first, measure)).toFixed(2)}x`,
    targets[mode] === null ? '' : `${targets[mode]}x`,
    ...measured.map((length) => formatMilliseconds(marginalAt(times, length, measure))),
  ]);
  return [head, ...rows];
}

export function decodeTable(figures: GenerationFigures, measure: Measure): Rows {
  const measured = decodeLengths.filter((length) => length <= figures.tokens);
  const head = ['attention', ...measured.map((length) => `ms a token after ${short(length)}`)];
  return [
    head,
    ...entriesOf(figures).map(([mode, times]) => [
      mode,
      ...measured.map((length) => formatMilliseconds(decodeAt(times, length, figures.tokens, measure))),
    ]),
  ];
}

export function memoryTable(figures: GenerationFigures): Rows {
  const dense = figures.modes.dense?.stateBytes;
  return [
    ['attention', 'state', 'of dense', 'peak by the manifest', 'peak found'],
    ...entriesOf(figures).map(([mode, { stateBytes, formulaBytes, peakBytes }]) => [
      mode,
      mebibytes(stateBytes),
      dense === undefined ? '-' : `${((100 * stateBytes) / dense).toFixed(1)} %`,
      mebibytes(formulaBytes),
      mebibytes(peakBytes),
    ]),
  ];
}

/** The kernels of one call each, those with the most time first. */
export function profileTables(figures: GenerationFigures): readonly { readonly title: string; readonly rows: Rows }[] {
  return entriesOf(figures).flatMap(([mode, { profiles }]) =>
    profiles.map(({ entry, past, kernels }) => {
      const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
      const dispatches = kernels.reduce((sum, kernel) => sum + kernel.dispatches, 0);
      return {
        title: `${mode}, ${entry} at ${past} tokens: ${formatMilliseconds(total)} ms in ${dispatches} dispatches`,
        rows: [
          ['kernel', 'dispatches', 'ms', '%'],
          ...kernels
            .slice(0, 12)
            .map((one) => [
              one.kernel,
              String(one.dispatches),
              one.milliseconds.toFixed(2),
              ((100 * one.milliseconds) / total).toFixed(1),
            ]),
        ],
      };
    }),
  );
}
