/** Bars side by side, and a plot of time over length: plain SVG. */
const svgNamespace = 'http://www.w3.org/2000/svg';

/** An SVG element. */
function svg(name, attributes, ...children) {
  const element = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}
function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text !== '') made.textContent = text;
  made.append(...children);
  return made;
}

export const sides = ['dense', 'principal'];
const sideNames = { dense: 'dense', principal: 'principal keys' };

export function formatBytes(bytes) {
  const units = ['B', 'KB', 'MB', 'GB'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
export function formatTime(milliseconds) {
  return milliseconds >= 1000 ? `${(milliseconds / 1000).toFixed(2)} s` : `${milliseconds.toFixed(1)} ms`;
}
export const formatShare = (share) => `${(100 * share).toFixed(1)} %`;

/**
 * Rows of a table: { name, format, dense, principal } as two bars on one scale, or { name, text } in words. Values may be undefined
 * while they are not known.
 */
export function showFigures(table, rows) {
  table.replaceChildren(
    ...rows.map((row) => {
      const cell = document.createElement('td');
      if (row.text !== undefined) cell.textContent = row.text;
      else {
        const largest = Math.max(...sides.map((side) => row[side] ?? 0), 1e-9);
        cell.append(...sides.map((side) => bar(side, row[side], largest, row.format)));
      }
      const head = element('th', row.name);
      head.scope = 'row';
      return element('tr', '', head, cell);
    }),
  );
}
function bar(side, value, largest, format) {
  const label = value === undefined ? '' : format(value);
  const width = value === undefined ? 0 : Math.max(0.5, (100 * value) / largest);
  const drawn = svg(
    'svg',
    { viewBox: '0 0 100 10', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${sideNames[side]}: ${label}` },
    svg('rect', { x: 0, y: 0, width, height: 10, class: `of-${side}` }),
  );
  const line = element('div', '', drawn, element('span', label));
  line.className = 'bar';
  return line;
}

/** Times of both sides over a number of tokens: [{ tokens, dense, principal }], milliseconds. */
export function showPlot(figure, caption, points) {
  figure.hidden = points.length === 0;
  const keys = sides.map((side) => {
    const key = element('span', sideNames[side]);
    key.className = `key ${side}`;
    return key;
  });
  figure.querySelector('figcaption').replaceChildren(element('span', caption), ...keys);
  if (points.length === 0) return;
  const [width, height, left, bottom] = [720, 260, 64, 30];
  const longest = Math.max(...points.map(({ tokens }) => tokens));
  const slowest = Math.max(...points.flatMap((point) => sides.map((side) => point[side] ?? 0)));
  const x = (tokens) => left + ((width - left - 16) * tokens) / longest;
  const y = (milliseconds) => height - bottom - ((height - bottom - 16) * milliseconds) / slowest;
  const drawn = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': caption });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const at = y(slowest * share);
    drawn.append(
      svg('line', { x1: left, x2: width - 16, y1: at, y2: at, class: 'grid' }),
      svg('text', { x: left - 8, y: at + 4, 'text-anchor': 'end' }, formatTime(slowest * share)),
    );
  }
  for (const { tokens } of points)
    drawn.append(svg('text', { x: x(tokens), y: height - 8, 'text-anchor': 'middle' }, String(tokens)));
  for (const side of sides) {
    const known = points.filter((point) => point[side] !== undefined);
    const places = known.map((point) => `${x(point.tokens).toFixed(1)},${y(point[side]).toFixed(1)}`);
    drawn.append(svg('polyline', { points: places.join(' '), class: `line of-${side}` }));
    for (const point of known)
      drawn.append(svg('circle', { cx: x(point.tokens), cy: y(point[side]), r: 3, class: `of-${side}` }));
  }
  figure.querySelector('div').replaceChildren(drawn);
}
export { element };
