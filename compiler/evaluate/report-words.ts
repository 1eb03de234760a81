/** Numbers of an evaluation as the table of the command line and the page print them. */
import type { Interval } from '../quality/interval.ts';
import type { EvaluationReport, EvaluationRow } from './evaluation.ts';

/** `0.0123 (0.0101 to 0.0145)`; shares as per cents. */
export function intervalText({ mean, low, high }: Interval, isShare: boolean): string {
  const text = (value: number): string => numberText(value, isShare);
  return `${text(mean)} (${text(low)} to ${text(high)})`;
}

export function numberText(value: number, isShare: boolean): string {
  if (!Number.isFinite(value)) return value > 0 ? 'no end' : '-';
  if (isShare) return `${(100 * value).toFixed(1)} %`;
  const size = Math.abs(value);
  // Below, f32 differs from itself in another order of its sums.
  if (size < roundingOfF32) return '0';
  return size < 0.01 ? String(Number(value.toPrecision(2))) : value.toPrecision(3);
}
const roundingOfF32 = 1e-7;

/** Losses that are shares of texts or answers. */
export function lossIsShare({ loss }: Pick<EvaluationReport, 'loss'>): boolean {
  return loss.unit.startsWith('share');
}

/** A column: its head, and its cell of a row. */
export interface ReportColumn {
  readonly head: string;
  cell(row: EvaluationRow): string;
}

export function columnsOf(
  report: Pick<EvaluationReport, 'measures' | 'loss' | 'rows'>,
  formats: { readonly milliseconds: (value: number) => string; readonly bytes: (value: number) => string },
): readonly ReportColumn[] {
  const [dense] = report.rows;
  const times = (own: number): string => (dense && own > 0 ? ` (${(dense.milliseconds / own).toFixed(2)}x)` : '');
  return [
    { head: 'plan', cell: ({ plan }) => plan },
    ...report.measures.map(({ name, isShare }): ReportColumn => ({
      head: name,
      cell: ({ measures }) => {
        const found = measures[name];
        return found ? intervalText(found, isShare) : '-';
      },
    })),
    { head: report.loss.name, cell: ({ loss }) => (loss ? intervalText(loss, lossIsShare(report)) : '-') },
    { head: 'ms a text', cell: ({ milliseconds }) => `${formats.milliseconds(milliseconds)}${times(milliseconds)}` },
    ...(report.rows.some(({ stateBytes }) => stateBytes !== null)
      ? [{ head: 'state', cell: ({ stateBytes }: EvaluationRow) => (stateBytes === null ? '-' : formats.bytes(stateBytes)) }]
      : []),
  ];
}
