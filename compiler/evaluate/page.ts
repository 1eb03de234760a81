/** The page of `atpc eval --html`: one file with the table and its plots, without script, network or framework. */
import type { ReadTime } from '../quality/planned-model.ts';
import type { EvaluationReport } from './evaluation.ts';
import { escapeHtml, plotSvg, seriesColours, type PlotSeries } from './plot.ts';
import { columnsOf, lossIsShare, numberText } from './report-words.ts';
import { median } from './statistics.ts';

/** `formats`: how times and bytes are printed. */
export function evaluationPage(report: EvaluationReport, formats: Parameters<typeof columnsOf>[1]): string {
  const { model, task, data, loss, measures, notes, maxLoss } = report;
  const title = `${model}: ${task}, evaluated by atpc`;
  const met = maxLoss && (maxLoss.met ? 'the upper end of every loss is within it' : 'the upper end of a loss is above it');
  const isShare = lossIsShare(report);
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    // Nothing is loaded from anywhere, whatever a name of a model or a plan may contain.
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeHtml(title)}</title>`,
    `<style>\n${style}</style>`,
    '</head>',
    '<body>',
    '<main>',
    `<h1>${escapeHtml(model)}: ${task}</h1>`,
    `<p>${data.documents} texts of ${data.tokens} tokens from ${escapeHtml(data.file)} (SHA-256 <code>${data.sha256}</code>), on WebAssembly with one thread.</p>`,
    tableHtml(report, formats),
    '<dl>',
    ...[...measures, loss].map(({ name, summary }) => `<dt>${name}</dt><dd>${escapeHtml(summary)}</dd>`),
    '</dl>',
    '<p>In brackets after a value: its 95 % interval; after a time, how many times as fast as dense attention it is.</p>',
    ...(maxLoss ? [`<p><strong>--max-loss ${numberText(maxLoss.bound, isShare)}</strong>: ${met ?? ''}.</p>`] : []),
    ...notes.map((note) => `<p class="note">${escapeHtml(note)}</p>`),
    ...figures(report, formats.milliseconds),
    '</main>',
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function tableHtml(report: EvaluationReport, formats: Parameters<typeof columnsOf>[1]): string {
  const columns = columnsOf(report, formats);
  const row = (tag: 'th' | 'td', cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return [
    '<table>',
    `<thead>${row(
      'th',
      columns.map(({ head }) => head),
    )}</thead>`,
    '<tbody>',
    ...report.rows.map((each) =>
      row(
        'td',
        columns.map((column) => column.cell(each)),
      ),
    ),
    '</tbody>',
    '</table>',
  ].join('\n');
}

function figures(report: EvaluationReport, timeText: (milliseconds: number) => string): readonly string[] {
  const isShare = lossIsShare(report);
  const kept = lossOverKeys(report);
  const shares = [...new Set(kept.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const times = timeOverLength(report);
  const lengths = times.flatMap(({ points }) => points.map(({ x }) => x));
  return [
    ...(shares.length === 0
      ? []
      : figure('Loss over keys kept', kept, {
          xLabel: 'keys kept, share',
          yLabel: `${report.loss.name}${isShare ? '' : `, ${report.loss.unit}`}`,
          xMarks: shares.map((at) => ({ at, text: shareText(at) })),
          yText: (value) => (isShare ? `${Number((100 * value).toPrecision(3))} %` : String(Number(value.toPrecision(3)))),
        })),
    ...figure('Time over length', times, {
      xLabel: 'tokens of a text',
      yLabel: 'milliseconds, median',
      xMarks: powersOfTwo(Math.min(...lengths), Math.max(...lengths)).map((at) => ({ at, text: String(at) })),
      yText: (value) => (value === 0 ? '0' : timeText(value)),
    }),
  ];
}

/** `1/8`, or digits where it is no such share. */
const shareText = (share: number): string =>
  Number.isInteger(1 / share) ? `1/${1 / share}` : String(Number(share.toPrecision(3)));

function figure(title: string, series: readonly PlotSeries[], rest: Omit<Parameters<typeof plotSvg>[0], 'title' | 'series'>) {
  return [
    '<figure>',
    `<figcaption>${title}</figcaption>`,
    plotSvg({ title, series, ...rest }),
    '<ul class="legend">',
    ...series.map(({ name }, index) => `<li class="series-${index % seriesColours}">${escapeHtml(name)}</li>`),
    '</ul>',
    '</figure>',
  ];
}

/** A line a mode; plans with several shares have no place on the axis, and stand in the table. */
export function lossOverKeys({ rows }: Pick<EvaluationReport, 'rows'>): readonly PlotSeries[] {
  const modes = [...new Set(rows.flatMap(({ mode, loss }) => (mode !== null && loss ? [mode] : [])))];
  return modes.map((name) => ({
    name,
    points: rows
      .flatMap(({ mode, keys, loss }) =>
        mode === name && keys !== null && loss ? [{ x: keys, y: loss.mean, low: loss.low, high: loss.high }] : [],
      )
      .sort((a, b) => a.x - b.x),
  }));
}

/** Classes of lengths, two an octave. */
const classOf = (tokens: number): number => Math.round(2 * Math.log2(tokens));

/** A line a plan: medians of lengths and times in each class of lengths. */
export function timeOverLength({ rows }: Pick<EvaluationReport, 'rows'>): readonly PlotSeries[] {
  return rows.map(({ plan, times }) => {
    const classes = new Map<number, ReadTime[]>();
    for (const time of times) {
      const own = classes.get(classOf(time.tokens));
      if (own) own.push(time);
      else classes.set(classOf(time.tokens), [time]);
    }
    const points = [...classes.entries()]
      .sort(([a], [b]) => a - b)
      .map(([, own]) => ({ x: median(own.map(({ tokens }) => tokens)), y: median(own.map(({ milliseconds }) => milliseconds)) }));
    return { name: plan, points };
  });
}

function powersOfTwo(least: number, most: number): readonly number[] {
  const [first, last] = [Math.ceil(Math.log2(least)), Math.floor(Math.log2(most))];
  const powers = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => 2 ** (first + index));
  return powers.length > 0 ? powers : [Math.round(most)];
}

/** Colours that people with any kind of colour vision tell apart: Okabe and Ito, "Color Universal Design", 2008. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#8c6d1f', '#7d8797'] as const;
const style = `:root {
  color-scheme: light dark;
  --ground: #fbfaf7;
  --ink: #1d2230;
  --soft: #5f6678;
  --line: #e0ddd4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171e;
    --ink: #e4e7ee;
    --soft: #98a1b3;
    --line: #303643;
  }
}
body {
  margin: 0;
  background: var(--ground);
  color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1100px; margin: 0 auto; padding: 28px 24px 80px; }
h1 { margin: 0; font-size: 28px; letter-spacing: -0.02em; }
code { font-size: 11px; overflow-wrap: anywhere; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; color: var(--soft); }
dd { margin: 0; }
.note { border-left: 3px solid ${colours[5]}; padding-left: 12px; }
figure { margin: 28px 0 0; max-width: 720px; }
figcaption { font-weight: 600; }
.plot { width: 100%; height: auto; }
.plot text { fill: var(--soft); font-size: 12px; }
.plot .grid { stroke: var(--line); }
.plot .axis { stroke: var(--soft); }
.plot polyline { fill: none; stroke: currentColor; stroke-width: 2; }
.plot .bar { stroke: currentColor; stroke-opacity: 0.5; stroke-width: 2; }
.plot circle { fill: currentColor; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0; padding: 0; list-style: none; }
.legend li::before { content: ''; display: inline-block; width: 18px; height: 3px; margin-right: 6px; vertical-align: middle; background: currentColor; }
${colours.map((colour, index) => `.series-${index} { color: ${colour}; }`).join('\n')}
`;
