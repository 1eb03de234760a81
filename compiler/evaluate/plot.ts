/** A plot of lines as SVG text, with classes for its colours: `plot`, `axis`, `grid`, and `series-0` to `series-7`. */

export interface PlotPoint {
  readonly x: number;
  readonly y: number;
  /** Ends of the interval around y, drawn as a bar. */
  readonly low?: number;
  readonly high?: number;
}
export interface PlotSeries {
  readonly name: string;
  readonly points: readonly PlotPoint[];
}
export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly PlotSeries[];
  /** Where the x axis has marks, with their words. Ascending; the axis is logarithmic, so that all are above 0. */
  readonly xMarks: readonly { readonly at: number; readonly text: string }[];
  readonly yText: (value: number) => string;
}

export const seriesColours = 8;
const size = { width: 640, height: 360, left: 76, right: 16, top: 20, bottom: 48 } as const;

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
export const escapeHtml = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? '');

/** Steps of 1, 2 or 5 times a power of ten, about five of them up to `largest`. */
export function niceSteps(largest: number): readonly number[] {
  if (!(largest > 0) || !Number.isFinite(largest)) return [0, 1];
  const rough = largest / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10) * power;
  return Array.from({ length: Math.ceil(largest / step - 1e-9) + 1 }, (_, index) => index * step);
}

/** y begins at 0: neither losses nor times are negative. */
export function plotSvg({ title, xLabel, yLabel, series, xMarks, yText }: Plot): string {
  const points = series.flatMap((one) => one.points);
  const finite = (values: readonly number[]): readonly number[] => values.filter(Number.isFinite);
  const steps = niceSteps(Math.max(0, ...finite(points.flatMap(({ y, high = y }) => [y, high]))));
  const top = steps.at(-1) as number;
  const xs = [...points.map(({ x }) => x), ...xMarks.map(({ at }) => at)].map(Math.log2);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const inner = { width: size.width - size.left - size.right, height: size.height - size.top - size.bottom };
  const place = (value: number): string => String(Number(value.toFixed(1)));
  // One value of x lies in the middle.
  const xOf = (x: number): string =>
    place(size.left + inner.width * (right > left ? 0.04 + (0.92 * (Math.log2(x) - left)) / (right - left) : 0.5));
  const yOf = (y: number): string => place(size.top + inner.height * (1 - Math.min(top, Math.max(0, y)) / top));
  // Intervals of several series at one x lie side by side.
  const beside = (x: number, index: number): string => place(Number(xOf(x)) + 4 * (index - (series.length - 1) / 2));
  const bottom = size.top + inner.height;
  const line = (kind: string, x1: string, y1: string, x2: string, y2: string): string =>
    `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
  const text = (x: string, y: string, anchor: string, words: string): string =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}">${escapeHtml(words)}</text>`;
  const rows = steps.flatMap((step) => [
    line('grid', String(size.left), yOf(step), String(size.width - size.right), yOf(step)),
    text(String(size.left - 8), place(Number(yOf(step)) + 4), 'end', yText(step)),
  ]);
  const columns = xMarks.flatMap(({ at, text: words }) => [
    line('axis', xOf(at), String(bottom), xOf(at), String(bottom + 5)),
    text(xOf(at), String(bottom + 18), 'middle', words),
  ]);
  const drawn = series.map(({ name, points: own }, index) => {
    const shown = own.filter(({ y }) => Number.isFinite(y));
    const bars = shown.flatMap(({ x, low, high }) =>
      low === undefined || high === undefined ? [] : [line('bar', beside(x, index), yOf(low), beside(x, index), yOf(high))],
    );
    const dots = shown.map(
      ({ x, y }) => `<circle cx="${xOf(x)}" cy="${yOf(y)}" r="3.5"><title>${escapeHtml(`${name}: ${yText(y)}`)}</title></circle>`,
    );
    const path = `<polyline points="${shown.map(({ x, y }) => `${xOf(x)},${yOf(y)}`).join(' ')}"/>`;
    return `<g class="series-${index % seriesColours}">${path}${bars.join('')}${dots.join('')}</g>`;
  });
  const middle = place(size.left + inner.width / 2);
  return [
    `<svg class="plot" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escapeHtml(title)}">`,
    ...rows,
    line('axis', String(size.left), String(bottom), String(size.width - size.right), String(bottom)),
    ...columns,
    text(middle, String(size.height - 8), 'middle', xLabel),
    `<text transform="translate(14 ${place(size.top + inner.height / 2)}) rotate(-90)" text-anchor="middle">${escapeHtml(yLabel)}</text>`,
    ...drawn,
    '</svg>',
  ].join('\n');
}
